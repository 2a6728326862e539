/** Times go by the clock of the database, whatever that of a process says. */

import { type Document, ObjectId } from 'mongodb';
import { afterEach, describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../../src/clock.js';
import { makeJob, task } from '../../../src/index.js';
import { Processes } from './processes.js';

const processes = await Processes.forTests('skewed-clocks');

afterEach(() => {
  if (processes.faults !== undefined) processes.faults.clockOffsetMs = 0;
});

const DELAY_MS = 1_000;
const HOUR = 3_600_000;
/** A process without notifications waits this long for its next look. */
const POLL_MS = 30_000;
/** A few for the job, its end and what the process does by the way; looking again and again takes hundreds. */
const MOST_COMMANDS = 40;

const skewed = (aheadMs: number): Clock => ({ ...systemClock, now: () => systemClock.now() + aheadMs });

it.each([
  ['right', 0],
  ['an hour ahead', HOUR],
  ['an hour behind', -HOUR],
])('a delayed job begins in its time, and costs no more, where the clock of its process is %s', async (_what, aheadMs) => {
  const due = task('due', { quotas: [] }, () => systemClock.now());
  const { async } = await processes.start({ tasks: [due], clock: skewed(aheadMs), dispatcher: { pollMs: POLL_MS } });
  const queuedAt = systemClock.now();
  let afterMs = 0;
  const names = await processes.during(async () => {
    const job = await async.queueJob(makeJob(due).with({ delayMs: DELAY_MS }));
    afterMs = (await job.waitForResult()) - queuedAt;
  });
  expect(afterMs).toBeGreaterThanOrEqual(DELAY_MS);
  expect(afterMs).toBeLessThan(POLL_MS / 3);
  expect(names.length).toBeLessThan(MOST_COMMANDS);
});

it('a job of another process that is not started in time expires then, where both clocks are wrong', async () => {
  const late = task('late', { quotas: [] }, () => 42);
  await processes.start({ clock: skewed(-HOUR), dispatcher: { pollMs: POLL_MS } });
  const { async } = await processes.start({ tasks: [late], clock: skewed(HOUR), dispatcher: false });
  const job = await async.queueJob(makeJob(late).with({ beginBy: new Date(systemClock.now() + DELAY_MS) }));
  expect(await job.waitForOutcome({ timeoutMs: POLL_MS / 3 })).toMatchObject({ status: 'failed', error: { name: 'ExpiredError' } });
});

/** The clock of a process that is set while it runs. */
function settable(): { readonly clock: Clock; readonly set: (ms: number) => void } {
  let setMs = 0;
  const set = (ms: number): void => {
    setMs += ms;
  };
  return { clock: { ...systemClock, now: () => systemClock.now() + setMs }, set };
}

const SET = [
  ['set back', -HOUR],
  ['set forward', HOUR],
] as const;

const work = task('work', { quotas: [] }, () => 42);
const MINUTE = 60_000;
/** How long a busy machine may need for a few commands. */
const SOON_MS = 20_000;

async function stored({ id }: { readonly id: string }): Promise<Document> {
  return (await processes.collection('jobs').findOne({ _id: new ObjectId(id) })) ?? {};
}

describe('the clock of a process that only queues', () => {
  it.each(SET)('is %s: a delay still counts from the time of the database', async (_what, ms) => {
    const { clock, set } = settable();
    const { async } = await processes.start({ tasks: [work], clock, dispatcher: false });
    set(ms);
    const from = systemClock.now();
    const { dueAt, queuedAt } = await stored(await async.queueJob(makeJob(work).with({ delayMs: MINUTE })));
    expect(dueAt.getTime() - queuedAt.getTime()).toBe(MINUTE);
    expect(Math.abs(queuedAt.getTime() - from)).toBeLessThan(SOON_MS);
  });

  it.each(SET)('is %s: a unique key is taken for its time, and no longer', async (_what, ms) => {
    const { clock, set } = settable();
    const { async } = await processes.start({ tasks: [work], clock, dispatcher: false });
    const queue = (uniqueKey: string, uniqueFor: number) => async.queueJob(makeJob(work).with({ uniqueKey, uniqueFor }));
    const [long] = [await queue('long', 10 * MINUTE), await queue('short', 1)];
    set(ms);
    expect((await queue('long', 10 * MINUTE)).id).toBe(long.id);
    expect((await queue('short', 1)).isExisting).toBe(false);
  });
});

it.runIf(processes.faults !== undefined)(
  'nothing comes due before its time where the clock of the database itself is set back',
  async () => {
    const { async, store } = await processes.start({ tasks: [work], dispatcher: false });
    const delayed = await async.queueJob(makeJob(work).with({ delayMs: 1 }));
    const limited = await async.queueJob(makeJob(work).with({ beginBy: new Date(systemClock.now() + 1) }));
    if (processes.faults !== undefined) processes.faults.clockOffsetMs = -HOUR;
    await store.recover('somebody');
    const { nextAt } = await store.recover('somebody');
    expect([await stored(delayed), await stored(limited)]).toMatchObject([{ status: 'scheduled' }, { status: 'pending' }]);
    expect((nextAt?.getTime() ?? 0) - systemClock.now()).toBeGreaterThan(HOUR / 2);
  },
);

it.runIf(processes.faults !== undefined)('a job is queued though the connection is lost over the question what time it is', async () => {
  const { clock, set } = settable();
  const { async } = await processes.start({ tasks: [work], clock, dispatcher: false });
  set(HOUR);
  const struck = processes.strike((command) => 'hello' in command && command['$db'] !== 'admin', 'close');
  const { queuedAt } = await stored(await async.queueJob(work));
  await struck;
  expect(Math.abs(queuedAt.getTime() - systemClock.now())).toBeLessThan(SOON_MS);
});

describe('the clock of a process that works', () => {
  it('is set forward: it promotes and expires nothing of others before its time', async () => {
    const { clock, set } = settable();
    const { async } = await processes.start({ tasks: [work], dispatcher: false });
    const { store } = await processes.start({ clock, dispatcher: { pollMs: POLL_MS } });
    const delayed = await async.queueJob(makeJob(work).with({ delayMs: 10 * MINUTE }));
    const limited = await async.queueJob(makeJob(work).with({ beginBy: new Date(systemClock.now() + 10 * MINUTE) }));
    set(HOUR);
    await store.recover('somebody');
    expect([await stored(delayed), await stored(limited)]).toMatchObject([{ status: 'scheduled' }, { status: 'pending' }]);
  });

  it.each(SET)('is %s: schedules still go by the time of the database, and nothing is fired before it', async (_what, ms) => {
    const { clock, set } = settable();
    const { store } = await processes.start({ tasks: [work], clock, dispatcher: false });
    set(ms);
    const now = await store.schedules.now();
    expect(Math.abs(now.getTime() - systemClock.now())).toBeLessThan(SOON_MS);
    const after = await store.schedules.begin('nightly', now);
    const until = new Date(now.getTime() + HOUR);
    expect(await store.schedules.fire('nightly', { after, until }, [])).toBe(false);
    expect(await store.schedules.begin('nightly', until)).toEqual(after);
  });

  it.runIf(processes.faults !== undefined)(
    'goes on after a sleep of the machine: what came due meanwhile runs with the next look',
    async () => {
      const { clock, set } = settable();
      const { async, store } = await processes.start({ tasks: [work], clock, dispatcher: { pollMs: POLL_MS } });
      const job = await async.queueJob(makeJob(work).with({ delayMs: 30 * MINUTE }));
      sleep(HOUR, set);
      await store.recover('somebody');
      expect(await job.waitForResult()).toBe(42);
    },
  );

  it.runIf(processes.faults !== undefined)('knows the time of the database before the next job is queued after a sleep', async () => {
    const { clock, set } = settable();
    const { async } = await processes.start({ tasks: [work], clock, dispatcher: false });
    sleep(HOUR, set);
    const { queuedAt } = await stored(await async.queueJob(work));
    expect(Math.abs(queuedAt.getTime() - systemClock.now() - HOUR)).toBeLessThan(SOON_MS);
  });
});

/** The whole machine slept: no timer has moved on, and only the clocks know the elapsed time. */
function sleep(ms: number, set: (ms: number) => void): void {
  set(ms);
  const { faults } = processes;
  if (faults !== undefined) faults.clockOffsetMs += ms;
}
