/** Quotas that several dispatchers want places of at once: everybody gets on, nothing stays idle, and nobody asks without end. */

import type { Document } from 'mongodb';
import { firstValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { nextTurn } from '../../../src/clock.js';
import { type AsyncModuleOptions, currentTask, type Job, makeJob, task } from '../../../src/index.js';
import type { QuotaDocument } from '../../../src/store/mongo/schema/documents.js';
import { VirtualClock } from '../../../src/testing/virtual-clock.js';
import { type Deferred, deferred } from '../../support/deferred.js';
import { Processes } from './processes.js';

const processes = await Processes.forTests('quotas');

/** A task whose jobs run until they are told to end. */
function gated(name: string, quotas: Readonly<Record<string, number>>) {
  const gates = new Map<string, Deferred<void>>();
  const run = task(name, { quotas }, async () => {
    const gate = deferred();
    gates.set(currentTask().job.id, gate);
    await gate.promise;
  });
  const end = (): void => {
    for (const gate of gates.values()) gate.resolve();
  };
  return { run, running: gates, end };
}

/** Has whoever asks for places wait for the answer. */
const slowly = async ({ findAndModify }: Document): Promise<void> => {
  if (findAndModify === 'millrace.quotas') for (let turn = 0; turn < 200; turn++) await firstValueFrom(nextTurn());
};

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await firstValueFrom(nextTurn());
}

/** Has jobs end as soon as they run. */
async function endAll(jobs: readonly Job<unknown>[], ...tasks: readonly { readonly end: () => void }[]): Promise<void> {
  let ended = 0;
  for (const job of jobs) void job.waitForResult().then(() => ended++);
  await until(() => {
    for (const { end } of tasks) end();
    return ended === jobs.length;
  });
}

const work = (options: Omit<AsyncModuleOptions, 'store'>) => processes.start(options).then(({ async }) => async);

describe('jobs of several quotas, wanted by several dispatchers', () => {
  const quotas = { default: 1, pool: 3 };
  const inUse = { default: 0, pool: 0 };
  const using = (name: string, places: Partial<typeof inUse>) =>
    task(name, { quotas: places }, async (turns: number) => {
      for (const [quota, n] of Object.entries(places)) inUse[quota as keyof typeof inUse] += n;
      expect(inUse.default <= quotas.default && inUse.pool <= quotas.pool).toBe(true);
      for (let turn = 0; turn < turns; turn++) await firstValueFrom(nextTurn());
      for (const [quota, n] of Object.entries(places)) inUse[quota as keyof typeof inUse] -= n;
    });
  const tasks = [using('alone', { default: 1 }), using('pooled', { pool: 1 }), using('greedy', { default: 1, pool: 2 })];

  it('all run, and never hold more than there is', { timeout: 60_000 }, async () => {
    const queuer = await work({ tasks, quotas, dispatcher: false });
    for (let n = 0; n < 3; n++) await work({ tasks, quotas });
    const jobs = await Promise.all(Array.from({ length: 30 }, (_, n) => queuer.queueJob(tasks[n % 3] as (typeof tasks)[number], n % 7)));
    await Promise.all(jobs.map((job) => job.waitForResult()));
    expect(jobs.map(({ status }) => status)).toEqual(jobs.map(() => 'completed'));
  });
});

describe('places', () => {
  it('that another dispatcher leaves idle are used by one that has some already', async () => {
    const left = gated('left', { pool: 1 });
    const right = gated('right', { pool: 1 });
    const quotas = { pool: 3 };
    const queuer = await work({ tasks: [left.run, right.run], quotas, dispatcher: false });
    await work({ tasks: [left.run], quotas });
    await work({ tasks: [right.run], quotas });
    const rights = [await queuer.queueJob(right.run), await queuer.queueJob(right.run)];
    await until(() => right.running.size === 2);
    const lefts = [await queuer.queueJob(left.run)];
    await until(() => left.running.size === 1);
    right.end();
    await Promise.all(rights.map((job) => job.waitForResult()));
    lefts.push(await queuer.queueJob(left.run), await queuer.queueJob(left.run));
    await until(() => left.running.size === 3);
    left.end();
    await Promise.all(lefts.map((job) => job.waitForResult()));
  });

  it('are not kept for a dispatcher whose job is gone', async () => {
    const left = gated('left', { default: 1 });
    const right = gated('right', { default: 1 });
    const queuer = await work({ tasks: [left.run, right.run], dispatcher: false });
    await work({ tasks: [left.run] });
    await work({ tasks: [right.run] });
    const first = await queuer.queueJob(right.run);
    await until(() => right.running.size === 1);
    const waiting = await queuer.queueJob(left.run);
    const quota = processes.collection('quotas');
    await processes.until(async () => (await quota.countDocuments({ 'waiting.places': 1 })) === 1);
    // As if it had waited for long.
    const waited = { $set: { 'waiting.0.since': new Date(0) }, $inc: { revision: 1 } };
    await quota.updateOne({ 'waiting.places': 1 }, waited);
    await waiting.cancel('not needed');
    right.end();
    await first.waitForResult();
    await queuer.queueJob(right.run);
    await until(() => right.running.size === 2);
    right.end();
  });

  it('are not kept for a dispatcher that takes no more jobs', async () => {
    const left = gated('left', { default: 1 });
    const right = gated('right', { default: 1 });
    const queuer = await work({ tasks: [left.run, right.run], dispatcher: false });
    const leaving = await work({ tasks: [left.run] });
    await work({ tasks: [right.run] });
    await queuer.queueJob(right.run);
    await until(() => right.running.size === 1);
    const waiting = await queuer.queueJob(left.run);
    const quota = processes.collection('quotas');
    await processes.until(async () => (await quota.countDocuments({ 'waiting.places': 1 })) === 1);
    await quota.updateOne({ 'waiting.places': 1 }, { $set: { 'waiting.0.since': new Date(0) }, $inc: { revision: 1 } });
    await leaving.quiet();
    await processes.until(async () => (await quota.countDocuments({ 'waiting.places': 1 })) === 0);
    right.end();
    await queuer.queueJob(right.run);
    await until(() => right.running.size === 2);
    right.end();
    await waiting.cancel('nobody runs it');
  });

  it('are asked for by two queues of one dispatcher at once, and both get theirs', async () => {
    const quotas = { pool: 2 };
    const one = gated('one', { pool: 1 });
    const agents = [{ queue: 'a' }, { queue: 'b' }];
    const async = await work({ tasks: [one.run], quotas, dispatcher: { agents } });
    if (processes.faults !== undefined) processes.faults.intercept = slowly;
    await Promise.all(agents.map(({ queue }) => async.queueJob(makeJob(one.run).with({ queue }))));
    await until(() => one.running.size === 2);
    one.end();
  });

  it('that nobody gives up are waited for without asking again and again', async () => {
    const quotas = { pool: 3 };
    const one = gated('one', { pool: 2 });
    const other = gated('other', { pool: 2 });
    const async = await work({ tasks: [one.run, other.run], quotas });
    await work({ tasks: [one.run, other.run], quotas });
    await Promise.all(Array.from({ length: 6 }, (_, n) => async.queueJob(n % 2 === 0 ? one.run : other.run)));
    await until(() => one.running.size + other.running.size === 1);
    await processes.quiet();
    for (let ended = 1; ended <= 6; ended++) {
      await until(() => one.running.size + other.running.size === ended);
      one.end();
      other.end();
    }
  });

  it('that are set aside for a large job are not asked for by a small one of another queue', async () => {
    const quotas = { pair: 2, five: 5 };
    const [running, large] = [gated('running', { pair: 1 }), gated('large', { pair: 2 })];
    const small = gated('small', { five: 1, pair: 1 });
    const clock = new VirtualClock();
    const start = (tasks: readonly (typeof running.run)[], queues: readonly string[]) =>
      work({ tasks, quotas, clock, dispatcher: { agents: queues.map((queue) => ({ queue })) } });
    const async = await start([running.run], ['']);
    await async.queueJob(running.run);
    await until(() => running.running.size === 1);
    for (let n = 0; n < 2; n++) await start([large.run, small.run], ['', 'side']);
    const jobs = [await async.queueJob(large.run), await async.queueJob(large.run)];
    await processes.quiet();
    await clock.advance(3_000, () => processes.quiet());
    jobs.push(await async.queueJob(makeJob(small.run).with({ queue: 'side' })));
    await processes.quiet();
    await clock.advance(3_000, () => processes.quiet());
    running.end();
    await endAll(jobs, large, small);
  });

  it('of a quota are not waited for without those of a quota before it: whoever has these would wait behind', async () => {
    const quotas = { default: 1, pool: 3 };
    const [running, both] = [gated('running', { default: 1 }), gated('both', { default: 1, pool: 2 })];
    const clock = new VirtualClock();
    const async = await work({ tasks: [running.run], quotas, clock });
    await async.queueJob(running.run);
    await until(() => running.running.size === 1);
    await work({ tasks: [both.run], quotas, clock });
    const jobs = [await async.queueJob(both.run)];
    await clock.advance(3_000, () => processes.quiet());
    const documents = processes.database.collection<QuotaDocument>('millrace.quotas');
    const waitingFor = async (_id: string) => (await documents.findOne({ _id }))?.waiting ?? [];
    const entries = await waitingFor('default');
    expect(entries.map(({ places }) => places)).toEqual([1]);
    // As it would stand there still, had the dispatcher given up its place of `default` while it waited.
    await documents.updateOne(
      { _id: 'pool' },
      { $push: { waiting: { $each: entries.map((entry) => ({ ...entry, places: 2 })) } }, $inc: { revision: 1 } },
    );
    await processes.quiet();
    jobs.push(await async.queueJob(both.run));
    await processes.until(async () => (await waitingFor('pool')).length === 0);
    running.end();
    await endAll(jobs, both);
  });
});
