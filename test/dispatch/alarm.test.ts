import { map, NEVER, of } from 'rxjs';
import { describe, expect, it, vi } from 'vitest';
import { alarm } from '../../src/dispatch/alarm.js';
import { VirtualClock } from '../../src/testing/index.js';
import { marbles } from './marbles.js';

const at = (ms: number): Date => new Date(ms);

describe('alarm', () => {
  it('rings when the time has come, once', () => {
    marbles(({ hot, clock, expectObservable }) => {
      expectObservable(hot('-a-', { a: at(5) }).pipe(alarm(clock))).toBe('-----r', { r: undefined });
    });
  });

  it('rings for the earliest of several times, and forgets the later ones', () => {
    marbles(({ hot, clock, expectObservable }) => {
      const times = hot('-abc-', { a: at(9), b: at(6), c: at(8) });
      expectObservable(times.pipe(alarm(clock))).toBe('------r', { r: undefined });
    });
  });

  it('rings once for a time that it is told again', () => {
    marbles(({ hot, clock, expectObservable }) => {
      expectObservable(hot('-aaa-', { a: at(6) }).pipe(alarm(clock))).toBe('------r', { r: undefined });
    });
  });

  it('rings at once for a time that is past', () => {
    marbles(({ hot, clock, expectObservable }) => {
      expectObservable(hot('----a', { a: at(2) }).pipe(alarm(clock))).toBe('----r', { r: undefined });
    });
  });

  it('rings again for a time told after it rang, earlier or later', () => {
    marbles(({ hot, clock, expectObservable }) => {
      const times = hot('-a---b-c--', { a: at(3), b: at(9), c: at(3) });
      expectObservable(times.pipe(alarm(clock))).toBe('---r---r--', { r: undefined });
    });
  });

  it('rings for a time told before its source completed', () => {
    marbles(({ hot, clock, expectObservable }) => {
      expectObservable(hot('-(a|)', { a: at(5) }).pipe(alarm(clock)), '^------!').toBe('-----r', { r: undefined });
    });
  });

  it('passes on the error of its source, and rings no more', () => {
    marbles(({ hot, clock, expectObservable }) => {
      expectObservable(hot('-a-#', { a: at(9) }).pipe(alarm(clock))).toBe('---#');
    });
  });

  it('rings no more once it is unsubscribed from, and leaves no timer', () => {
    const clock = new VirtualClock();
    const source = of(at(clock.now() + 1_000));
    const rung = vi.fn();
    const subscription = source.pipe(alarm(clock)).subscribe(rung);
    expect(clock.scheduler.actions).toHaveLength(1);
    subscription.unsubscribe();
    expect(clock.scheduler.actions).toHaveLength(0);
    expect(rung).not.toHaveBeenCalled();
  });

  it.each([
    ['back', -3_600_000],
    ['forward', 3_600_000],
  ])('rings for the earliest where the clock is set %s between two times that it is told', (_what, ms) => {
    marbles(({ hot, clock, expectObservable }) => {
      const told = [5, 9, 2].map((inMs, index) => ({ inMs, setMs: index === 0 ? 0 : ms }));
      let setMs = 0;
      const settable = { ...clock, now: () => clock.now() + setMs };
      const times = hot('-abc', { a: told[0], b: told[1], c: told[2] }).pipe(
        map((one) => {
          setMs = one?.setMs ?? 0;
          return at(settable.now() + (one?.inMs ?? 0));
        }),
      );
      expectObservable(times.pipe(alarm(settable))).toBe('-----r', { r: undefined });
    });
  });

  it('rings early for a time further off than a timer can wait, instead of at once', () => {
    const clock = new VirtualClock();
    const scheduled = vi.spyOn(clock.scheduler, 'schedule');
    const subscription = of(at(clock.now() + 2 ** 40))
      .pipe(alarm(clock))
      .subscribe();
    expect(scheduled.mock.calls.map(([, delay]) => delay)).toEqual([2 ** 31 - 1]);
    subscription.unsubscribe();
  });

  it('unsubscribes from its source', () => {
    marbles(({ hot, clock, expectObservable, expectSubscriptions }) => {
      const times = hot('-a', { a: at(9) });
      expectObservable(times.pipe(alarm(clock)), '^--!').toBe('----');
      expectSubscriptions(times.subscriptions).toBe('^--!');
      expectObservable(NEVER.pipe(alarm(clock)), '^--!').toBe('----');
    });
  });
});
