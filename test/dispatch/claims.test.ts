import { map, type Observable, tap } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { claims } from '../../src/dispatch/claims.js';
import { Slots } from '../../src/dispatch/slots.js';
import type { ClaimedJob } from '../../src/store/store-messages.js';
import { type Marbles, marbles } from './marbles.js';

const job = (id: string): ClaimedJob => ({ job: { id } }) as unknown as ClaimedJob;

/** A queue with a number of jobs, whose claims are answered after a number of frames. */
function queueOf({ cold, clock }: Marbles, waiting: number, frames: string, size: number) {
  const slots = new Slots(size);
  const limits: { readonly at: number; readonly limit: number }[] = [];
  let next = 0;
  const queue = { waiting };
  const claim = (limit: number): Observable<readonly ClaimedJob[]> => {
    limits.push({ at: clock.now(), limit });
    const taken = Math.min(limit, queue.waiting);
    queue.waiting -= taken;
    return cold(`${frames}(x|)`, { x: undefined }).pipe(map(() => Array.from({ length: taken }, () => job(String(next++)))));
  };
  return { slots, limits, queue, operator: claims({ slots, clock, claim }) };
}

const ids = (jobs: Observable<ClaimedJob>) => jobs.pipe(map((claimed) => claimed.job.id));

describe('claims', () => {
  it('claims as many as there are free slots, in the turn after the wake-up', () => {
    marbles((helpers) => {
      const { limits, operator } = queueOf(helpers, 2, '--', 5);
      helpers.expectObservable(ids(helpers.hot<void>('-w').pipe(operator))).toBe('----(01)');
      helpers.flush();
      expect(limits).toEqual([{ at: 2, limit: 5 }]);
    });
  });

  it('counts the free slots when it claims, and not when it was woken', () => {
    marbles((helpers) => {
      const { slots, limits, operator } = queueOf(helpers, 9, '--', 5);
      helpers
        .expectObservable(
          helpers.hot<void>('-w').pipe(
            tap(() => slots.take(3)),
            operator,
            map(() => 'j'),
          ),
        )
        .toBe('----(jj)');
      helpers.flush();
      expect(limits).toEqual([{ at: 2, limit: 2 }]);
    });
  });

  it('never claims without a free slot, and claims when one becomes free', () => {
    marbles((helpers) => {
      const { slots, limits, operator } = queueOf(helpers, 1, '--', 2);
      slots.take(2);
      helpers.hot<void>('----f').subscribe(() => slots.release());
      helpers.expectObservable(ids(helpers.hot<void>('-w').pipe(operator))).toBe('-------0');
      helpers.flush();
      expect(limits).toEqual([{ at: 5, limit: 1 }]);
    });
  });

  it('has one claim under way at a time, and claims once more for all the wake-ups during it', () => {
    marbles((helpers) => {
      const { limits, operator } = queueOf(helpers, 0, '-----', 5);
      helpers.expectObservable(helpers.hot<void>('-w-wwww').pipe(operator)).toBe('');
      helpers.flush();
      expect(limits).toEqual([
        { at: 2, limit: 5 },
        { at: 8, limit: 5 },
      ]);
    });
  });

  it('takes the slots of the claimed jobs before it claims again', () => {
    marbles((helpers) => {
      const { limits, operator } = queueOf(helpers, 3, '---', 5);
      helpers.expectObservable(ids(helpers.hot<void>('-w-w').pipe(operator))).toBe('-----(012)');
      helpers.flush();
      expect(limits.map(({ limit }) => limit)).toEqual([5, 2]);
    });
  });

  it('claims for a freed slot after a claim that came back full', () => {
    marbles((helpers) => {
      const { slots, limits, operator } = queueOf(helpers, 3, '-', 2);
      helpers.hot<void>('-----f').subscribe(() => slots.release());
      helpers.expectObservable(ids(helpers.hot<void>('-w').pipe(operator))).toBe('---(01)2');
      helpers.flush();
      expect(limits).toEqual([
        { at: 2, limit: 2 },
        { at: 6, limit: 1 },
      ]);
    });
  });

  it('does not claim for a freed slot when the last claim came back with less than it asked for', () => {
    marbles((helpers) => {
      const { slots, limits, operator } = queueOf(helpers, 1, '-', 2);
      helpers.hot<void>('-----f').subscribe(() => slots.release());
      helpers.expectObservable(ids(helpers.hot<void>('-w').pipe(operator))).toBe('---0');
      helpers.flush();
      expect(limits).toHaveLength(1);
    });
  });

  it('claims for a slot that became free during a claim that came back full', () => {
    marbles((helpers) => {
      const { slots, limits, operator } = queueOf(helpers, 9, '---', 2);
      slots.take(1);
      helpers.hot<void>('---f').subscribe(() => slots.release());
      helpers
        .expectObservable(
          helpers.hot<void>('-w').pipe(
            operator,
            map(() => 'j'),
          ),
        )
        .toBe('-----j---j');
      helpers.flush();
      expect(limits.map(({ limit }) => limit)).toEqual([1, 1]);
    });
  });

  it('passes on the error of a claim', () => {
    marbles(({ cold, hot, clock, expectObservable }) => {
      const operator = claims({ slots: new Slots(1), clock, claim: () => cold('--#') });
      expectObservable(hot<void>('-w').pipe(operator)).toBe('----#');
    });
  });

  it('leaves the claim, the wake-ups and the slots when it is unsubscribed from', () => {
    marbles(({ cold, hot, clock, expectObservable, expectSubscriptions }) => {
      const slots = new Slots(2);
      const claim = cold<readonly ClaimedJob[]>('-----x|', { x: [job('0')] });
      const source = hot<void>('-w');
      expectObservable(source.pipe(claims({ slots, clock, claim: () => claim })), '^---!').toBe('');
      expectSubscriptions(source.subscriptions).toBe('^---!');
      expectSubscriptions(claim.subscriptions).toBe('--^-!');
    });
  });

  it('takes no slot for a claim that it left', () => {
    marbles((helpers) => {
      const { slots, operator } = queueOf(helpers, 2, '---', 2);
      helpers.expectObservable(helpers.hot<void>('-w').pipe(operator), '^--!').toBe('');
      helpers.flush();
      expect(slots.free).toBe(2);
    });
  });
});

describe('Slots', () => {
  it('has as many free as its size, less those that were taken', () => {
    const slots = new Slots(3);
    slots.take(2);
    expect(slots.free).toBe(1);
    slots.release();
    expect(slots.free).toBe(2);
  });

  it('has the slot free already when it tells so', () => {
    const slots = new Slots(1);
    slots.take(1);
    const free: number[] = [];
    slots.freed.subscribe(() => free.push(slots.free));
    slots.release();
    expect(free).toEqual([1]);
  });
});
