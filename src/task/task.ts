/** A task as a value, and its types: the function, its arguments and its result. */

import type { Observable } from 'rxjs';
import type { Ref } from '../job/document-reference.js';
import type { Future } from '../job/future.js';

export type AnyFunction = (...args: never[]) => unknown;
export type Class<T = unknown> = abstract new (...args: never[]) => T;

/** Carries the type of the function; nothing is stored under it. */
declare const signature: unique symbol;

/** Code that may run in the background, as a value: what `tasks(Class)` and `task(name, fn)` give. */
export interface Task<out F extends AnyFunction = AnyFunction> {
  readonly [signature]: F;
  /** The stable name under which its jobs are stored. */
  readonly taskName: string;
}

/** A class that is one task: `@Task` on itself, and a public method `run`. */
export type TaskClass<F extends AnyFunction = AnyFunction> = Class<{ run: F }>;

/** Every form of a task. */
export type TaskLike<F extends AnyFunction = AnyFunction> = Task<F> | TaskClass<F>;

/** A function that is a task as well. */
export type FunctionTask<F extends AnyFunction> = F & Task<F>;

/** The tasks of a service: one for each of its public methods. */
export type TasksOf<T> = {
  readonly [K in keyof T as K extends string ? (T[K] extends AnyFunction ? K : never) : never]: T[K] extends AnyFunction
    ? Task<T[K]>
    : never;
};

export type SignatureOf<T> = T extends Task<infer F> ? F : T extends Class<{ run: infer F }> ? F : never;

/** The arguments that a caller passes: the parameters, where a document may be named by a reference. */
export type ArgsOf<F> = F extends (...args: infer A) => unknown ? { [I in keyof A]: Arg<A[I]> } : never;
export type Arg<T> = T extends AnyFunction
  ? 'a function cannot be an argument of a job'
  : T extends Ref<unknown>
    ? 'a task takes the document itself; the caller passes a reference'
    : T extends { readonly _id: unknown }
      ? Data<T> | Ref<T>
      : Data<T>;

/** A type of data, or else a text that says why not; a document with methods can still be named by a reference. */
type Data<T> = IsInstance<T> extends true ? 'an instance of a class, or an object with methods, cannot be an argument of a job' : T;

/** The values that a store returns unchanged. */
type Storable =
  | string
  | number
  | bigint
  | boolean
  | symbol
  | null
  | undefined
  | Date
  | RegExp
  | Uint8Array
  | Future<unknown>
  | Ref<unknown>
  | { readonly _bsontype: string };

/** So deep a type is looked into. */
type Depth = 3;
type Below = [never, 0, 1, 2];

/**
 * Whether every value of a type is an instance of a class with methods or private members, or holds one. The compiler cannot recognise an
 * instance with only public data; it is refused when it is queued.
 */
type IsInstance<T, D extends number = Depth> = 0 extends 1 & T
  ? false
  : T extends Storable
    ? false
    : T extends AnyFunction
      ? true
      : D extends 1 | 2 | 3
        ? T extends readonly (infer E)[]
          ? HoldsInstance<E, Below[D]>
          : T extends object
            ? Pick<T, keyof T> extends T
              ? true extends { [K in keyof T]: HoldsInstance<T[K], Below[D]> }[keyof T]
                ? true
                : false
              : true
            : false
        : false;

/** Of a part; one that may be left out, or may be something else, does no harm by its type. */
type HoldsInstance<T, D extends number> = [T] extends [never] ? false : [IsInstance<T, D>] extends [true] ? true : false;

/** The result of a job of this function. */
export type ResultOf<F> = F extends (...args: never[]) => infer R ? Unwrapped<R> : never;

/** The final value of a returned `R`: of a promise, a job or draft, or an observable (its last value). */
export type Unwrapped<R> = 0 extends 1 & R
  ? unknown
  : R extends PromiseLike<infer S>
    ? Unwrapped<S>
    : R extends Future<infer S>
      ? S
      : R extends Observable<infer S>
        ? Unwrapped<S>
        : R;
