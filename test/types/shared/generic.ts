/** Tasks in generic code of the application: wrappers, generic services, and where the types give up. */

import {
  type AnyFunction,
  type ArgsOf,
  type Draft,
  type IAsyncService,
  type Job,
  makeJob,
  type ResultOf,
  type SignatureOf,
  type Task,
  type TaskLike,
  task,
  tasks,
} from 'millrace';
import { type Equal, type Fits, holds } from './expect.js';
import { addNumbers, type Documents, documents, type RenderReport } from './services.js';

/** A wrapper goes through a draft. */
export function queueLater<T extends TaskLike>(
  async: IAsyncService,
  work: T,
  ...args: ArgsOf<SignatureOf<T>>
): Promise<Job<ResultOf<SignatureOf<T>>>> {
  return async.queueJob(makeJob(work, ...args).with({ delayMs: 5 }));
}

export function queueUrgent<R>(async: IAsyncService, draft: Draft<R>): Promise<Job<R>> {
  return async.queueJob(draft.with({ priority: -1 }));
}

export async function wrappersKeepTheTypes(async: IAsyncService): Promise<void> {
  const job = await queueLater(async, documents.create, 'inbox', 'bar', 'A title');
  holds<Equal<typeof job, Job<string>>>();
  const urgent = await queueUrgent(async, makeJob(addNumbers, 40, 2));
  holds<Equal<typeof urgent, Job<number>>>();
  // @ts-expect-error: a number is not a string
  await queueLater(async, documents.create, 'inbox', 7, 'A title');
}

export function genericServicesAreGivenTheirTypes(): void {
  class Shelf<T> {
    put(_value: T): T[] {
      return [];
    }
  }
  const shelf = tasks(Shelf<string>);
  holds<Equal<typeof shelf.put, Task<(value: string) => string[]>>>();
  // @ts-expect-error: on this shelf are strings
  makeJob(shelf.put, 7);
}

export function taskTypesCanBeAskedFor(): void {
  const byTask = (_work: Task<(id: string) => Promise<string>>): void => {};
  byTask(documents.helper as never);
  // @ts-expect-error: it needs more than an id
  byTask(documents.create);
  holds<Fits<typeof documents.create, Task>>();
  holds<Fits<typeof addNumbers, Task<AnyFunction>>>();
  holds<Fits<typeof RenderReport, TaskLike>>();
  holds<Equal<Fits<typeof Documents, TaskLike>, false>>();
}

export function functionsInsideOfArgumentsAreNotSeen(): void {
  const nested = task('nested', (_options: { readonly onDone?: () => void }) => 1);
  makeJob(nested, { onDone: () => {} });
}

export function optionalFunctionsMayBeLeftOut(): void {
  const work = task('work', (id: string, _onDone?: () => void) => id);
  makeJob(work, 'a');
  // @ts-expect-error: a function cannot be stored
  makeJob(work, 'a', () => {});
}
