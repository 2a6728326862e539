/** Why a job is not running now, as `job.explain()` says it on both stores. */

import { describe, expect, it } from 'vitest';
import {
  currentTask,
  type Explanation,
  fixedDelay,
  type IAsyncService,
  type Job,
  makeJob,
  type Pausable,
  parallel,
  type Reason,
  serial,
  task,
} from '../../src/index.js';
import { onBothStores } from '../support/both-stores.js';
import { deferred, untilAborted } from '../support/deferred.js';

const quick = task('quick', { quotas: [] }, () => 42);
const lasting = task('lasting', { quotas: [] }, untilAborted);
const single = task('single', untilAborted);
const heavy = task('heavy', { quotas: { wide: 2 } }, untilAborted);
const tasks = [quick, lasting, single, heavy];
const quotas = { default: 1, wide: 2, rated: { size: 9, rate: { starts: 1, perMs: 64_000 } } };
const ignoringSignals = { stopMs: 0 };

/** The only reason there is. */
async function reason(job: Job<unknown>): Promise<Reason | undefined> {
  const { reasons } = await job.explain();
  expect(reasons.length).toBeLessThanOrEqual(1);
  return reasons[0];
}

onBothStores((stage) => {
  const start = () => stage.start({ tasks, quotas, dispatcher: ignoringSignals });

  describe('a job that waits', () => {
    it('for a quota is told who has its places, and since when', async () => {
      const { async, clock, advance, drain } = await start();
      const first = await async.queueJob(single);
      const second = await async.queueJob(single);
      await drain();
      const since = new Date(clock.now());
      await advance(5_000);
      const full = await reason(second);
      expect(full).toMatchObject({ because: 'quota-full', quota: 'default', size: 1, needs: 1, free: 0 });
      const holders = full?.because === 'quota-full' ? full.holders : [];
      expect(holders).toMatchObject([{ places: 1, job: { id: first.id, taskName: 'single' }, since }]);
      expect((await second.explain()).text).toContain(
        `the quota 'default' has 0 of 1 place(s) free, and it needs 1: job ${first.id} (single) has 1`,
      );
    });

    it('for a rate is told when the next job may begin', async () => {
      const { async, clock, drain } = await start();
      const begins = clock.now();
      const [, second] = await async.queueJobs([1, 2].map(() => makeJob(quick).with({ quotas: ['rated'] })));
      await drain();
      const rated = second === undefined ? undefined : await reason(second);
      expect(rated).toMatchObject({ because: 'rate', quota: 'rated', rate: { starts: 1, perMs: 64_000 } });
      const wait = rated?.because === 'rate' ? rated.until.getTime() - begins : 0;
      expect(wait).toBeGreaterThanOrEqual(64_000);
      expect(wait).toBeLessThanOrEqual(66_000);
    });

    it('for a quota that has become too small is told so', async () => {
      const { async, drain } = await start();
      await async.pause('everything');
      const job = await async.queueJob(heavy);
      await async.resizeQuota('wide', 1);
      await async.resume('everything');
      await drain();
      expect(await reason(job)).toEqual({ because: 'quota-too-small', quota: 'wide', size: 1, needs: 2 });
    });

    it('for nobody is told that no dispatcher accepts it, or its queue', async () => {
      const { async, drain } = await start();
      const other = await stage.start({ tasks: [task('unknown', { quotas: [] }, () => 1)], quotas, dispatcher: false });
      const jobs = [
        await other.async.queueJob(task('unknown', { quotas: [] }, () => 1)),
        await async.queueJob(makeJob(quick).with({ queue: 'far' })),
      ];
      await drain();
      for (const job of jobs) expect(await reason(job)).toEqual({ because: 'no-dispatcher-accepts', dispatchers: 1 });
    });

    it('for slots is told which dispatchers are busy, and how many come before it', async () => {
      const { async, drain } = await stage.start({ tasks, quotas, dispatcher: { ...ignoringSignals, agents: [{ concurrency: 2 }] } });
      const jobs = await async.queueJobs([1, 2, 3, 4].map(() => makeJob(lasting)));
      await drain();
      const last = await jobs[3]?.explain();
      expect(last?.reasons).toEqual([{ because: 'dispatchers-busy', dispatchers: [expect.stringContaining('process-1')] }]);
      expect(last?.ahead).toBe(1);
    });

    it.each<[string, Pausable, string]>([
      ['everything', 'everything', 'everything'],
      ['its queue', { queue: '' }, 'queue'],
      ['its task', { task: quick }, 'task'],
    ])('while %s is paused is told so', async (_what, what, paused) => {
      const { async, drain } = await start();
      await async.pause(what);
      const job = await async.queueJob(quick);
      await drain();
      expect(await reason(job)).toEqual({ because: 'paused', what: paused });
      await async.resume(what);
      await drain();
      expect((await job.explain()).reasons).toEqual([]);
    });

    it('for its time is told when that is, and after a retry what it failed with', async () => {
      const failing = task('failing', { quotas: [], retry: fixedDelay({ attempts: 2, delayMs: 9_000 }) }, () => {
        throw new Error('not yet');
      });
      const { async, clock, drain } = await stage.start({ tasks: [...tasks, failing], quotas });
      const until = new Date(clock.now() + 60_000);
      const jobs = [await async.queueJob(makeJob(quick).with({ beginAfter: until })), await async.queueJob(failing)] as const;
      await drain();
      expect(await reason(jobs[0])).toEqual({ because: 'scheduled', until, lastError: undefined });
      expect(await reason(jobs[1])).toMatchObject({ because: 'scheduled', lastError: { message: 'not yet' } });
    });
  });

  describe('a job that comes after others', () => {
    it('is told which: steps, callbacks, its job', async () => {
      const { async, advance } = await start();
      const after = makeJob(quick).withCallback(makeJob(lasting));
      const batch = await async.queueJob(serial(makeJob(lasting), makeJob(quick)).with({ quotas: [] }).withCallback(makeJob(quick)));
      const job = await async.queueJob(after);
      // The begin of a job is recorded a moment later.
      await advance(100);
      const below = await stage.start({ tasks, quotas, dispatcher: false });
      const all = await below.async.getJobs();
      const child = (status: string, parent: Job<unknown>): Job<unknown> | undefined =>
        all.find((one) => one.status === status && one.snapshot.parent === parent.id);
      const running = child('active', batch);
      const callback = child('active', job);
      const [step, late] = all.filter(({ status, snapshot }) => status === 'blocked' && snapshot.parent === batch.id);
      if (running === undefined || callback === undefined || step === undefined || late === undefined) throw new Error('a job is missing');
      expect(await reason(batch)).toEqual({ because: 'waits-for', what: 'steps', jobs: [running.id, step.id] });
      expect(await reason(step)).toEqual({ because: 'waits-for', what: 'earlier-steps', jobs: [running.id] });
      expect(await reason(late)).toEqual({ because: 'waits-for', what: 'its-job', jobs: [batch.id] });
      expect(await reason(job)).toEqual({ because: 'waits-for', what: 'callbacks', jobs: [callback.id] });
      expect(await reason(running)).toMatchObject({ because: 'running', dispatcher: expect.stringContaining('process-1') });
    });

    it('that it returned is told which', async () => {
      const service = deferred<IAsyncService>();
      const outer = task('outer', { quotas: [] }, async () => (await service.promise).queueJob(lasting));
      const { async, drain } = await stage.start({ tasks: [...tasks, outer], quotas, dispatcher: ignoringSignals });
      service.resolve(async);
      const job = await async.queueJob(outer);
      await drain();
      const [inner] = await async.getJobs({ task: lasting });
      expect(await reason(job)).toEqual({ because: 'waits-for', what: 'returned-job', jobs: [inner?.id] });
    });
  });

  it('one that has ended has no reasons, and one that is gone cannot be explained', async () => {
    const { async, drain } = await start();
    const job = await async.queueJob(quick);
    await drain();
    expect(await job.explain()).toMatchObject({ status: 'completed', reasons: [], text: `job ${job.id} (quick) is completed` });
  });

  it('is told again whenever it reads otherwise, until the job has ended', async () => {
    const release = deferred();
    const held = task('held', () => release.promise);
    const next = task('next', () => currentTask().attempt);
    const { async, advance, drain } = await stage.start({ tasks: [held, next], quotas });
    await async.queueJob(held);
    const job = await async.queueJob(next);
    await drain();
    const seen: Explanation[] = [];
    let isOver = false;
    job.explanations.subscribe({ next: (explanation) => seen.push(explanation), complete: () => (isOver = true) });
    await advance(10_000);
    expect(seen.map(({ reasons }) => reasons[0]?.because)).toEqual(['quota-full']);
    release.resolve();
    await advance(5_000);
    expect(seen.at(-1)).toMatchObject({ status: 'completed', reasons: [] });
    expect(isOver).toBe(true);
  });

  it('a batch is opened by any agent of its queue', async () => {
    const { async, drain } = await start();
    const far = await async.queueJob(parallel(makeJob(quick)).with({ queue: 'far', quotas: [] }));
    const near = await async.queueJob(parallel(makeJob(lasting)).with({ quotas: ['default'] }));
    const second = await async.queueJob(parallel(makeJob(lasting)).with({ quotas: ['default'] }));
    await drain();
    expect(await reason(far)).toEqual({ because: 'no-dispatcher-accepts', dispatchers: 1 });
    expect(await reason(second)).toMatchObject({ because: 'quota-full', holders: [{ job: { id: near.id, taskName: 'parallel' } }] });
  });
});
