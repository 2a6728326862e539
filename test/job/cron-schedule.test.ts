/** The times of a schedule, also when clocks are changed, and the missed times. */

import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { CronSchedule } from '../../src/job/cron-schedule.js';

const at = (text: string): Date => new Date(text);
const nightly = new CronSchedule('`every`', '30 2 * * *', 'Europe/Berlin');

/** The times between two moments, going forward; going back they must be the same. */
function timesOf(every: string, timeZone: string, [after, until]: readonly [string, string]): readonly string[] {
  const timetable = new CronSchedule('`every`', every, timeZone);
  const times: Date[] = [];
  for (let next = timetable.next(at(after)); next !== undefined && next <= at(until); next = timetable.next(next)) times.push(next);
  expect(timetable.occurrences(at(after), at(until), 'all').at).toEqual(times);
  return times.map((time) => time.toISOString().slice(11, 16));
}

describe('a timetable', () => {
  it('is read in its time zone', () => {
    expect(nightly.next(at('2026-01-10T12:00:00Z'))).toEqual(at('2026-01-11T01:30:00Z'));
    expect(nightly.next(at('2026-07-10T12:00:00Z'))).toEqual(at('2026-07-11T00:30:00Z'));
  });

  it('comes once on the nights on which clocks are changed', () => {
    const nights = (from: string, to: string): readonly Date[] => nightly.occurrences(at(from), at(to), 'all').at;
    expect(nights('2026-03-28T12:00:00Z', '2026-03-29T12:00:00Z')).toHaveLength(1);
    expect(nights('2026-10-24T12:00:00Z', '2026-10-25T12:00:00Z')).toHaveLength(1);
  });

  const SPRING = ['2026-03-28T22:05:00Z', '2026-03-29T04:05:00Z'] as const;
  const AUTUMN = ['2026-10-24T22:05:00Z', '2026-10-25T04:05:00Z'] as const;

  it.each<[string, string, readonly string[]]>([
    ['one time', '30 2 * * *', ['01:00']],
    ['several times', '0,30 2 * * *', ['01:00']],
    ['times in steps', '*/15 2 * * *', ['01:00']],
    ['a time there, and one before', '30 1,2 * * *', ['00:30', '01:00']],
    ['a time there, and the change itself', '0 2,3 * * *', ['01:00']],
    ['every other hour', '0 */2 * * *', ['23:00', '01:00', '02:00', '04:00']],
    ['each hour', '30 * * * *', ['22:30', '23:30', '00:30', '01:30', '02:30', '03:30']],
    ['each of some hours', '0 1-4 * * *', ['00:00', '01:00', '02:00']],
  ])('makes up at once for a time that is missing in the night in which clocks are put forward: %s', (_what, every, hours) => {
    expect(timesOf(every, 'Europe/Berlin', SPRING)).toEqual(hours);
  });

  it.each<[string, string, readonly string[]]>([
    ['one time', '30 2 * * *', ['00:30']],
    ['several times', '0,30 2 * * *', ['00:00', '00:30']],
    ['a time there, and one after', '0 2,3 * * *', ['00:00', '02:00']],
    ['each hour', '30 * * * *', ['22:30', '23:30', '00:30', '01:30', '02:30', '03:30']],
  ])('comes once where clocks are put back, though its time comes twice: %s', (_what, every, hours) => {
    expect(timesOf(every, 'Europe/Berlin', AUTUMN)).toEqual(hours);
  });

  it('makes up for times that a shift of half an hour skips, and at the start of a day without a midnight', () => {
    expect(timesOf('0,15 2 * * *', 'Australia/Lord_Howe', ['2026-10-03T14:05:00Z', '2026-10-03T17:05:00Z'])).toEqual(['15:30']);
    expect(timesOf('0,30 0 * * *', 'Asia/Beirut', ['2026-03-28T12:00:00Z', '2026-03-29T12:00:00Z'])).toEqual(['22:00']);
  });

  it.each(['Asia/Tokyo', 'America/New_York'])('is read in UTC where no time zone is given, also in a process in %s', (zone) => {
    vi.stubEnv('TZ', zone);
    onTestFinished(() => {
      vi.unstubAllEnvs();
    });
    expect(new Date(2026, 0, 1).toISOString()).not.toBe('2026-01-01T00:00:00.000Z');
    const [own, inUtc] = [new CronSchedule('`every`', '30 2 * * *'), new CronSchedule('`every`', '30 2 * * *', 'UTC')];
    expect([own.text, own.next(at('2026-07-10T12:00:00Z'))]).toEqual([inUtc.text, at('2026-07-11T02:30:00Z')]);
  });

  it('gives the last of several times that were missed, each of them, or none', () => {
    const hourly = new CronSchedule('`every`', '0 * * * *', 'UTC');
    const [after, now] = [at('2026-01-01T00:00:00Z'), at('2026-01-01T03:30:00Z')];
    const last = at('2026-01-01T03:00:00Z');
    expect(hourly.occurrences(after, now, 'once')).toEqual({ at: [last], until: last });
    expect(hourly.occurrences(after, now, 'skip')).toEqual({ at: [], until: last });
    expect(hourly.occurrences(after, at('2026-01-01T03:00:30Z'), 'skip')).toEqual({ at: [last], until: last });
    expect(hourly.occurrences(after, now, 'all').at).toHaveLength(3);
    expect(hourly.occurrences(after, after, 'all')).toEqual({ at: [], until: after });
  });

  it('makes up for the last thousand times at most', () => {
    const often = new CronSchedule('`every`', '* * * * * *', 'UTC');
    const { at: times, until } = often.occurrences(at('2026-01-01T00:00:00Z'), at('2026-01-01T01:00:00Z'), 'all');
    expect([times.length, times.at(-1), until]).toEqual([1_000, at('2026-01-01T01:00:00Z'), at('2026-01-01T01:00:00Z')]);
  });

  it.each(['once', 'skip', 'all'] as const)(
    'that was left alone for a year keeps the process from its work for no second: %s',
    (missed) => {
      const minutely = new CronSchedule('`every`', '* * * * *', 'UTC');
      const began = performance.now();
      const { at: times, until } = minutely.occurrences(at('2030-01-01T00:00:00Z'), at('2031-01-01T00:00:30Z'), missed);
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
    expect(() => new CronSchedule('`every`', every, timeZone)).toThrow(message);
  });
});
