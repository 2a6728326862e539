/** Jobs whose process stops or dies. */

import { NEVER, of } from 'rxjs';
import { expect, it } from 'vitest';
import { type Job, type JobStore, makeJob, never, parallel, type StoredError, serial, type TaskOptions, task } from '../../src/index.js';
import { DEATH_MS, MORTAL, onBothStores, type Process } from '../support/both-stores.js';
import { deferred, untilAborted } from '../support/deferred.js';

/** A task whose first runs last until their process ends, and later ones give a value. */
function lasting({ name = 'lasting', value = 42, lost = 1, ...options }: TaskOptions & { value?: number; lost?: number } = {}) {
  const runs: number[] = [];
  const work = task(name, { quotas: [], ...options }, (): number | Promise<never> => {
    runs.push(runs.length);
    return runs.length <= lost ? untilAborted() : value;
  });
  return { runs, work };
}

/** A task that notes what it is called with. */
function noting() {
  const noted: unknown[] = [];
  const note = task('note', { quotas: [] }, (what: unknown) => {
    noted.push(what);
  });
  return { noted, note };
}

async function refused(): Promise<never> {
  throw new Error('the database cannot be reached');
}

/** Heartbeats of which only the one that gives the lease up is refused. */
function refusingToEnd(store: JobStore): JobStore['heartbeat'] {
  return (dispatcher, leaseMs) => (leaseMs === 0 ? refused() : store.heartbeat(dispatcher, leaseMs));
}

const sum = task('sum', { quotas: [] }, (jobs: readonly Job<number>[]) => jobs.reduce((total, { result = 0 }) => total + result, 0));
const ONE_AT_A_TIME = { agents: [{ concurrency: 1 }] };

onBothStores((stage) => {
  it('a process that stops waits for a job that ends in time, which is not interrupted', async () => {
    const gate = deferred<number>();
    const slow = task('slow', { quotas: [] }, () => gate.promise);
    const other = await stage.start({ dispatcher: false });
    const { async, drain, stop } = await stage.start({ tasks: [slow] });
    const job = await async.queueJob(slow);
    await drain();
    const stopping = stop();
    gate.resolve(42);
    await stopping;
    expect(await other.stateOf(job)).toMatchObject({ status: 'completed', attempts: 1, interruptions: 0 });
  });

  it('a job that outlasts the stop of its process returns to the front, and its callback runs once, after its second run', async () => {
    const { noted, note } = noting();
    const work = task('work', { quotas: [] }, () => {
      noted.push('work');
      return noted.length === 1 ? untilAborted() : 42;
    });
    const tasks = [work, note];
    const { async, stateOf } = await stage.start({ tasks, dispatcher: false });
    const first = await stage.start({ tasks, dispatcher: ONE_AT_A_TIME });
    const job = await async.queueJob(makeJob(work).withCallbacks({ success: note }));
    await first.drain();
    const behind = await async.queueJob(note, 'behind');
    await first.stop();
    expect(await stateOf(job)).toMatchObject({ status: 'pending', attempts: 1, interruptions: 1 });
    expect([(await stateOf(behind)).status, noted]).toEqual(['pending', ['work']]);
    const second = await stage.start({ tasks, dispatcher: ONE_AT_A_TIME });
    await second.drain();
    expect(await stateOf(job)).toMatchObject({ status: 'completed', attempts: 2, interruptions: 1 });
    expect(noted.slice(0, 2)).toEqual(['work', 'work']);
    expect(new Set(noted.slice(2))).toEqual(new Set([42, 'behind']));
  });

  it('a process that begins anew under the name of a dead one leaves the job of that one alone at first, and works', async () => {
    const { runs, work } = lasting();
    const { noted, note } = noting();
    const options = { tasks: [work, note], dispatcher: { ...MORTAL, name: 'same' } };
    const dead = await stage.start(options);
    const job = await dead.async.queueJob(work);
    await dead.drain();
    dead.die();
    const { async, drain, stateOf } = await stage.start(options);
    await async.queueJob(note, 'others');
    await drain();
    expect(await stateOf(job)).toMatchObject({ status: 'active', attempts: 1, interruptions: 0 });
    expect([runs.length, noted]).toEqual([1, ['others']]);
  });

  it('a job of a dead process runs again once the lease of that is over, and its callback runs once', async () => {
    const { work } = lasting();
    const { noted, note } = noting();
    const options = { tasks: [work, note], dispatcher: { ...MORTAL, name: 'same' } };
    const dead = await stage.start(options);
    const job = await dead.async.queueJob(makeJob(work).withCallbacks({ success: note }));
    await dead.drain();
    const { async, stateOf } = await stage.succeed(dead, options);
    expect(await stateOf(job)).toMatchObject({ status: 'completed', attempts: 2, interruptions: 1 });
    expect(await (await async.getJob(job.id, work))?.waitForResult()).toBe(42);
    expect(noted).toEqual([42]);
  });

  it('a process takes over from one that died, not before the lease of that is over', async () => {
    const { runs, work } = lasting();
    const { noted, note } = noting();
    const options = { tasks: [work, note], dispatcher: MORTAL };
    const dead = await stage.start(options);
    const job = await dead.async.queueJob(makeJob(work).withCallbacks({ success: note }));
    await dead.drain();
    const { advance, stateOf } = await stage.start(options);
    dead.die();
    await advance(MORTAL.leaseMs - 1);
    expect([(await stateOf(job)).status, runs.length]).toEqual(['active', 1]);
    await advance(DEATH_MS);
    expect(await stateOf(job)).toMatchObject({ status: 'completed', attempts: 2, interruptions: 1 });
    expect([runs.length, noted]).toEqual([2, [42]]);
  });

  it.each<[string, (store: JobStore) => Partial<JobStore>]>([
    ['hands back what ignored its signal, also where its lease cannot be given up', (store) => ({ heartbeat: refusingToEnd(store) })],
    ['gives its lease up, also where it cannot hand back what ignored its signal', () => ({ release: refused })],
  ])('a process that stops %s, so that another takes that at once', async (_what, faults) => {
    const runs: number[] = [];
    const deaf = task('deaf', { quotas: [] }, () => {
      runs.push(runs.length);
      return runs.length === 1 ? new Promise<never>(() => {}) : 42;
    });
    const leaving = await stage.start({ tasks: [deaf], dispatcher: { ...MORTAL, stopMs: 0 }, faults });
    const job = await leaving.async.queueJob(deaf);
    await leaving.drain();
    const { clock, drain, stateOf } = await stage.start({ tasks: [deaf], dispatcher: MORTAL });
    const before = clock.now();
    await leaving.stop();
    await drain();
    expect(await stateOf(job)).toMatchObject({ status: 'completed', attempts: 2, interruptions: 1 });
    expect(clock.now() - before).toBeLessThan(MORTAL.heartbeatMs);
  });

  it('a death while callbacks run repeats neither the job nor a callback that has ended, and runs the others to their end', async () => {
    let worked = 0;
    const work = task('work', { quotas: [] }, () => {
      worked++;
      return 10;
    });
    const { noted, note } = noting();
    const [stuck, below] = [lasting({ name: 'stuck' }), lasting({ name: 'below' })];
    const options = { tasks: [work, note, stuck.work, below.work], dispatcher: MORTAL };
    const dead = await stage.start(options);
    const draft = makeJob(work)
      .withCallbacks({ success: note })
      .withCallback(makeJob(stuck.work))
      .withCallback(makeJob(note, 'above').withCallback(makeJob(below.work)));
    const job = await dead.async.queueJob(draft);
    await dead.drain();
    expect((await job.refresh()).status).toBe('callbacks');
    const { async, stateOf } = await stage.succeed(dead, options);
    expect((await stateOf(job)).status).toBe('completed');
    expect(noted.toSorted()).toEqual([10, 'above']);
    expect([worked, stuck.runs.length, below.runs.length]).toEqual([1, 2, 2]);
    expect((await async.getJobs()).map(({ status }) => status)).toEqual(Array(5).fill('completed'));
  });

  it('a job whose end was recorded just before its process died is not run again', async () => {
    const { runs, work } = lasting({ lost: 0 });
    let dead: Process | undefined;
    const faults = (store: JobStore): Partial<JobStore> => ({
      settle: async (ends) => {
        const answers = await store.settle(ends);
        dead?.die();
        return answers;
      },
    });
    dead = await stage.start({ tasks: [work], dispatcher: MORTAL, faults });
    const job = await dead.async.queueJob(work);
    const { advance, stateOf } = await stage.start({ tasks: [work], dispatcher: MORTAL });
    await advance(DEATH_MS);
    expect(await stateOf(job)).toMatchObject({ status: 'completed', attempts: 1, interruptions: 0 });
    expect(runs).toHaveLength(1);
  });

  it('a job that is never to be repeated fails as aborted when its process dies, and its failure callback runs', async () => {
    const { runs, work } = lasting({ retry: never });
    const names: string[] = [];
    const failure = task('failure', { quotas: [] }, ({ name }: StoredError) => {
      names.push(name);
    });
    const options = { tasks: [work, failure], dispatcher: MORTAL };
    const dead = await stage.start(options);
    const job = await dead.async.queueJob(makeJob(work).withCallbacks({ failure }));
    await dead.drain();
    const { stateOf } = await stage.succeed(dead, options);
    expect((await stateOf(job)).status).toBe('failed');
    expect([runs.length, names]).toEqual([1, ['AbortedError']]);
  });

  it('a job whose policy wants an hour after an interruption is scheduled for then', async () => {
    const { runs, work } = lasting({ retry: { interruptionDelayMs: 3_600_000 } });
    const options = { tasks: [work], dispatcher: MORTAL };
    const dead = await stage.start(options);
    const job = await dead.async.queueJob(work);
    await dead.drain();
    dead.die();
    const { advance, clock, stateOf, stop } = await stage.start(options);
    const diedAt = clock.now();
    await advance(DEATH_MS);
    const { status, dueAt, interruptions } = await stateOf(job);
    expect([status, interruptions, runs.length]).toEqual(['scheduled', 1, 1]);
    expect(dueAt?.getTime()).toBeGreaterThanOrEqual(diedAt + 3_600_000 + MORTAL.leaseMs);
    await stop();
    // Its signs are rare, so that an hour is short.
    const heir = await stage.start({ tasks: [work] });
    await heir.advance(3_600_000);
    expect((await heir.stateOf(job)).status).toBe('completed');
  });

  it('a job of a dead process keeps its place in a quota of 1 until it has run again', async () => {
    const gate = deferred<number>();
    const begun: string[] = [];
    const first = task('first', () => {
      begun.push('first');
      return begun.length === 1 ? untilAborted() : gate.promise;
    });
    const second = task('second', () => {
      begun.push('second');
    });
    const options = { tasks: [first, second], dispatcher: MORTAL };
    const dead = await stage.start(options);
    const [job, behind] = [await dead.async.queueJob(first), await dead.async.queueJob(second)];
    await dead.drain();
    dead.die();
    const { advance, drain, stateOf } = await stage.start({ ...options, tasks: [second] });
    await advance(MORTAL.leaseMs - 1);
    expect((await stateOf(job)).status).toBe('active');
    await advance(DEATH_MS);
    expect([(await stateOf(job)).status, (await stateOf(behind)).status, begun]).toEqual(['pending', 'pending', ['first']]);
    await stage.start(options);
    await drain();
    expect([(await stateOf(job)).status, (await stateOf(behind)).status, begun]).toEqual(['active', 'pending', ['first', 'first']]);
    gate.resolve(42);
    await drain();
    expect([(await stateOf(job)).status, (await stateOf(behind)).status]).toEqual(['completed', 'completed']);
  });

  it('a job of a dead process that runs again later leaves its place in the quota to others', async () => {
    const { work } = lasting({ quotas: ['default'], retry: { interruptionDelayMs: 3_600_000 } });
    const other = task('other', () => 'done');
    const options = { tasks: [work, other], dispatcher: MORTAL };
    const dead = await stage.start(options);
    const [job, behind] = [await dead.async.queueJob(work), await dead.async.queueJob(other)];
    await dead.drain();
    const { stateOf } = await stage.succeed(dead, options);
    expect([(await stateOf(job)).status, (await stateOf(behind)).status]).toEqual(['scheduled', 'completed']);
  });

  it.each([
    ['serial', serial],
    ['parallel', parallel],
  ] as const)('a %s batch that is interrupted in a job and then in its postprocess repeats these alone', async (_kind, batch) => {
    const quick = lasting({ name: 'quick', value: 25, lost: 0 });
    const slow = lasting({ name: 'slow', value: 17 });
    let summed = 0;
    const total = task('total', { quotas: [] }, (jobs: readonly Job<number>[]) => (++summed === 1 ? untilAborted() : sum(jobs)));
    const tasks = [quick.work, slow.work, total];
    const { async, stateOf } = await stage.start({ tasks, dispatcher: false });
    const job = await async.queueJob(batch(makeJob(quick.work), makeJob(slow.work)).postprocess(total));
    for (let life = 0; life < 2; life++) {
      const worker = await stage.start({ tasks, dispatcher: { stopMs: 0 } });
      await worker.drain();
      await worker.stop();
      expect((await stateOf(job)).status).toBe('active');
    }
    const last = await stage.start({ tasks });
    await last.drain();
    expect(await job.waitForResult()).toBe(42);
    expect([quick.runs.length, slow.runs.length, summed]).toEqual([1, 2, 2]);
  });

  it('a process that dies while it recovers the job of a dead one does no harm: the job is interrupted once', async () => {
    const { runs, work } = lasting();
    const options = { tasks: [work], dispatcher: MORTAL };
    const dead = await stage.start(options);
    const job = await dead.async.queueJob(work);
    await dead.drain();
    dead.die();
    let heir: Process | undefined;
    const faults = (store: JobStore): Partial<JobStore> => ({
      recover: async (dispatcher) => {
        const recovery = await store.recover(dispatcher);
        const [record] = await store.find({ ids: [job.id] });
        if (record?.state.interruptions === 1) heir?.die();
        return recovery;
      },
    });
    heir = await stage.start({ ...options, tasks: [], faults });
    await heir.advance(DEATH_MS);
    const { advance, stateOf } = await stage.start(options);
    await advance(DEATH_MS);
    expect(await stateOf(job)).toMatchObject({ status: 'completed', attempts: 2, interruptions: 1 });
    expect(runs).toHaveLength(2);
  });

  it('a job that waits for the one it returned goes on waiting when the process that ran it dies', async () => {
    const gate = deferred<number>();
    let returned = 0;
    const inner = task('inner', { quotas: [] }, () => gate.promise);
    const outer = task('outer', { quotas: [] }, () => {
      returned++;
      return makeJob(inner).with({ queue: 'elsewhere' });
    });
    const tasks = [inner, outer];
    const dead = await stage.start({ tasks, dispatcher: MORTAL });
    const job = await dead.async.queueJob(outer);
    const { advance, drain, stateOf } = await stage.start({ tasks, dispatcher: { ...MORTAL, agents: [{}, { queue: 'elsewhere' }] } });
    await drain();
    dead.die();
    await advance(DEATH_MS);
    expect(await stateOf(job)).toMatchObject({ status: 'active', attempts: 1, interruptions: 0 });
    gate.resolve(42);
    await drain();
    expect([(await stateOf(job)).status, returned]).toEqual(['completed', 1]);
  });

  it('a job that returned a stream is interrupted when its process dies, and runs again', async () => {
    let runs = 0;
    const stream = task('stream', { quotas: [] }, () => (++runs === 1 ? NEVER : of(17, 42)));
    const options = { tasks: [stream], dispatcher: MORTAL };
    const dead = await stage.start(options);
    const job = await dead.async.queueJob(stream);
    await dead.drain();
    const { async, stateOf } = await stage.succeed(dead, options);
    expect((await stateOf(job)).interruptions).toBe(1);
    expect((await async.getJob(job.id))?.result).toBe(42);
  });

  it('what was queued while no worker was there runs in order with the first: what was overdue at once, what is too late not at all', async () => {
    const { noted, note } = noting();
    const tasks = [note];
    const { async, advance, clock, stateOf } = await stage.start({ tasks, dispatcher: false });
    const at = (ms: number): Date => new Date(clock.now() + ms);
    await async.queueJob(note, 'first');
    await async.queueJob(makeJob(note, 'due later').with({ delayMs: 7_200_000 }));
    await async.queueJob(makeJob(note, 'overdue').with({ delayMs: 1_000 }));
    const late = await async.queueJob(makeJob(note, 'too late').with({ beginBy: at(60_000) }));
    await advance(3_600_000);
    await async.queueJob(note, 'last');
    const worker = await stage.start({ tasks, dispatcher: ONE_AT_A_TIME });
    await worker.drain();
    expect(noted).toEqual(['first', 'overdue', 'last']);
    expect(await stateOf(late)).toMatchObject({ status: 'failed', attempts: 0, outcome: { error: { name: 'ExpiredError' } } });
  });
});
