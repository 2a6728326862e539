/** Versions of a task's arguments: how those that were stored by an older build become today's. */

import { checkOption, is } from '../check.js';
import { OptionError } from '../errors.js';
import { FIRST_VERSION } from '../job/task-version.js';

/** Carries the type of the arguments that come out. */
declare const gives: unique symbol;

type Step = (...old: never[]) => readonly unknown[];

/** A chain of steps from the oldest arguments to those that the task takes now; immutable. */
export interface Upcasts<out A extends unknown[]> {
  readonly [gives]: A;
  /** Of the arguments that come out; each step makes one more. */
  readonly version: number;
  /** Of the arguments that the first step takes. */
  readonly oldest: number;
  /** One more step; its input is the result of the step before. */
  to<B extends [] | unknown[]>(step: (...old: A) => B): Upcasts<B>;
}

/** The result of a chain of upcasts. */
export type ArgumentsOf<Old> = Old extends Upcasts<infer A> ? A : never;

/**
 * Begins a chain of steps for `@Task({ upcast })`. Jobs are stored with the version of their arguments; a build runs those
 * that it has steps for, and leaves newer ones to newer builds.
 * @param step - makes the second version of the arguments out of the first; its parameters are annotated, those of later steps are inferred
 * @param oldest - the version that the step takes: one more each time a first step is taken away, since no jobs of it are left
 * @throws OptionError
 * @example
 * @Task({ upcast: upcast((title: string) => [title, 'en']).to((text, lang) => [{ text, lang }]) })
 * rename(title: Title): void { … }
 */
export function upcast<A extends unknown[], B extends [] | unknown[]>(step: (...old: A) => B, oldest: number = FIRST_VERSION): Upcasts<B> {
  checkOption('`upcast`', 'oldest', oldest, is.count);
  return new UpcastChain(oldest, [checked(step)]) as unknown as Upcasts<B>;
}

export class UpcastChain {
  readonly #steps: readonly Step[];

  constructor(
    readonly oldest: number,
    steps: readonly Step[],
  ) {
    this.#steps = steps;
    Object.freeze(this);
  }

  get version(): number {
    return this.oldest + this.#steps.length;
  }

  to(step: Step): UpcastChain {
    return new UpcastChain(this.oldest, [...this.#steps, checked(step)]);
  }

  /** Today's arguments. @throws what a step throws */
  apply(args: readonly unknown[], version: number = FIRST_VERSION): readonly unknown[] {
    return this.#steps.slice(version - this.oldest).reduce((old: readonly unknown[], step) => {
      const next: unknown = step(...(old as never[]));
      if (!Array.isArray(next)) throw new OptionError('a step of `upcast` must return an array of arguments');
      return next;
    }, args);
  }
}

function checked(step: unknown): Step {
  checkOption('`upcast`', 'step', step, is.callable);
  return step as Step;
}
