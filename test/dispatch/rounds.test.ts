import { NEVER, type Observable, of, throwError } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { runMaintenance } from '../../src/dispatch/maintenance.js';
import type { StoreChange } from '../../src/store/store-changes.js';
import type { RecoveryResult } from '../../src/store/store-messages.js';
import { answer, type Marbles, marbles, storeOf } from './marbles.js';

const due = (at: number): StoreChange => ({ type: 'due', at: new Date(at) });
const next = (at: number): RecoveryResult => ({ nextAt: new Date(at) });

/** Rounds over a store that answers as the test says, by the time it is asked at. */
function roundsWith(
  { clock }: Marbles,
  reply: (at: number) => Observable<RecoveryResult>,
  news: Observable<StoreChange> = NEVER,
  pollMs = 1_000,
) {
  const asked: number[] = [];
  const store = storeOf({
    changes: () => news,
    recover: () => {
      asked.push(clock.now());
      return answer(reply(clock.now()));
    },
  });
  return { asked, recoveries: runMaintenance({ store, clock, dispatcher: 'd', pollMs }) };
}

describe('rounds', () => {
  it('goes round at once, and now and then without a reason', () => {
    marbles((helpers) => {
      const { asked, recoveries } = roundsWith(helpers, () => of({}), NEVER, 10);
      helpers.expectObservable(recoveries, '^ 25ms !').toBe('r 9ms r 9ms r', { r: {} });
      helpers.flush();
      expect(asked).toEqual([0, 10, 20]);
    });
  });

  it('runs when a job is due that the last round announced', () => {
    marbles((helpers) => {
      const { asked, recoveries } = roundsWith(helpers, (at) => of(at < 30 ? next(at + 15) : {}));
      helpers.expectObservable(recoveries, '^ 60ms !').toBe('a 14ms b 14ms c', { a: next(15), b: next(30), c: {} });
      helpers.flush();
      expect(asked).toEqual([0, 15, 30]);
    });
  });

  it('runs for a job that is due earlier than the last round knew', () => {
    marbles((helpers) => {
      const news = helpers.hot<StoreChange>('--n', { n: due(8) });
      const { asked, recoveries } = roundsWith(helpers, (at) => of(at === 0 ? next(15) : {}), news);
      helpers.expectObservable(recoveries, '^ 40ms !').toBe('a 7ms b', { a: next(15), b: {} });
      helpers.flush();
      expect(asked).toEqual([0, 8]);
    });
  });

  it('looks at no other news', () => {
    marbles((helpers) => {
      const { asked, recoveries } = roundsWith(helpers, () => of({}), helpers.hot<StoreChange>('--w', { w: { type: 'work' } }));
      helpers.expectObservable(recoveries, '^ 40ms !').toBe('r', { r: {} });
      helpers.flush();
      expect(asked).toEqual([0]);
    });
  });

  it('has one round under way at a time, and one more for all that came due during it', () => {
    marbles((helpers) => {
      const news = helpers.hot<StoreChange>('-nmo', { n: due(2), m: due(3), o: due(4) });
      const { asked, recoveries } = roundsWith(helpers, () => helpers.cold('----------(r|)', { r: {} }), news);
      helpers.expectObservable(recoveries, '^ 40ms !').toBe('10ms r 9ms r', { r: {} });
      helpers.flush();
      expect(asked).toEqual([0, 10]);
    });
  });

  it('tries again a second after a round that failed', () => {
    marbles((helpers) => {
      const broken = throwError(() => new Error('the store cannot be reached'));
      const { asked, recoveries } = roundsWith(helpers, (at) => (at < 2_000 ? broken : of({})), NEVER, 60_000);
      helpers.expectObservable(recoveries, '^ 3s !').toBe('2s r', { r: {} });
      helpers.flush();
      expect(asked).toEqual([0, 1_000, 2_000]);
    });
  });

  it('runs for a job that came due while rounds failed', () => {
    marbles((helpers) => {
      const broken = throwError(() => new Error('the store cannot be reached'));
      const { asked, recoveries } = roundsWith(helpers, (at) => (at < 1_000 ? broken : of({})), helpers.hot('-n', { n: due(500) }), 60_000);
      helpers.expectObservable(recoveries, '^ 3s !').toBe('1s (rr)', { r: {} });
      helpers.flush();
      expect(asked).toEqual([0, 1_000, 1_000]);
    });
  });

  it('unsubscribes from the news', () => {
    marbles((helpers) => {
      const news = helpers.hot<StoreChange>('----n', { n: due(9) });
      const { recoveries } = roundsWith(helpers, () => of({}), news);
      helpers.expectObservable(recoveries, '^-!').toBe('r', { r: {} });
      helpers.expectSubscriptions(news.subscriptions).toBe('^-!');
    });
  });
});
