/** The result of a task: the return value of its method, unwrapped to the value that is stored. */

import { type Draft, type IAsyncService, type Job, makeJob, type ResultOf, type SignatureOf, type Unwrapped } from 'millrace';
import { type Equal, holds } from './expect.js';
import { addNumbers, documents, limits, RenderReport, results } from './services.js';

type Result<T> = ResultOf<SignatureOf<T>>;

export function resultsAreUnwrapped(): void {
  holds<Equal<Result<typeof results.plain>, number>>();
  holds<Equal<Result<typeof results.promise>, number>>();
  holds<Equal<Result<typeof results.thenable>, number>>();
  holds<Equal<Result<typeof results.nested>, number>>();
  holds<Equal<Result<typeof results.stream>, number>>();
  holds<Equal<Result<typeof results.laterStream>, number>>();
  holds<Equal<Result<typeof results.job>, number>>();
  holds<Equal<Result<typeof results.draft>, string>>();
  holds<Equal<Result<typeof results.drafts>, [Job<string>, Job<void>]>>();
  holds<Equal<Result<typeof results.valueOrJob>, number | string>>();
  holds<Equal<Result<typeof results.maybe>, number | undefined>>();
  holds<Equal<Result<typeof results.flag>, boolean>>();
  holds<Equal<Result<typeof results.nothing>, void>>();
  holds<Equal<Result<typeof results.failing>, never>>();
  holds<Equal<Result<typeof results.anything>, unknown>>();
  holds<Equal<Result<typeof results.something>, unknown>>();
  holds<Equal<Result<typeof results.list>, Job<number>[]>>();
  holds<Equal<Unwrapped<Promise<Promise<Job<string> | number>>>, string | number>>();
}

export async function draftsAndJobsCarryThem(async: IAsyncService): Promise<void> {
  const draft = makeJob(documents.create, 'inbox', 'bar', 'A title');
  holds<Equal<typeof draft, Draft<string>>>();
  const sum = makeJob(addNumbers, 40, 2);
  holds<Equal<typeof sum, Draft<number>>>();
  const report = makeJob(RenderReport, 'pdf');
  holds<Equal<typeof report, Draft<string>>>();

  const job = await async.queueJob(documents.create, 'inbox', 'bar', 'A title');
  holds<Equal<typeof job, Job<string>>>();
  const same = await async.queueJob(draft);
  holds<Equal<typeof same, Job<string>>>();
  const rendered = await async.queueJob(RenderReport, 'pdf');
  holds<Equal<typeof rendered, Job<string>>>();
  const nothing = await async.queueJob(results.nothing);
  holds<Equal<typeof nothing, Job<void>>>();
}

export async function genericMethodsAreSeenByTheirConstraints(async: IAsyncService): Promise<void> {
  const job = await async.queueJob(limits.constrained, 'a');
  holds<Equal<typeof job, Job<string | number>>>();
  const other = await async.queueJob(limits.unconstrained, { any: 'value' });
  holds<Equal<typeof other, Job<unknown>>>();
  // @ts-expect-error: outside of the constraint
  await async.queueJob(limits.constrained, true);
}

export async function overloadedMethodsAreSeenByTheirLastOverload(async: IAsyncService): Promise<void> {
  const job = await async.queueJob(limits.overloaded, 1);
  holds<Equal<typeof job, Job<number>>>();
  // @ts-expect-error: the first overload is not seen
  await async.queueJob(limits.overloaded, 'a');
}
