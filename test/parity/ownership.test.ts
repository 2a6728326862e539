/** The owner of a job when dispatchers are wrong about each other. */

import { expect, it } from 'vitest';
import { currentTask, type DispatcherEvent, type JobStore, task } from '../../src/index.js';
import { DEATH_MS, MORTAL, onBothStores, type Process } from '../support/both-stores.js';
import { deferred, untilAborted } from '../support/deferred.js';
import { Outage } from './outage.js';

/** A task that ignores its signal: the first run ends when the test says so. */
function deaf() {
  const first = deferred<string>();
  const runs: number[] = [];
  const work = task('deaf', { quotas: [] }, () => {
    runs.push(runs.length);
    return runs.length === 1 ? first.promise : 'second';
  });
  return { first, runs, work };
}

/** An outage for heartbeats alone. */
function ofHeartbeats() {
  const outage = new Outage();
  const faults = (store: JobStore): Partial<JobStore> => ({ heartbeat: outage.of(store.heartbeat) });
  return { outage, faults };
}

function eventsOf({ async }: Process): DispatcherEvent['type'][] {
  const told: DispatcherEvent['type'][] = [];
  async.dispatcher?.events.subscribe(({ type }) => told.push(type));
  return told;
}

onBothStores((stage) => {
  it('a process that cannot renew its lease has its jobs run by another, and records nothing of its own run', async () => {
    const { first, runs, work } = deaf();
    const { outage, faults } = ofHeartbeats();
    const options = { tasks: [work], dispatcher: MORTAL };
    const slow = await stage.start({ ...options, faults });
    const told = eventsOf(slow);
    const job = await slow.async.queueJob(work);
    await slow.drain();
    const other = await stage.start(options);
    outage.begin();
    await other.advance(DEATH_MS);
    expect(await other.stateOf(job)).toMatchObject({ status: 'completed', attempts: 2, interruptions: 1 });
    expect([slow.async.dispatcher?.running, told]).toEqual([[], ['started', 'database-lost', 'lease-lost']]);
    first.resolve('first');
    await other.drain();
    expect([await job.waitForResult(), runs.length]).toEqual(['second', 2]);
  });

  it('a process that cannot renew its lease aborts the signals of its jobs before another runs them', async () => {
    const seen: [what: string, at: number][] = [];
    const time = { now: (): number => 0 };
    const work = task('work', { quotas: [] }, () => {
      const { attempt, signal } = currentTask();
      seen.push([`run ${attempt}`, time.now()]);
      signal.addEventListener('abort', () => seen.push(['abort', time.now()]));
      return attempt === 1 ? untilAborted() : 42;
    });
    const { outage, faults } = ofHeartbeats();
    const options = { tasks: [work], dispatcher: MORTAL };
    const slow = await stage.start({ ...options, faults });
    time.now = () => slow.clock.now();
    await slow.async.queueJob(work);
    await slow.drain();
    const other = await stage.start(options);
    outage.begin();
    await other.advance(DEATH_MS);
    expect(seen.map(([what]) => what)).toEqual(['run 1', 'abort', 'run 2']);
    const [, [, abortedAt = 0] = [], [, runAt = 0] = []] = seen;
    expect(abortedAt).toBeLessThan(runAt);
  });

  it('a process that does not know that it lost a job can record nothing of it, whether the other run is over or not', async () => {
    const second = deferred<string>();
    const [early, late] = [deferred<string>(), deferred<string>()];
    const runs: string[] = [];
    const work = task('work', { quotas: [] }, (name: 'early' | 'late') => {
      runs.push(name);
      if (runs.filter((run) => run === name).length === 2) return second.promise;
      return name === 'early' ? early.promise : late.promise;
    });
    let isDeceived = false;
    const faults = (store: JobStore): Partial<JobStore> => ({
      heartbeat: async (dispatcher, leaseMs) => (isDeceived ? true : store.heartbeat(dispatcher, leaseMs)),
    });
    const options = { tasks: [work], dispatcher: MORTAL };
    const deceived = await stage.start({ ...options, faults });
    const jobs = [await deceived.async.queueJob(work, 'early'), await deceived.async.queueJob(work, 'late')] as const;
    await deceived.drain();
    isDeceived = true;
    const other = await stage.start(options);
    await other.advance(DEATH_MS);
    expect(runs).toHaveLength(4);
    early.resolve('stale');
    await other.drain();
    expect((await other.stateOf(jobs[0])).status).toBe('active');
    second.resolve('right');
    await other.drain();
    late.resolve('stale');
    await other.drain();
    expect([await jobs[0].waitForResult(), await jobs[1].waitForResult()]).toEqual(['right', 'right']);
    expect([await other.stateOf(jobs[0]), await other.stateOf(jobs[1])]).toMatchObject([{ attempts: 2 }, { attempts: 2 }]);
    isDeceived = false;
  });

  it('a process whose lease was over begins anew when it reaches the database again, and claims then', async () => {
    const quick = task('quick', { quotas: [] }, () => 42);
    const { outage, faults } = ofHeartbeats();
    const slow = await stage.start({ tasks: [quick], dispatcher: MORTAL, faults });
    const told = eventsOf(slow);
    await slow.drain();
    outage.begin();
    await slow.advance(DEATH_MS);
    const job = await slow.async.queueJob(quick);
    outage.end();
    await slow.advance(MORTAL.heartbeatMs);
    expect((await slow.stateOf(job)).status).toBe('completed');
    expect(told.filter((type) => !type.startsWith('database'))).toEqual(['started', 'lease-lost', 'started']);
  });

  it('a process whose lease is over claims nothing, though the rest of the database answers', async () => {
    const quick = task('quick', { quotas: [] }, () => 42);
    const { outage, faults } = ofHeartbeats();
    const { async, advance, stateOf } = await stage.start({ tasks: [quick], dispatcher: MORTAL, faults });
    await advance(0);
    outage.begin();
    await advance(MORTAL.leaseMs);
    const job = await async.queueJob(quick);
    await advance(3_600_000);
    expect([(await stateOf(job)).status, async.dispatcher?.claimed]).toEqual(['pending', 0]);
  });

  it('a process that begins anew where it died with full hands has all its slots, and its old jobs once the old lease is over', async () => {
    let runs = 0;
    const work = task('work', { quotas: [] }, () => (++runs <= 2 ? untilAborted() : 42));
    const quick = task('quick', { quotas: [] }, () => 'done');
    const options = { tasks: [work, quick], dispatcher: { ...MORTAL, name: 'same', agents: [{ concurrency: 2 }] } };
    const dead = await stage.start(options);
    const jobs = [await dead.async.queueJob(work), await dead.async.queueJob(work)] as const;
    await dead.drain();
    dead.die();
    const { async, advance, stateOf } = await stage.start(options);
    expect(await (await async.queueJob(quick)).waitForResult()).toBe('done');
    await advance(DEATH_MS);
    expect([await stateOf(jobs[0]), await stateOf(jobs[1])]).toMatchObject(Array(2).fill({ status: 'completed', interruptions: 1 }));
    expect([runs, async.dispatcher?.running]).toEqual([4, []]);
  });

  it('a job that was cancelled when its claim was recorded, but not yet answered, ends as cancelled, and others go on', async () => {
    const heeding = task('heeding', { quotas: [] }, () => untilAborted());
    const quick = task('quick', { quotas: [] }, () => 42);
    const faults = (store: JobStore): Partial<JobStore> => ({
      claim: async (request) => {
        const claimed = await store.claim(request);
        const victims = claimed.filter(({ job }) => job.taskName === 'heeding').map(({ job }) => job.id);
        if (victims.length > 0) await store.cancel(victims, 'too late');
        return claimed;
      },
    });
    const { async, drain, stateOf } = await stage.start({ tasks: [heeding, quick], dispatcher: { agents: [{ concurrency: 1 }] }, faults });
    const job = await async.queueJob(heeding);
    const behind = await async.queueJob(quick);
    await drain();
    expect(await stateOf(job)).toMatchObject({ status: 'cancelled', cancel: { reason: 'too late' } });
    expect((await stateOf(behind)).status).toBe('completed');
    expect(async.dispatcher?.running).toEqual([]);
  });
});
