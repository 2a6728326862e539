/** When something recurs, also when clocks are changed, and what was missed. */

import { describe, expect, it } from 'vitest';
import { Timetable } from '../../src/job/timetable.js';

const at = (text: string): Date => new Date(text);
const nightly = new Timetable('`every`', '30 2 * * *', 'Europe/Berlin');

describe('a timetable', () => {
  it('is read in its time zone', () => {
    expect(nightly.next(at('2026-01-10T12:00:00Z'))).toEqual(at('2026-01-11T01:30:00Z'));
    expect(nightly.next(at('2026-07-10T12:00:00Z'))).toEqual(at('2026-07-11T00:30:00Z'));
  });

  it('comes once on the nights on which clocks are changed', () => {
    const nights = (from: string, to: string): readonly Date[] => nightly.firings(at(from), at(to), 'all').at;
    expect(nights('2026-03-28T12:00:00Z', '2026-03-29T12:00:00Z')).toHaveLength(1);
    expect(nights('2026-10-24T12:00:00Z', '2026-10-25T12:00:00Z')).toHaveLength(1);
  });

  it('gives the last of several times that were missed, each of them, or none', () => {
    const hourly = new Timetable('`every`', '0 * * * *', 'UTC');
    const [after, now] = [at('2026-01-01T00:00:00Z'), at('2026-01-01T03:30:00Z')];
    const last = at('2026-01-01T03:00:00Z');
    expect(hourly.firings(after, now, 'once')).toEqual({ at: [last], until: last });
    expect(hourly.firings(after, now, 'skip')).toEqual({ at: [], until: last });
    expect(hourly.firings(after, at('2026-01-01T03:00:30Z'), 'skip')).toEqual({ at: [last], until: last });
    expect(hourly.firings(after, now, 'all').at).toHaveLength(3);
    expect(hourly.firings(after, after, 'all')).toEqual({ at: [], until: after });
  });

  it('makes up for the last thousand times at most', () => {
    const often = new Timetable('`every`', '* * * * * *', 'UTC');
    const { at: times, until } = often.firings(at('2026-01-01T00:00:00Z'), at('2026-01-01T01:00:00Z'), 'all');
    expect([times.length, times.at(-1), until]).toEqual([1_000, at('2026-01-01T01:00:00Z'), at('2026-01-01T01:00:00Z')]);
  });

  it.each(['once', 'skip', 'all'] as const)(
    'that was left alone for a year keeps the process from its work for no second: %s',
    (missed) => {
      const minutely = new Timetable('`every`', '* * * * *', 'UTC');
      const began = performance.now();
      const { at: times, until } = minutely.firings(at('2030-01-01T00:00:00Z'), at('2031-01-01T00:00:30Z'), missed);
      expect(performance.now() - began).toBeLessThan(1_000);
      expect([times.at(-1), until]).toEqual([at('2031-01-01T00:00:00Z'), at('2031-01-01T00:00:00Z')]);
    },
  );

  it.each([
    ['nonsense', undefined, 'exactly five'],
    ['61 * * * *', undefined, 'Invalid value for minute'],
    ['0 3 * * *', 'Mars/Olympus', 'Mars/Olympus'],
    ['0 0 31 2 *', 'UTC', "is '0 0 31 2 *', which never comes"],
  ])('is refused for %s in %s', (every, timeZone, message) => {
    expect(() => new Timetable('`every`', every, timeZone)).toThrow(message);
  });
});
