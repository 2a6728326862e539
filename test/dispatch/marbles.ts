/** The shared set-up of marble tests: a scheduler, its own clock, and a store with only the methods that a test needs. */

import { asapScheduler, map, NEVER, type Observable, observeOn, timer } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { expect } from 'vitest';
import type { Clock } from '../../src/clock.js';
import type { JobStore } from '../../src/store/job-store.js';

export type Marbles = Parameters<Parameters<TestScheduler['run']>[0]>[0] & { readonly clock: Clock };

/** Runs a marble test; a turn of the event loop takes one frame. */
export function marbles(test: (helpers: Marbles) => void): void {
  const scheduler = new TestScheduler((actual, expected) => expect(actual).toEqual(expected));
  scheduler.run((helpers) => {
    const clock = { now: () => scheduler.now(), scheduler, turn: () => timer(1, scheduler).pipe(map(() => undefined)) };
    test({ ...helpers, clock });
  });
}

/** A marble test's replacement for a promise: it answers in the same frame but not at once, and `from` takes it as well. */
export function answer<T>(observable: Observable<T>): Promise<T> {
  return observable.pipe(observeOn(asapScheduler)) as unknown as Promise<T>;
}

/** A store that has only the methods given; all others must not be called. */
export function storeOf(methods: Partial<JobStore>): JobStore {
  return { changes: () => NEVER, ...methods } as JobStore;
}
