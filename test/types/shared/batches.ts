/** Batches: exact tuples of child jobs, however deep, and what may postprocess them. */

import { type BatchDraft, callback, type Draft, type IAsyncService, type Job, makeJob, parallel, serial, task } from 'millrace';
import { type Equal, holds } from './expect.js';
import { addNumbers, documents, mails } from './services.js';

const text = makeJob(documents.create, 'inbox', 'bar', 'A title');
const nothing = makeJob(documents.submit, 'inbox', 'bar');
const sum = makeJob(addNumbers, 40, 2);

const join = task('join', (jobs: [Job<string>, Job<number>]) => jobs.length > 1);
const joinOther = task('joinOther', (jobs: [Job<number>, Job<string>]) => jobs.length);
const joinMore = task('joinMore', (jobs: [Job<string>, Job<number>, Job<number>]) => jobs.length);
const joinAny = task('joinAny', (jobs: readonly Job<unknown>[]) => jobs.length);
const joinWith = task('joinWith', (jobs: readonly Job<unknown>[], glue: string) => `${jobs.length}${glue}`);

export function batchesAreTuplesOfTheirJobs(): void {
  const one = serial(text);
  holds<Equal<typeof one, BatchDraft<[Job<string>]>>>();
  const three = serial(text, nothing, sum);
  holds<Equal<typeof three, BatchDraft<[Job<string>, Job<void>, Job<number>]>>>();
  const both = parallel(text, sum);
  holds<Equal<typeof both, BatchDraft<[Job<string>, Job<number>]>>>();
  const empty = parallel();
  holds<Equal<typeof empty, BatchDraft<[]>>>();
}

export function batchesNest(): void {
  const nested = parallel(serial(text, sum), serial(sum), nothing);
  holds<Equal<typeof nested, BatchDraft<[Job<[Job<string>, Job<number>]>, Job<[Job<number>]>, Job<void>]>>>();
  const ten = serial(serial(serial(serial(serial(serial(serial(serial(serial(serial(sum))))))))));
  holds<Equal<typeof ten, BatchDraft<[Job<[Job<[Job<[Job<[Job<[Job<[Job<[Job<[Job<[Job<number>]>]>]>]>]>]>]>]>]>]>>>();
}

export function arraysOfDraftsGiveArraysOfJobs(drafts: Draft<string>[]): void {
  const many = parallel(...drafts);
  holds<Equal<typeof many, BatchDraft<Job<string>[]>>>();
  const more = serial(sum, ...drafts);
  holds<Equal<typeof more, BatchDraft<[Job<number>, ...Job<string>[]]>>>();
}

export function batchesTakeDraftsOnly(): void {
  // @ts-expect-error: a task is not a draft; `makeJob` makes one
  serial(documents.count);
  // @ts-expect-error: nor is an array of them; spread it
  parallel([text, sum]);
}

export function batchesKeepTheirTypeThroughOptions(): void {
  const stopping = serial(text, sum).with({ onFailure: 'stop', quotas: [], priority: 1 });
  holds<Equal<typeof stopping, BatchDraft<[Job<string>, Job<number>]>>>();
  const told = parallel(text, sum).withCallback(mails.ended).withCallbacks({ success: join });
  holds<Equal<typeof told, BatchDraft<[Job<string>, Job<number>]>>>();
  serial(text).with({ onFailure: undefined });
  // @ts-expect-error: none of the three
  serial(text).with({ onFailure: 'ignore' });
  // @ts-expect-error: no such option
  serial(text).with({ onFailur: 'stop' });
  // @ts-expect-error: the callback takes other jobs
  serial(text, sum).withCallbacks({ success: joinOther });
}

export function postprocessTakesExactlyTheChildren(): void {
  const joined = parallel(text, sum).postprocess(join);
  holds<Equal<typeof joined, Draft<boolean>>>();
  const counted = parallel(text, sum, nothing).postprocess(joinAny);
  holds<Equal<typeof counted, Draft<number>>>();
  const ended = serial(text).postprocess(mails.ended);
  const more = parallel(text, sum).postprocess(callback(joinWith, 'more'));
  holds<Equal<typeof more, Draft<string>>>();
  holds<Equal<typeof ended, Draft<'ended'>>>();
  const inside = serial(parallel(text, sum).postprocess(join), text);
  holds<Equal<typeof inside, BatchDraft<[Job<boolean>, Job<string>]>>>();
}

export function postprocessIsChecked(): void {
  // @ts-expect-error: the jobs are in another order
  parallel(text, sum).postprocess(joinOther);
  // @ts-expect-error: there is one job more
  parallel(text, sum, sum).postprocess(join);
  // @ts-expect-error: there is one job less
  parallel(text, sum).postprocess(joinMore);
  // @ts-expect-error: it gets the jobs and nothing else
  parallel(text, sum).postprocess(joinWith);
  // @ts-expect-error: it takes no jobs
  parallel(text, sum).postprocess(documents.helper);
  // @ts-expect-error: a plain function is not a task
  parallel(text, sum).postprocess((jobs: readonly Job<unknown>[]) => jobs.length);
  // @ts-expect-error: a postprocessed batch is not a batch any more
  parallel(text, sum).postprocess(join).postprocess(joinAny);
}

export async function queueingABatch(async: IAsyncService, drafts: Draft<number>[]): Promise<void> {
  const batch = await async.queueSerialJobs(text, nothing);
  holds<Equal<typeof batch, Job<[Job<string>, Job<void>]>>>();
  const [created, submitted] = await batch.waitForResult();
  holds<Equal<typeof created, Job<string>>>();
  holds<Equal<typeof submitted, Job<void>>>();
  const beside = await async.queueParallelJobs(text, serial(sum));
  holds<Equal<typeof beside, Job<[Job<string>, Job<[Job<number>]>]>>>();
  const empty = await async.queueParallelJobs();
  holds<Equal<typeof empty, Job<[]>>>();
  const many = await async.queueParallelJobs(...drafts);
  holds<Equal<typeof many, Job<Job<number>[]>>>();
  const same = await async.queueJob(parallel(text, sum));
  holds<Equal<typeof same, Job<[Job<string>, Job<number>]>>>();
  const joined = await async.queueJob(parallel(text, sum).postprocess(join));
  holds<Equal<typeof joined, Job<boolean>>>();
  // @ts-expect-error: there is no third job
  const [, , third] = await batch.waitForResult();
  void third;
  // @ts-expect-error: a task is not a draft
  await async.queueSerialJobs(documents.count);
}

export async function queueingManyJobs(async: IAsyncService, drafts: readonly Draft<number>[]): Promise<void> {
  const jobs = await async.queueJobs([text, sum, nothing]);
  holds<Equal<typeof jobs, [Job<string>, Job<number>, Job<void>]>>();
  const many = await async.queueJobs(drafts);
  holds<Equal<typeof many, Job<number>[]>>();
  const none = await async.queueJobs([]);
  holds<Equal<typeof none, []>>();
  // @ts-expect-error: an array is asked for
  await async.queueJobs(text, sum);
  // @ts-expect-error: a task is not a draft
  await async.queueJobs([documents.count]);
}

export async function extendingABatch(async: IAsyncService, batch: Job<[Job<number>]>): Promise<void> {
  const [added, other] = await async.extendBatch(batch, makeJob(addNumbers, 1, 2), makeJob(mails.created, 'id'));
  holds<Equal<typeof added, Job<number>>>();
  holds<Equal<typeof other, Job<number>>>();
  await async.extendBatch(batch.id, makeJob(addNumbers, 1, 2));
  // @ts-expect-error: a task is not a draft
  await async.extendBatch(batch, addNumbers);
}
