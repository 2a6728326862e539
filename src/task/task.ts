/** A task as a value, and its types: what is called, with what, and what comes of it. */

import type { Observable } from 'rxjs';
import type { Ref } from '../job/document-reference.js';
import type { Promising } from '../job/promising.js';

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

/** Whatever is a task. */
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

/** What a caller passes: the parameters, where a document may be named by a reference. */
export type ArgsOf<F> = F extends (...args: infer A) => unknown ? { [I in keyof A]: Arg<A[I]> } : never;
export type Arg<T> = T extends AnyFunction
  ? 'a function cannot be an argument of a job'
  : T extends Ref<unknown>
    ? 'a task takes the document itself; who queues it passes a reference'
    : T extends { readonly _id: unknown }
      ? T | Ref<T>
      : T;

/** What a job of this function results in. */
export type ResultOf<F> = F extends (...args: never[]) => infer R ? Unwrapped<R> : never;

/** What comes of a returned `R` in the end: of a promise, a job or draft, or an observable (its last value). */
export type Unwrapped<R> = 0 extends 1 & R
  ? unknown
  : R extends PromiseLike<infer S>
    ? Unwrapped<S>
    : R extends Promising<infer S>
      ? S
      : R extends Observable<infer S>
        ? Unwrapped<S>
        : R;
