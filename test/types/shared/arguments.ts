/** What `makeJob` and `queueJob` accept as arguments; the two take the same. */

import { type ArgsOf, type IAsyncService, type Job, makeJob, type SignatureOf } from 'millrace';
import { type Equal, holds } from './expect.js';
import { addNumbers, documents, parameters, RenderReport } from './services.js';

export function argumentsAreThoseOfTheCode(): void {
  makeJob(documents.create, 'inbox', 'bar', 'A title');
  makeJob(documents.count);
  makeJob(addNumbers, 40, 2);
  makeJob(RenderReport, 'pdf');
  makeJob(RenderReport, 'html', 3);
  const method = 'create';
  makeJob(documents[method], 'inbox', 'bar', 'A title');
}

export function wrongArgumentsAreRefused(): void {
  // @ts-expect-error: a number is no string
  makeJob(documents.create, 'inbox', 7, 'A title');
  // @ts-expect-error: too few
  makeJob(documents.create, 'inbox', 'bar');
  // @ts-expect-error: none at all
  makeJob(documents.create);
  // @ts-expect-error: too many
  makeJob(documents.create, 'inbox', 'bar', 'A title', 'more');
  // @ts-expect-error: it takes none
  makeJob(documents.count, 1);
  // @ts-expect-error: of a function task
  makeJob(addNumbers, 40, '2');
  // @ts-expect-error: of a task class
  makeJob(RenderReport, 'docx');
  // @ts-expect-error: `run` needs its format
  makeJob(RenderReport);
}

export async function queueJobTakesTheSame(async: IAsyncService): Promise<void> {
  await async.queueJob(documents.create, 'inbox', 'bar', 'A title');
  await async.queueJob(documents.count);
  await async.queueJob(RenderReport, 'pdf', 3);
  // @ts-expect-error: a number is no string
  await async.queueJob(documents.create, 'inbox', 7, 'A title');
  // @ts-expect-error: too few
  await async.queueJob(documents.create, 'inbox', 'bar');
  // @ts-expect-error: too many
  await async.queueJob(addNumbers, 40, 2, 1);
  // @ts-expect-error: a draft has its arguments already
  await async.queueJob(makeJob(addNumbers, 40, 2), 40, 2);
}

export function parametersOfEverySort(job: Job<string>): void {
  makeJob(parameters.optional, 'a');
  makeJob(parameters.optional, 'a', 'b');
  makeJob(parameters.defaulted, 'a');
  makeJob(parameters.defaulted, 'a', undefined);
  makeJob(parameters.rest, 'a');
  makeJob(parameters.rest, 'a', 'b', 'c');
  makeJob(parameters.union, 'small');
  makeJob(parameters.object, { width: 1 });
  makeJob(parameters.tuple, 'a', 1);
  makeJob(parameters.list, ['a', 'b']);
  makeJob(parameters.job, job);
  const pair: [string, number] = ['a', 1];
  makeJob(parameters.tuple, ...pair);
  holds<Equal<ArgsOf<SignatureOf<typeof parameters.optional>>, [_id: string, _title?: string | undefined]>>();
  holds<Equal<ArgsOf<SignatureOf<typeof parameters.rest>>, [_id: string, ..._tags: string[]]>>();
}

export function parametersOfEverySortAreChecked(job: Job<number>): void {
  // @ts-expect-error: the optional one, when given, is a string
  makeJob(parameters.optional, 'a', 1);
  // @ts-expect-error: the type of a default is that of its value
  makeJob(parameters.defaulted, 'a', 'b');
  // @ts-expect-error: each of the rest is a string
  makeJob(parameters.rest, 'a', 'b', 3);
  // @ts-expect-error: none of the literals
  makeJob(parameters.union, 'medium');
  // @ts-expect-error: an excess property
  makeJob(parameters.object, { width: 1, hight: 2 });
  // @ts-expect-error: a missing property
  makeJob(parameters.object, {});
  // @ts-expect-error: a job of another result
  makeJob(parameters.job, job);
  // @ts-expect-error: a function cannot be stored
  makeJob(parameters.handler, () => {});
}
