/** New attempts whose recording was not answered: they are recognised when they are asked for again. */

import type { Document } from 'mongodb';
import { describe, expect, it } from 'vitest';
import { currentTask, fixedDelay, RetryLater, task } from '../../../src/index.js';
import { VirtualClock } from '../../../src/testing/index.js';
import { Processes } from './processes.js';

const processes = await Processes.forTests('lost-reschedules');
/** Rare, so that nothing but the answers that are lost brings the job back. */
const RARE_SIGNS = { leaseMs: 86_400_000, heartbeatMs: 21_600_000, pollMs: 21_600_000 } as const;
/** By the server's clock, which the test does not move. */
const LATER_MS = 86_400_000;
/** When a write that failed is sent again. */
const WRITTEN_AGAIN_MS = 1_000;

/** Only a reschedule counts the failures of a job that is active. */
const isReschedule = ({ findAndModify, query, update }: Document): boolean =>
  findAndModify === 'millrace.jobs' && query.status === 'active' && JSON.stringify(update).includes('"failures"');

describe.skipIf(processes.faults === undefined)('a job whose next attempt is recorded, and not answered', () => {
  it.each([
    ['at once', 'failed', 0, () => new TypeError('not yet'), ['started 2'], 'completed'],
    ['after a delay', 'failed', LATER_MS, () => new TypeError('not yet'), [], 'scheduled'],
    ['later, as its task asked', 'retry-later', LATER_MS, () => new RetryLater(LATER_MS), [], 'scheduled'],
  ] as const)('is reported as retrying, once: %s', async (_when, because, delayMs, error, then, status) => {
    const clock = new VirtualClock();
    const flaky = task('flaky', { quotas: [], retry: fixedDelay({ delayMs }) }, () => {
      if (currentTask().attempt === 1) throw error();
    });
    const { async } = await processes.start({ tasks: [flaky], clock, dispatcher: RARE_SIGNS });
    const seen: string[] = [];
    async.events.started.subscribe((event) => seen.push(`started ${event.job.attempt}`));
    async.events.retrying.subscribe((event) => seen.push(`retrying ${event.because} ${event.delayMs}`));
    // The driver sends it once more by itself.
    let lost = 0;
    if (processes.faults !== undefined)
      processes.faults.intercept = (command) => (isReschedule(command) && lost++ < 2 ? 'lose answer' : undefined);
    const job = await async.queueJob(flaky);
    await processes.quiet();
    const before = [...seen];
    await clock.advance(WRITTEN_AGAIN_MS, () => processes.quiet());
    await processes.until(async () => (await job.refresh()).status === status);
    expect(before).toEqual(['started 1']);
    expect(seen).toEqual(['started 1', `retrying ${because} ${delayMs}`, ...then]);
  });
});
