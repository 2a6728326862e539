/** Schedules go by the time of the store, which is looked at anew with each poll. */

import { firstValueFrom } from 'rxjs';
import { expect, it, onTestFinished } from 'vitest';
import { type Clock, nextTurn } from '../../src/clock.js';
import { runSchedules } from '../../src/dispatch/scheduler.js';
import { CronSchedule } from '../../src/job/cron-schedule.js';
import type { JobTree } from '../../src/job/job-record.js';
import type { Schedules } from '../../src/store/job-store.js';
import { VirtualClock } from '../../src/testing/index.js';
import { silent } from '../support/silent.js';
import { storeOf } from './marbles.js';

const HOUR = 3_600_000;
const POLL_MS = 30_000;
const START = Date.UTC(2030, 0, 1, 0, 30);

/** An hourly schedule of a process, over a store whose time is not that of the process. */
function hourly() {
  const virtual = new VirtualClock(new Date(START));
  const set = { store: 0, process: 0 };
  const clock: Clock = { now: () => virtual.now() + set.process, scheduler: virtual.scheduler, turn: () => virtual.turn() };
  const storeNow = (): Date => new Date(virtual.now() + set.store);
  const fired: string[] = [];
  let firedUntil: Date | undefined;
  const schedules: Schedules = {
    now: async () => storeNow(),
    begin: async (_name, since) => {
      firedUntil ??= since;
      return firedUntil;
    },
    fire: async (_name, { after, until }) => {
      if (after.getTime() !== firedUntil?.getTime() || until > storeNow()) return false;
      firedUntil = until;
      fired.push(until.toISOString().slice(11, 16));
      return true;
    },
  };
  const schedule = {
    name: 'hourly',
    timetable: new CronSchedule('`every`', '0 * * * *', 'UTC'),
    missed: 'once' as const,
    tree: () => [] as unknown as JobTree,
  };
  const running = runSchedules({
    store: storeOf({ schedules }),
    clock,
    pollMs: POLL_MS,
    logger: silent,
    schedules: [schedule],
  }).subscribe();
  onTestFinished(() => running.unsubscribe());
  const settle = async (): Promise<void> => {
    for (let turns = 0; turns < 5; turns++) await firstValueFrom(nextTurn());
  };
  return { set, fired, pass: (ms: number) => virtual.advance(ms, settle) };
}

it('a schedule fires within a poll after a sleep of the machine, in which no timer moved on', async () => {
  const { set, fired, pass } = hourly();
  await pass(60_000);
  set.store += 2 * HOUR;
  set.process += 2 * HOUR;
  await pass(POLL_MS);
  expect(fired).toEqual(['02:00']);
  await pass(HOUR);
  expect(fired).toEqual(['02:00', '03:00']);
});

it.each([
  ['ahead', HOUR],
  ['behind', -HOUR],
])('a schedule fires at its times by the clock of the store where that of the process is an hour %s', async (_what, ms) => {
  const { set, fired, pass } = hourly();
  set.process = ms;
  await pass(HOUR);
  expect(fired).toEqual(['01:00']);
});

it('a schedule is not silenced by a process whose clock is ahead for some seconds', async () => {
  const { set, fired, pass } = hourly();
  set.process = HOUR;
  await pass(3_000);
  set.process = 0;
  await pass(2 * HOUR);
  expect(fired).toEqual(['01:00', '02:00']);
});

it('a schedule fires when the time of the store is set back, not before its next time comes again', async () => {
  const { set, fired, pass } = hourly();
  await pass(20 * 60_000);
  set.store = -20 * 60_000;
  await pass(29 * 60_000);
  expect(fired).toEqual([]);
  await pass(60_000);
  expect(fired).toEqual(['01:00']);
});
