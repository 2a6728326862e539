/** The arguments that `makeJob` and `queueJob` accept; both take the same. */

import {
  type ArgsOf,
  type FunctionTask,
  type IAsyncService,
  type Job,
  makeJob,
  type Ref,
  ref,
  type SignatureOf,
  type StoredError,
  task,
} from 'millrace';
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
  // @ts-expect-error: a number is not a string
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
  // @ts-expect-error: a number is not a string
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

class Customer {
  constructor(readonly name: string) {}
  rename(): void {}
}
class Account {
  readonly #balance = 0;
  get balance(): number {
    return this.#balance;
  }
}
class Hidden {
  private readonly secret = 1;
  readonly shown = this.secret;
}
class Folder {
  readonly _id = 'inbox';
  rename(): void {}
}
type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
interface Tree {
  readonly name: string;
  readonly children: readonly Tree[];
  readonly parent?: Tree;
}
type Id = string & { readonly brand: 'id' };

export function instancesAreRefused(): void {
  // @ts-expect-error: it has a method
  makeJob(take<Customer>(), new Customer('ann'));
  // @ts-expect-error: it has a private member
  makeJob(take<Account>(), new Account());
  // @ts-expect-error: it has a private member
  makeJob(take<Hidden>(), new Hidden());
  // @ts-expect-error: in a list
  makeJob(take<readonly Customer[]>(), [new Customer('ann')]);
  // @ts-expect-error: in an object
  makeJob(take<{ readonly customer: Customer }>(), { customer: new Customer('ann') });
  // @ts-expect-error: a map has methods
  makeJob(take<Map<string, number>>(), new Map());
  // @ts-expect-error: an object with a method
  makeJob(take<{ readonly onDone: () => void }>(), { onDone: () => {} });
  // @ts-expect-error: not by this alternative
  makeJob(take<string | Customer>(), new Customer('ann'));
  // @ts-expect-error: only by a reference
  makeJob(take<Folder>(), new Folder());
}

export function dataAreNot(job: Job<number>, error: StoredError, bytes: Uint8Array, json: Json, tree: Tree, id: Id, value: unknown): void {
  makeJob(take<string | Customer>(), 'ann');
  makeJob(take<Folder>(), ref('folders', 'inbox') as Ref<Folder>);
  makeJob(take<Date>(), new Date(0));
  makeJob(take<RegExp>(), /a/);
  makeJob(take<Uint8Array>(), bytes);
  makeJob(take<Buffer>(), Buffer.from(bytes));
  makeJob(take<Job<number>>(), job);
  makeJob(take<readonly Job<number>[]>(), [job]);
  makeJob(take<StoredError>(), error);
  makeJob(take<Json>(), json);
  makeJob(take<Tree>(), tree);
  makeJob(take<Id>(), id);
  makeJob(take<unknown>(), value);
  makeJob(take<object>(), {});
  makeJob(take<Record<string, unknown>>(), { a: 1 });
  makeJob(take<{ readonly url: string; readonly onDone?: () => void }>(), { url: '/' });
  makeJob(take<{ readonly kind: 'a'; readonly other?: never }>(), { kind: 'a' });
  makeJob(take<readonly [string, { readonly at: Date }]>(), ['a', { at: new Date(0) }]);
  makeJob(take<[]>(), []);
  makeJob(take<bigint | null | undefined>(), 1n);
  // biome-ignore lint/suspicious/noExplicitAny: whatever is passed for it compiles
  makeJob(take<any>(), new Customer('ann'));
  holds<Equal<ArgsOf<(tree: Tree, json: Json, value: unknown) => void>, [tree: Tree, json: Json, value: unknown]>>();
}

function take<T>(): FunctionTask<(value: T) => number> {
  return task('take', (_value: T) => 1);
}
