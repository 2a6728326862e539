/** Waiting inside a task: it ends with the task, and is refused at once where it could never end. */

import { firstValueFrom, lastValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import {
  currentTask,
  type IAsyncService,
  type Job,
  JobCancelledError,
  makeJob,
  parallel,
  serial,
  TaskTimeoutError,
  task,
} from '../../src/index.js';
import { onBothStores, type Process } from '../support/both-stores.js';
import { untilAborted } from '../support/deferred.js';

const hang = task('hang', { quotas: [] }, () => untilAborted());
const add = task('add', { quotas: [] }, (x: number, y: number) => x + y);
const limited = task('limited', () => 'done');
const pair = task('pair', { quotas: { pair: 1 } }, () => 'done');
const quotas = { default: 1, pair: 2 };

/** The waits that a task may make. */
const WAITS: readonly (readonly [string, (async: IAsyncService, job: Job<unknown>) => Promise<unknown>])[] = [
  ['waitForResult', (_async, job) => job.waitForResult()],
  ['waitForOutcome with a signal of its own', (_async, job) => job.waitForOutcome({ signal: new AbortController().signal })],
  ['the changes of a job', (_async, job) => lastValueFrom(job.changes)],
  ['its explanations', (_async, job) => lastValueFrom(job.explanations)],
  ['events', (async) => firstValueFrom(async.events.of(limited))],
  ['outcomes', (async) => firstValueFrom(async.outcomes())],
  ['a transaction of code that waits', (async, job) => async.transaction(() => job.waitForResult())],
];

onBothStores((stage) => {
  describe('waiting inside a task', () => {
    async function waiting(wait: (typeof WAITS)[number][1], timeoutMs?: number) {
      let thrown: unknown;
      const outer = task('outer', { ...(timeoutMs === undefined ? {} : { timeoutMs }) }, async (job: Job<unknown>) => {
        await wait(process.async, job).catch((error: unknown) => {
          thrown = error;
          throw error;
        });
      });
      const process = await stage.start({ tasks: [outer, hang, limited], dispatcher: { stopMs: 10_000 } });
      const inner = await process.async.queueJob(hang);
      const job = await process.async.queueJob(outer, inner);
      await process.drain();
      return { ...process, async: process.async, job, inner, thrown: () => thrown };
    }

    it.each(WAITS)('by %s ends when the task is cancelled, with the reason, and its place is free', async (_what, wait) => {
      const { async, job, inner, drain, thrown } = await waiting(wait);
      await job.cancel('enough');
      await drain();
      expect(thrown()).toBeInstanceOf(JobCancelledError);
      expect(thrown()).toMatchObject({ jobId: job.id, reason: 'enough' });
      expect((await job.refresh()).status).toBe('cancelled');
      expect((await inner.refresh()).status).toBe('active');
      const next = await async.queueJob(limited);
      await drain();
      expect((await next.refresh()).status).toBe('completed');
      await inner.cancel();
      await drain();
    });

    it.each(WAITS.slice(0, 2))('by %s ends with the `timeoutMs` of the task, and its place is free', async (_what, wait) => {
      const { async, job, inner, drain, advance, thrown } = await waiting(wait, 5_000);
      await advance(5_000);
      expect(thrown()).toBeInstanceOf(TaskTimeoutError);
      expect(await job.refresh()).toMatchObject({ status: 'failed', error: { code: 'MILLRACE_TASK_TIMEOUT' } });
      const next = await async.queueJob(limited);
      await drain();
      expect((await next.refresh()).status).toBe('completed');
      await inner.cancel();
      await drain();
    });

    it('ends when the process stops, and the job counts as interrupted', async () => {
      const { stop, job, thrown, stateOf } = await waiting((_async, other) => other.waitForResult());
      await stop();
      expect(thrown()).toMatchObject({ code: 'MILLRACE_NOT_RUNNING' });
      expect(await stateOf(job)).toMatchObject({ status: 'pending', interruptions: 1 });
    });

    it('for many jobs at once gives Node no reason to warn of a leak', async () => {
      const warnings: string[] = [];
      const warn = ({ name }: Error): void => void warnings.push(name);
      const outer = task('outer', async () => {
        const jobs = await async.queueJobs(Array.from({ length: 20 }, (_, n) => makeJob(add, n, 1)));
        return Promise.all(jobs.map((job) => job.waitForResult()));
      });
      const { async, drain } = await stage.start({ tasks: [outer, add] });
      process.on('warning', warn);
      const job = await async.queueJob(outer);
      await drain();
      expect(await job.waitForResult()).toHaveLength(20);
      process.off('warning', warn);
      expect(warnings).toEqual([]);
    });

    it('for leave to queue ends with the task, and nothing is queued', async () => {
      let thrown: unknown;
      const outer = task('outer', { quotas: [] }, async () => {
        thrown = await process.async.queueJob(add, 1, 2).catch((error: unknown) => error);
        throw thrown;
      });
      const authorizer = {
        authorize: ({ taskName }: { readonly taskName: string }) => (taskName === 'add' ? new Promise<boolean>(() => {}) : true),
      };
      const process = await startWith(authorizer, [outer, add]);
      const job = await process.async.queueJob(outer);
      await process.drain();
      await job.cancel('enough');
      await process.drain();
      expect(thrown).toBeInstanceOf(JobCancelledError);
      expect(await process.async.getJobs({ task: add })).toEqual([]);
    });

    it('may begin after the task was aborted, for code that cleans up: queueing, cancelling, looking', async () => {
      const outcomes: unknown[] = [];
      const outer = task('outer', { quotas: [] }, async (job: Job<unknown>) => {
        try {
          await job.waitForResult();
        } finally {
          outcomes.push(await job.waitForResult().catch((error: unknown) => error));
          await job.cancel('no longer needed');
          outcomes.push((await job.refresh()).id === job.id);
          outcomes.push((await process.async.queueJob(add, 1, 2)).taskName);
        }
      });
      const process = await stage.start({ tasks: [outer, hang, add] });
      const inner = await process.async.queueJob(hang);
      const job = await process.async.queueJob(outer, inner);
      await process.drain();
      await job.cancel();
      await process.drain();
      expect(outcomes).toEqual([expect.any(JobCancelledError), true, 'add']);
      expect((await inner.refresh()).status).toBe('cancelled');
    });

    async function startWith(authorizer: object, tasks: readonly (typeof add | typeof hang)[]): Promise<Process> {
      const { Container } = await import('inversify');
      const { Authorizer } = await import('../../src/index.js');
      const container = new Container();
      container.bind(Authorizer).toConstantValue(authorizer as never);
      return stage.start({ tasks: [...tasks] as never, container });
    }
  });

  describe('a task that waits for a job which cannot end before it does', () => {
    type Made = (async: IAsyncService) => Promise<Job<unknown>>;

    async function outcomeOf(make: Made, options: object = {}, around?: (draft: unknown) => unknown) {
      const outer = task('outer', options, async () => (await make(process.async)).waitForResult());
      const process = await stage.start({ tasks: [outer, limited, pair, add, hang], quotas });
      const draft = makeJob(outer);
      const job = await process.async.queueJob((around === undefined ? draft : around(draft)) as typeof draft);
      await process.drain();
      const [run] = await process.async.getJobs({ task: outer });
      return { process, job, outcome: run?.outcome };
    }

    const refused = { status: 'failed', error: { code: 'MILLRACE_QUOTA' } };

    it('is told so at once, and told to return it', async () => {
      const { outcome, process } = await outcomeOf((async) => async.queueJob(limited));
      expect(outcome).toMatchObject(refused);
      expect(outcome?.status === 'failed' && outcome.error.message).toMatch(
        /job \w{24} \(outer\) waits for job \w{24}, but that could never begin: it needs the quota `default`, of which job \w{24} holds 1.*Return the job/,
      );
      await process.drain();
      expect((await process.async.getJobs({ task: limited }))[0]?.status).toBe('completed');
    });

    const cases: readonly (readonly [string, Made])[] = [
      ['one that is a step of a batch', (async) => async.queueJob(parallel(makeJob(add, 1, 2), makeJob(limited).with({ quotas: ['default'] })))],
      ['one deep in batches', (async) => async.queueJob(serial(makeJob(add, 1, 2), serial(makeJob(limited).with({ quotas: ['default'] }))))],
      ['a batch that takes the place itself', (async) => async.queueJob(serial(makeJob(add, 1, 2)).with({ quotas: ['default'] }))],
      ['one that is due later', (async) => async.queueJob(makeJob(limited).with({ delayMs: 60_000 }))],
      ['one whose callback needs it', (async) => async.queueJob(makeJob(add, 1, 2).withCallback(makeJob(limited).with({ quotas: ['default'] })))],
      ['a step behind one that needs it', async (async) => {
        const batch = await async.queueJob(serial(makeJob(limited).with({ quotas: ['default'] }), makeJob(add, 1, 2)));
        const jobs = await async.getJobs({ task: add });
        return jobs.find(({ snapshot }) => snapshot.parent === batch.id) ?? batch;
      }],
    ]; // biome-ignore format: a table

    it.each(cases)('also where it is %s', async (_what, make) => {
      expect((await outcomeOf(make)).outcome).toMatchObject(refused);
    });

    it('also where the job has returned another one that needs the place', async () => {
      const returns = task('returns', { quotas: [] }, () => makeJob(limited).with({ quotas: ['default'] }));
      const outer = task('outer', async (job: Job<unknown>) => job.waitForResult());
      const { async, drain } = await stage.start({ tasks: [outer, returns, limited, hang], quotas });
      const inner = await async.queueJob(makeJob(returns).with({ priority: -1 }));
      const holder = await async.queueJob(makeJob(hang).with({ quotas: ['default'], priority: -2 }));
      await drain();
      const job = await async.queueJob(makeJob(outer, inner).with({ priority: -5 }));
      await holder.cancel();
      await drain();
      expect(await job.waitForOutcome()).toMatchObject(refused);
    });

    it('hears which batch around it holds the places', async () => {
      const { outcome } = await outcomeOf(
        (async) => async.queueJob(limited),
        { quotas: [] },
        (draft) => serial(draft as never).with({ quotas: ['default'] }),
      );
      expect(outcome).toMatchObject(refused);
      expect(outcome?.status === 'failed' && outcome.error.message).toContain('Give the batch `quotas: []`');
    });

    it('is told so for a job that waits for its own', async () => {
      const circular = { status: 'failed', error: { code: 'MILLRACE_CIRCULAR_JOB' } };
      const own = await outcomeOf(async (async) => (await async.getJob(currentTask().job.id)) as Job<unknown>, { quotas: [] });
      expect(own.outcome).toMatchObject(circular);
    });

    it.each(['serial', 'parallel'] as const)('is told so for the %s batch around it', async (kind) => {
      const { outcome } = await outcomeOf(
        async (async) => (await async.getJob(currentTask().batch ?? '')) as Job<unknown>,
        { quotas: [] },
        (draft) => (kind === 'serial' ? serial : parallel)(draft as never),
      );
      expect(outcome).toMatchObject({ status: 'failed', error: { code: 'MILLRACE_CIRCULAR_JOB' } });
    });

    it('is told so for a callback of its own job', async () => {
      const { outcome } = await outcomeOf(
        async (async) => (await async.getJob(currentTask().job.id))?.addCallback(add as never) as unknown as Promise<Job<unknown>>,
        { quotas: [] },
      );
      expect(outcome).toMatchObject({ status: 'failed', error: { code: 'MILLRACE_CIRCULAR_JOB' } });
    });

    it('is refused nothing that may end: a place is left', async () => {
      const { outcome } = await outcomeOf((async) => async.queueJob(pair), { quotas: { pair: 1 } });
      expect(outcome).toMatchObject({ status: 'completed', result: 'done' });
    });

    it('is refused nothing that may end: the job expires before it begins', async () => {
      const inAMinute = (): Date => new Date((currentTask().scheduledFor ?? new Date(0)).getTime() + 60_000);
      const outer = task('outer', async () =>
        (await process.async.queueJob(makeJob(limited).with({ beginBy: inAMinute() }))).waitForResult(),
      );
      const process = await stage.start({ tasks: [outer, limited], quotas });
      const job = await process.async.queueJob(makeJob(outer).with({ beginAfter: new Date(process.clock.now() + 1_000) }));
      await process.advance(2_000);
      expect((await job.refresh()).status).toBe('active');
      await process.advance(60_000);
      expect(await job.waitForOutcome()).toMatchObject({ status: 'failed', error: { code: 'MILLRACE_JOB_FAILED' } });
    });
  });
});
