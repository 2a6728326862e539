/** Times go by the clock of the database, whatever that of a process says. */

import { expect, it } from 'vitest';
import { type Clock, systemClock } from '../../../src/clock.js';
import { makeJob, task } from '../../../src/index.js';
import { Processes } from './processes.js';

const processes = await Processes.forTests('skewed-clocks');

const DELAY_MS = 1_000;
const HOUR = 3_600_000;
/** So long a process that hears of nothing waits for its next look. */
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
