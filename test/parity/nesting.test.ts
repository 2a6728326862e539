/**
 * Jobs below jobs on many levels: to a limit when they are queued, without one when they are added later; nothing walks through them call
 * by call.
 */

import { describe, expect, it } from 'vitest';
import {
  currentTask,
  type Draft,
  type Job,
  makeJob,
  parallel,
  serial,
  system,
  TooLargeError,
  task,
  UnstorableError,
} from '../../src/index.js';
import { MAX_LEVELS } from '../../src/job/job-plan.js';
import { onBothStores, type Process } from '../support/both-stores.js';
import { failureOf } from '../support/deferred.js';

const MORE_LEVELS = MAX_LEVELS + 1;

const work = task('work', { quotas: [] }, () => 1);
const fails = task('fails', { quotas: [] }, (): number => {
  throw new Error('it broke');
});
const echo = task('echo', { quotas: [] }, (value: unknown) => value);

/** Ways to put a draft one level below another. */
const KINDS: Readonly<Record<string, (below: Draft<unknown>) => Draft<unknown>>> = {
  serial: (below) => serial(below),
  parallel: (below) => parallel(makeJob(work), below),
  callback: (below) => makeJob(work).withCallback(below),
  success: (below) => makeJob(work).withCallbacks({ success: below }),
  failure: (below) => makeJob(fails).withCallbacks({ success: work, failure: below }),
};

/** Of these kinds, in turn. */
function nested(levels: number, kinds: readonly string[]): Draft<unknown> {
  let draft: Draft<unknown> = makeJob(work);
  for (let level = 0; level < levels; level++) draft = KINDS[kinds[level % kinds.length] ?? '']?.(draft) ?? draft;
  return draft;
}

onBothStores((stage) => {
  it('drafts run to the end on as many levels as are allowed', { timeout: 60_000 }, async () => {
    const { async, drain } = await stage.start({ tasks: [work, fails] });
    await async.queueJob(nested(MAX_LEVELS, Object.keys(KINDS)));
    await drain();
    expect(await openJobs(async)).toBe(0);
    // A serial batch and one that fails have no such job of their own.
    const done = await async
      .getQueues()
      .get('')
      .jobs({ task: work, statuses: ['completed'] });
    expect(done).toHaveLength((3 * MAX_LEVELS) / 5 + 1);
  });

  describe.each(Object.keys(KINDS))('drafts nested by %s', (kind) => {
    it.each([MAX_LEVELS + 1, 50_000])('are refused by name on %d levels, however they are queued', async (levels) => {
      const draft = nested(levels, [kind]);
      const returns = task('returns', { quotas: [] }, () => draft);
      const { async, drain } = await stage.start({ tasks: [work, fails, returns] });
      const job = await async.queueJob(work);
      const batch = await async.queueJob(serial(makeJob(work).with({ delayMs: 1_000 })));
      const asked: readonly (() => Promise<unknown>)[] = [
        () => async.queueJob(draft),
        () => async.queueJobs([draft]),
        () => async.queueSerialJobs(draft),
        () => async.extendBatch(batch, draft),
        () => job.addCallback(draft),
        () => job.addCallbacks({ failure: draft }),
        () => async.runAs(system, () => async.queueJob(draft)),
        () => async.transaction(() => async.queueJob(draft)),
      ];
      for (const ask of asked) {
        const error = await failureOf(ask());
        expect(error).toBeInstanceOf(TooLargeError);
        expect(error.message).toContain(`more than ${MAX_LEVELS} levels`);
      }
      const returned = await async.queueJob(returns);
      await drain();
      expect(await returned.waitForOutcome()).toMatchObject({ status: 'failed', error: { name: 'TooLargeError' } });
    });
  });

  it('batches that grow downwards are cancelled, and queued again, on more levels than can be queued at once', {
    timeout: 60_000,
  }, async () => {
    const { async, drain } = await stage.start({ tasks: [work] });
    const late = (): Draft<unknown> => makeJob(work).with({ delayMs: 1_000_000 });
    const top = await async.queueJob(serial(late()));
    let batch: Job<unknown> = top;
    for (let level = 0; level < MORE_LEVELS; level++) {
      const [deeper] = await async.extendBatch(batch as typeof top, parallel(late()));
      batch = deeper as Job<unknown>;
    }
    await drain();
    await top.cancel('enough');
    await drain();
    expect(await top.waitForOutcome()).toEqual({ status: 'cancelled', reason: 'enough' });
    expect(await openJobs(async)).toBe(0);
    const again = await top.retry();
    await drain();
    expect(await openJobs(async)).toBeGreaterThan(MORE_LEVELS);
    await again.cancel();
    await drain();
    expect(await openJobs(async)).toBe(0);
  });

  it('callbacks that are added to callbacks end with the last of them, on more levels than can be queued at once', {
    timeout: 60_000,
  }, async () => {
    const { async, drain } = await stage.start({ tasks: [work] });
    const top = await async.queueJob(makeJob(work).with({ delayMs: 1_000 }));
    let last: Job<unknown> = top;
    for (let level = 0; level < MORE_LEVELS; level++) last = await last.addCallback(makeJob(work));
    await top.cancel();
    await drain();
    expect([(await top.waitForOutcome()).status, (await last.waitForOutcome()).status]).toEqual(['cancelled', 'completed']);
    expect(await openJobs(async)).toBe(0);
  });

  describe.each([
    ['arrays', (below: unknown) => [below]],
    ['objects', (below: unknown) => ({ below })],
    ['what looks like a reference of MongoDB', (below: unknown) => ({ $ref: 'x', $id: below })],
  ] as const)('values of nested %s', (_what, around) => {
    const value = (levels: number): unknown => {
      let nested: unknown = 1;
      for (let level = 0; level < levels; level++) nested = around(nested);
      return nested;
    };

    it('come back as they were to the limit', async () => {
      const { async, drain } = await stage.start({ tasks: [echo] });
      const job = await async.queueJob(echo, value(99));
      await drain();
      expect(JSON.stringify(await job.waitForResult())).toBe(JSON.stringify(value(99)));
    });

    it.each([101, 100_000])('are refused by name on %d levels: arguments, results, annotations', async (levels) => {
      const deep = value(levels);
      const annotates = task('annotates', { quotas: [] }, () => currentTask().annotate('deep', deep));
      const returns = task('returns', { quotas: [] }, () => deep);
      const throws = task('throws', { quotas: [] }, () => {
        throw deep;
      });
      const { async, drain } = await stage.start({ tasks: [echo, annotates, returns, throws] });
      expect(await failureOf(async.queueJob(echo, deep))).toBeInstanceOf(UnstorableError);
      const jobs = await Promise.all([annotates, returns].map((one) => async.queueJob(one as typeof returns)));
      const thrown = await async.queueJob(throws);
      await drain();
      for (const job of jobs) expect(await job.waitForOutcome()).toMatchObject({ status: 'failed', error: { name: 'UnstorableError' } });
      expect(await thrown.waitForOutcome()).toMatchObject({ status: 'failed', error: { name: 'Error' } });
    });
  });
});

async function openJobs(async: Process['async']): Promise<number> {
  const statuses = ['scheduled', 'blocked', 'pending', 'assigned', 'active', 'callbacks'] as const;
  return (await async.getQueues().get('').jobs({ statuses })).length;
}
