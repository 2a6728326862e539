/** Drafts: what `with` and the callbacks accept, and what they give. */

import {
  type Callback,
  type Callbacks,
  callback,
  type Draft,
  exponential,
  forever,
  type IAsyncService,
  makeJob,
  never,
  type Outcome,
  type RetryPolicy,
  retryCommon,
  type StoredError,
  task,
} from 'millrace';
import { type Equal, type Fits, holds } from './expect.js';
import { addNumbers, documents, mails, RenderReport } from './services.js';

const draft = makeJob(documents.create, 'inbox', 'bar', 'A title');
const seen = task('seen', (outcome: Outcome<string>) => outcome.status);
const seenNumber = task('seenNumber', (outcome: Outcome<number>) => outcome.status);
const notify = task('notify', (title: string, to: string, copies?: number) => `${title}${to}${copies}`);
const each = task('each', (...values: string[]) => values.length);

export function optionsGiveANewDraft(): void {
  const other = draft.with({
    name: 'import',
    queue: 'mail',
    quotas: ['reports'],
    priority: -1,
    delayMs: 5,
    beginBy: new Date(),
    retry: exponential({ attempts: 3 }),
  });
  holds<Equal<typeof other, Draft<string>>>();
  draft.with({ quotas: { reports: 2 }, beginAfter: new Date() });
  draft.with({ name: undefined, queue: undefined, quotas: undefined, priority: undefined, retry: undefined });
  draft.with({ metadata: { tenant: 'acme', level: 1, isTrial: true, locale: undefined } });
  draft.with({ delayMs: undefined, beginAfter: undefined, beginBy: undefined });
  draft.with({ retry: never }).with({ retry: forever() }).with({ retry: retryCommon });
  draft.with({ retry: { attempts: 2, delayMs: { firstMs: 1, factor: 2, maxMs: 100, jitter: 0 }, retries: 'any' } });
}

export function optionsAreChecked(policy: RetryPolicy): void {
  // @ts-expect-error: no such option
  draft.with({ priorty: 2 });
  // @ts-expect-error: an option of tasks
  draft.with({ timeoutMs: 5 });
  // @ts-expect-error: an option of batches
  draft.with({ onFailure: 'stop' });
  // @ts-expect-error: a number is needed
  draft.with({ priority: 'high' });
  // @ts-expect-error: metadata is flat
  draft.with({ metadata: { tenant: { id: 'acme' } } });
  // @ts-expect-error: a date is none of the values of metadata
  draft.with({ metadata: { since: new Date() } });
  // @ts-expect-error: a Date is needed
  draft.with({ beginAfter: '2030-01-01' });
  // @ts-expect-error: one name is not yet an array of names
  draft.with({ quotas: 'reports' });
  // @ts-expect-error: a function cannot be stored with a job
  draft.with({ retry: { delayMs: (attempt: number) => attempt } });
  // @ts-expect-error: nor this one
  draft.with({ retry: { retries: (error: unknown) => error instanceof TypeError } });
  // @ts-expect-error: a policy of a task might hold functions
  draft.with({ retry: policy });
  // @ts-expect-error: a backoff is given as a whole
  draft.with({ retry: { delayMs: { firstMs: 1 } } });
}

export function draftsDoNotChange(): void {
  // @ts-expect-error: on drafts everything that gives a new one begins with `with`
  draft.addCallbacks({ success: mails.created });
  // @ts-expect-error: a single job has nothing to postprocess
  draft.postprocess(mails.ended);
}

export async function draftsAreNoPromises(): Promise<void> {
  const same: unknown = 'then' in draft;
  holds<Equal<'then' extends keyof typeof draft ? true : false, false>>();
  holds<Equal<Awaited<typeof draft>, Draft<string>>>();
  void same;
}

export function callbacksTakeTheValue(): void {
  const other = draft.withCallbacks({ success: mails.created, failure: callback(mails.failed, 'ops@example.org') });
  holds<Equal<typeof other, Draft<string>>>();
  draft.withCallbacks({ success: mails.ended });
  draft.withCallbacks({ success: mails.urgent });
  draft.withCallbacks({ success: makeJob(addNumbers, 1, 2), failure: makeJob(documents.count) });
  draft.withCallbacks({ success: callback(notify, 'ops@example.org').with({ priority: 1 }) });
  draft.withCallbacks({});
  draft.withCallback(seen).withCallback(mails.ended).withCallback(makeJob(documents.count));
  makeJob(documents.create, 'a', 'b', 'c').withCallbacks({ success: task('shout', (text: string | number) => text) });
}

export function callbacksAreChecked(): void {
  // @ts-expect-error: it takes a string, the result is a number
  makeJob(addNumbers, 1, 2).withCallbacks({ success: mails.created });
  // @ts-expect-error: it needs more than the value; `callback(task, …rest)` gives it
  draft.withCallbacks({ success: notify });
  // @ts-expect-error: a failure is a `StoredError`
  draft.withCallbacks({ failure: mails.created });
  // @ts-expect-error: it needs an address as well
  draft.withCallbacks({ failure: mails.failed });
  // @ts-expect-error: a callback for another value
  draft.withCallbacks({ success: callback(mails.failed, 'ops@example.org') });
  // @ts-expect-error: for both sides it gets the outcome
  draft.withCallback(mails.created);
  // @ts-expect-error: the outcome of another result
  draft.withCallback(seenNumber);
  // @ts-expect-error: a plain function is not a task
  draft.withCallback(() => {});
  // @ts-expect-error: no such side
  draft.withCallbacks({ succes: mails.created });
  // @ts-expect-error: of a task class
  draft.withCallbacks({ failure: RenderReport });
}

export function callbackGivesTheRest(): void {
  const failed = callback(mails.failed, 'ops@example.org');
  holds<Equal<typeof failed, Callback<StoredError, boolean>>>();
  const notified = callback(notify, 'ops@example.org', 2);
  holds<Equal<typeof notified, Callback<string, string>>>();
  holds<Equal<ReturnType<typeof notified.with>, Callback<string, string>>>();
  const many = callback(each, 'a', 'b');
  holds<Equal<typeof many, Callback<string, number>>>();
  const none = callback(mails.ended);
  holds<Equal<typeof none, Callback<unknown, 'ended'>>>();
  const rendered = callback(RenderReport, 3);
  holds<Equal<typeof rendered, Callback<'pdf' | 'html', string>>>();
}

export function callbackIsChecked(): void {
  // @ts-expect-error: the address is missing
  callback(mails.failed);
  // @ts-expect-error: an address is a string
  callback(mails.failed, 7);
  // @ts-expect-error: the value itself is not to be given
  callback(mails.created, 'bar');
  // @ts-expect-error: no such option
  callback(notify, 'ops@example.org').with({ priorty: 2 });
  // @ts-expect-error: a plain function is not a task
  callback((error: StoredError) => error);
}

export async function callbacksAreNotQueuedByThemselves(async: IAsyncService): Promise<void> {
  // @ts-expect-error: without its job there is no value to give it
  await async.queueJob(callback(mails.failed, 'ops@example.org'));
}

export function draftsGoWhereWiderOnesAreAskedFor(): void {
  holds<Fits<Draft<string>, Draft<string | number>>>();
  holds<Fits<Draft<string>, Draft<unknown>>>();
  holds<Fits<Callback<string | number, void>, Callback<string, void>>>();
  holds<Equal<Fits<Draft<string | number>, Draft<string>>, false>>();
  holds<Equal<Fits<Callback<string, void>, Callback<string | number, void>>, false>>();
  holds<Equal<Fits<Callbacks<string>['success'], undefined>, false>>();
}
