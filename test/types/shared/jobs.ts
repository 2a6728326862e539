/** Jobs: what they say of themselves, what is added to them, and how they are found again. */

import {
  type CallbackResult,
  type CallbacksResult,
  callback,
  type IAsyncService,
  type Job,
  type JobEvent,
  type JobSnapshot,
  makeJob,
  type Outcome,
  type Progress,
  type Status,
  type StoredError,
  task,
} from 'millrace';
import type { Observable } from 'rxjs';
import { type Equal, type Fits, holds } from './expect.js';
import { addNumbers, documents, mails, RenderReport } from './services.js';

const count = task('count', (text: string) => text.length);

export function jobsSayWhatTheyAre(job: Job<string>): void {
  holds<Equal<typeof job.id, string>>();
  holds<Equal<typeof job.taskName, string>>();
  holds<Equal<typeof job.status, Status>>();
  holds<Equal<typeof job.attempts, number>>();
  holds<Equal<typeof job.progress, Progress | undefined>>();
  holds<Equal<typeof job.annotations, Readonly<Record<string, unknown>>>>();
  holds<Equal<typeof job.result, string | undefined>>();
  holds<Equal<typeof job.error, StoredError | undefined>>();
  holds<Equal<typeof job.outcome, Outcome<string> | undefined>>();
  holds<Equal<typeof job.changes, Observable<JobSnapshot<string>>>>();
  // @ts-expect-error: it is the store that changes a job
  job.status = 'completed';
}

export async function waitingForAJob(job: Job<string>, signal: AbortSignal): Promise<void> {
  const text = await job.waitForResult({ timeoutMs: 5, signal });
  holds<Equal<typeof text, string>>();
  const outcome = await job.waitForOutcome();
  holds<Equal<typeof outcome, Outcome<string>>>();
  const snapshot = await job.refresh();
  holds<Equal<typeof snapshot, JobSnapshot<string>>>();
  await job.waitForResult({ timeoutMs: undefined, signal: undefined });
  // @ts-expect-error: no such option
  await job.waitForResult({ timeout: 5 });
  // @ts-expect-error: a controller is not its signal
  await job.waitForResult({ signal: new AbortController() });
  // @ts-expect-error: a reason is a string
  await job.cancel(7);
}

export function outcomesAreToldApart(outcome: Outcome<string>, snapshot: JobSnapshot<string>): void {
  if (outcome.status === 'completed') holds<Equal<typeof outcome.result, string>>();
  else if (outcome.status === 'failed') holds<Equal<typeof outcome.error, StoredError>>();
  else holds<Equal<typeof outcome.reason, string | undefined>>();
  if (snapshot.status === 'completed') holds<Equal<typeof snapshot.result, string>>();
  // @ts-expect-error: it may not have completed
  outcome.result;
  // @ts-expect-error: nor this
  snapshot.result;
}

export async function explanationsAreTold(job: Job<string>): Promise<void> {
  const { reasons, ahead, text } = await job.explain();
  holds<Equal<typeof ahead, number | undefined>>();
  holds<Equal<typeof text, string>>();
  const [reason] = reasons;
  if (reason?.because === 'quota-full') holds<Equal<typeof reason.needs, number>>();
  // @ts-expect-error: only of a quota that is full
  reason?.holders;
  job.explanations.subscribe(({ status }) => holds<Equal<typeof status, Status>>());
}

export async function jobsAreNoPromises(job: Job<string>): Promise<void> {
  holds<Equal<'then' extends keyof Job<string> ? true : false, false>>();
  const same = await Promise.resolve(job);
  holds<Equal<typeof same, Job<string>>>();
}

export function jobsGoWhereWiderOnesAreAskedFor(): void {
  holds<Fits<Job<string>, Job<string | number>>>();
  holds<Fits<Job<[Job<string>]>, Job<readonly Job<unknown>[]>>>();
  holds<Equal<Fits<Job<string | number>, Job<string>>, false>>();
}

export async function addingACallback(job: Job<string>): Promise<void> {
  const ended = await job.addCallback(mails.ended);
  holds<Equal<typeof ended, Job<'ended'>>>();
  const seen = await job.addCallback(task('seen', (outcome: Outcome<string>) => outcome.status === 'completed'));
  holds<Equal<typeof seen, Job<boolean>>>();
  const drafted = await job.addCallback(makeJob(addNumbers, 1, 2));
  holds<Equal<typeof drafted, Job<number>>>();
  // @ts-expect-error: for both sides it gets the outcome
  await job.addCallback(mails.created);
  // @ts-expect-error: of another result
  await job.addCallback(task('other', (outcome: Outcome<number>) => outcome.status));
}

export async function addingCallbacksForTheTwoSides(job: Job<string>): Promise<void> {
  const both = await job.addCallbacks({ success: count, failure: callback(mails.failed, 'ops@example.org') });
  holds<Equal<typeof both, Job<number | boolean>>>();
  const success = await job.addCallbacks({ success: mails.created });
  holds<Equal<typeof success, Job<number>>>();
  const failure = await job.addCallbacks({ failure: callback(mails.failed, 'ops@example.org') });
  holds<Equal<typeof failure, Job<string | boolean>>>();
  const none = await job.addCallbacks({});
  holds<Equal<typeof none, Job<string>>>();
  const rendered = await job.addCallbacks({ success: makeJob(RenderReport, 'pdf'), failure: makeJob(documents.count) });
  holds<Equal<typeof rendered, Job<string | number>>>();
  // @ts-expect-error: a failure is a `StoredError`
  await job.addCallbacks({ failure: mails.created });
  // @ts-expect-error: no such side
  await job.addCallbacks({ succes: mails.created });
}

export function resultsOfCallbacksHaveNames(): void {
  holds<Equal<CallbackResult<typeof count>, number>>();
  holds<Equal<CallbackResult<typeof RenderReport>, string>>();
  holds<Equal<CallbacksResult<string, { success: typeof count }>, number>>();
}

export async function findingAJob(async: IAsyncService): Promise<void> {
  const any = await async.getJob('id');
  holds<Equal<typeof any, Job<unknown> | undefined>>();
  const created = await async.getJob('id', documents.create);
  holds<Equal<typeof created, Job<string> | undefined>>();
  const report = await async.getJob('id', RenderReport);
  holds<Equal<typeof report, Job<string> | undefined>>();
  const sum = await async.getJob('id', addNumbers);
  holds<Equal<typeof sum, Job<number> | undefined>>();
  // @ts-expect-error: a draft is not a task
  await async.getJob('id', makeJob(addNumbers, 1, 2));
  // @ts-expect-error: nor is a name
  await async.getJob('id', 'Documents.create');
}

export function events(async: IAsyncService): void {
  const created = async.events.of(documents.create);
  holds<Equal<typeof created, Observable<JobEvent<string>>>>();
  const reports = async.events.of(RenderReport);
  holds<Equal<typeof reports, Observable<JobEvent<string>>>>();
  async.events.failure.subscribe(({ job, error }) => {
    holds<Equal<typeof job, Job<unknown>>>();
    holds<Equal<typeof error, StoredError>>();
  });
  async.events.success.subscribe(({ result }) => holds<Equal<typeof result, unknown>>());
  async.events.cancelled.subscribe(({ reason }) => holds<Equal<typeof reason, string | undefined>>());
  created.subscribe(({ outcome }) => holds<Equal<typeof outcome, Outcome<string>>>());
  // @ts-expect-error: no such task
  async.events.of(documents.creat);
}

export async function queues(async: IAsyncService): Promise<void> {
  const queue = async.getQueues().get('');
  const found = await queue.jobs({ statuses: ['pending', 'active'], task: documents.create, limit: 5 });
  holds<Equal<typeof found, readonly Job<unknown>[]>>();
  for (const { name } of async.getQueues()) holds<Equal<typeof name, string>>();
  // @ts-expect-error: no such status
  await queue.jobs({ statuses: ['done'] });
  // @ts-expect-error: no such option
  await queue.jobs({ status: ['pending'] });
}

export async function retryingAJob(async: IAsyncService, job: Job<string>): Promise<void> {
  const again = await job.retry();
  holds<Equal<typeof again, Job<string>>>();
  const letters = await async.getDeadLetters({ task: mails.created });
  holds<Equal<(typeof letters)[number]['error'], StoredError>>();
  // @ts-expect-error: dead letters have failed
  await async.getDeadLetters({ statuses: ['cancelled'] });
  // @ts-expect-error: no such status
  await async.retryJobs({ statuses: ['broken'] });
}
