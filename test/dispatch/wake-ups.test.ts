import { NEVER } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { wakeUps } from '../../src/dispatch/wake-ups.js';
import type { ChangeFilter, StoreChange } from '../../src/store/store-changes.js';
import { marbles, storeOf } from './marbles.js';

const wake = { w: undefined };
const work: StoreChange = { type: 'work' };

describe('wakeUps', () => {
  it('wakes at once, so that a first look is taken', () => {
    marbles(({ clock, expectObservable }) => {
      const store = storeOf({ changes: () => NEVER });
      expectObservable(wakeUps({ store, queue: 'q', clock, pollMs: 1_000 }), '^ 10ms !').toBe('w', wake);
    });
  });

  it('wakes for work in its queue, and for nothing else', () => {
    marbles(({ hot, clock, expectObservable }) => {
      const interests: ChangeFilter[] = [];
      const news = hot<StoreChange>('--w-d-w', { w: work, d: { type: 'due', at: new Date(5) } });
      const store = storeOf({
        changes: (interest) => {
          interests.push(interest);
          return news;
        },
      });
      expectObservable(wakeUps({ store, queue: 'letters', clock, pollMs: 1_000 }), '^ 10ms !').toBe('w-w---w', wake);
      expect(interests).toEqual([{ work: 'letters' }]);
    });
  });

  it('wakes now and then without news', () => {
    marbles(({ clock, expectObservable }) => {
      const store = storeOf({ changes: () => NEVER });
      expectObservable(wakeUps({ store, queue: '', clock, pollMs: 4 }), '^---------!').toBe('w---w---w', wake);
    });
  });

  it('goes on polling when the news have completed', () => {
    marbles(({ hot, clock, expectObservable }) => {
      const store = storeOf({ changes: () => hot<StoreChange>('-|') });
      expectObservable(wakeUps({ store, queue: '', clock, pollMs: 3 }), '^------!').toBe('w--w--w', wake);
    });
  });

  it('unsubscribes from the news', () => {
    marbles(({ hot, clock, expectObservable, expectSubscriptions }) => {
      const news = hot<StoreChange>('--w---', { w: work });
      expectObservable(wakeUps({ store: storeOf({ changes: () => news }), queue: '', clock, pollMs: 100 }), '^---!').toBe('w-w', wake);
      expectSubscriptions(news.subscriptions).toBe('^---!');
    });
  });
});
