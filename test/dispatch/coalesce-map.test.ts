import { NEVER, of, Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { coalesceMap } from '../../src/dispatch/coalesce-map.js';
import { marbles } from './marbles.js';

describe('coalesceMap', () => {
  it('runs for the first value at once, and once more for all that came during the run', () => {
    marbles(({ cold, hot, expectObservable }) => {
      const source = hot('-a-b-c---------d------|');
      const runs = (value: string) => cold('----x|', { x: value });
      expectObservable(source.pipe(coalesceMap(runs))).toBe('-----a----c--------d--|');
    });
  });

  it('never has two runs under way', () => {
    marbles(({ cold, hot, expectObservable, expectSubscriptions }) => {
      const run = cold('---|');
      expectObservable(hot('-abcd|').pipe(coalesceMap(() => run))).toBe('-------|');
      expectSubscriptions(run.subscriptions).toBe(['-^--!', '----^--!']);
    });
  });

  it('runs again at once for a value that comes at the moment a run ends', () => {
    marbles(({ cold, hot, expectObservable, expectSubscriptions }) => {
      const run = cold('---|');
      expectObservable(hot('-a--b----|').pipe(coalesceMap(() => run))).toBe('---------|');
      expectSubscriptions(run.subscriptions).toBe(['-^--!', '----^--!']);
    });
  });

  it('completes after the run that was still owed when its source completed', () => {
    marbles(({ cold, hot, expectObservable }) => {
      expectObservable(hot('-a-b|').pipe(coalesceMap((value) => cold('----x|', { x: value })))).toBe('-----a----b|');
    });
  });

  it('goes on after a run without a value', () => {
    marbles(({ cold, hot, expectObservable }) => {
      const runs = (value: string) => (value === 'b' ? cold('--x|', { x: value }) : cold<string>('--|'));
      expectObservable(hot('-a---b----|').pipe(coalesceMap(runs))).toBe('-------b--|');
    });
  });

  it('goes on after runs that end at once', () => {
    const source = new Subject<number>();
    const seen: number[] = [];
    source.pipe(coalesceMap((value) => of(value))).subscribe((value) => seen.push(value));
    for (const value of [1, 2, 3]) source.next(value);
    expect(seen).toEqual([1, 2, 3]);
  });

  it('passes on the error of a run, and that of a run which cannot even begin', () => {
    marbles(({ cold, hot, expectObservable, expectSubscriptions }) => {
      const source = hot('-a-b');
      expectObservable(source.pipe(coalesceMap(() => cold('--#')))).toBe('---#');
      expectSubscriptions(source.subscriptions).toBe('^--!');
      const broken = (): never => {
        throw 'broken';
      };
      expectObservable(hot('-a-b').pipe(coalesceMap(broken))).toBe('-#', undefined, 'broken');
    });
  });

  it('passes on the error of its source during a run', () => {
    marbles(({ cold, hot, expectObservable, expectSubscriptions }) => {
      const run = cold('-----|');
      expectObservable(hot('-a-#').pipe(coalesceMap(() => run))).toBe('---#');
      expectSubscriptions(run.subscriptions).toBe('-^-!');
    });
  });

  it('ends the run and its source on unsubscription, without a run for waiting values', () => {
    marbles(({ cold, hot, expectObservable, expectSubscriptions }) => {
      const source = hot('-a-b--');
      const run = cold('-----|');
      expectObservable(source.pipe(coalesceMap(() => run)), '^---!').toBe('-----');
      expectSubscriptions(source.subscriptions).toBe('^---!');
      expectSubscriptions(run.subscriptions).toBe('-^--!');
    });
  });

  it('keeps the runs of two subscribers apart', () => {
    let runs = 0;
    const source = new Subject<void>();
    const mapped = source.pipe(
      coalesceMap(() => {
        runs++;
        return NEVER;
      }),
    );
    const subscriptions = [mapped.subscribe(), mapped.subscribe()];
    source.next();
    expect(runs).toBe(2);
    for (const subscription of subscriptions) subscription.unsubscribe();
  });
});
