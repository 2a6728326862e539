/**
 * Agents, dispatchers, policies, annotations and the log, as the forerunners have them (handles G, P, H, T, L, O, M and K of
 * `docs/history/parity.md`).
 */

import { expect, it } from 'vitest';
import { currentTask, fixedDelay, type IAsyncService, type JobStore, makeJob, never, type RetryPolicy, task } from '../../src/index.js';
import { DEATH_MS, MORTAL, onBothStores } from '../support/both-stores.js';
import { deferred, Log, untilAborted } from '../support/deferred.js';
import { Outage } from './outage.js';

/** A task that runs until it is aborted, and the jobs whose runs have begun. */
function waiting() {
  const begun: string[] = [];
  const wait = task('wait', { quotas: [] }, () => {
    begun.push(currentTask().job.id);
    return untilAborted();
  });
  return { begun, wait };
}

/** A task that fails with each run, and the runs by the first argument. */
function failing(retry: RetryPolicy) {
  const runs = new Map<string, number>();
  const fail = task('fail', { quotas: [], retry }, (name: string) => {
    runs.set(name, (runs.get(name) ?? 0) + 1);
    throw new RangeError('it broke');
  });
  return { runs, fail };
}

/** An outage for heartbeats alone. */
function ofHeartbeats() {
  const outage = new Outage();
  const faults = (store: JobStore): Partial<JobStore> => ({ heartbeat: outage.of(store.heartbeat) });
  return { outage, faults };
}

onBothStores((stage) => {
  it('G-03 a dispatcher of which nothing is said runs ten jobs of the default queue at once', async () => {
    const { begun, wait } = waiting();
    const { async, drain } = await stage.start({ tasks: [wait], dispatcher: { stopMs: 0 } });
    await async.queueJobs(Array.from({ length: 12 }, () => makeJob(wait)));
    await drain();
    expect([begun.length, await async.getQueues().get('').size()]).toEqual([10, 2]);
  });

  it('G-10 agents that are changed after the start stay as they were, in a later life as well', async () => {
    const { begun, wait } = waiting();
    const agent = { queue: 'here', concurrency: 1 };
    const agents = [agent];
    const { outage, faults } = ofHeartbeats();
    const { async, advance, drain } = await stage.start({ tasks: [wait], dispatcher: { ...MORTAL, agents, stopMs: 0 }, faults });
    await drain();
    Object.assign(agent, { queue: 'there', concurrency: 5 });
    agents.push({ queue: 'elsewhere', concurrency: 5 });
    outage.begin();
    await advance(MORTAL.leaseMs);
    outage.end();
    await advance(MORTAL.leaseMs);
    await async.queueJobs(['here', 'here', 'there', 'elsewhere'].map((queue) => makeJob(wait).with({ queue })));
    await drain();
    expect(begun).toEqual([(await async.getJobs({ queue: 'here' }))[0]?.id]);
  });

  it('P-16 a service leaves the signals of its process to the application', async () => {
    const heard = () => (['SIGINT', 'SIGTERM', 'SIGHUP'] as const).map((signal) => process.listenerCount(signal));
    const before = heard();
    const { drain, stop } = await stage.start({ tasks: [] });
    await drain();
    expect(heard()).toEqual(before);
    await stop();
    expect(heard()).toEqual(before);
  });

  it('H-04 the jobs of two processes that die together are brought back by a third in one round', async () => {
    let runs = 0;
    const work = task('work', { quotas: [] }, () => (++runs <= 2 ? untilAborted() : 42));
    const options = { tasks: [work], dispatcher: { ...MORTAL, agents: [{ concurrency: 1 }] } };
    const dead = [await stage.start(options), await stage.start(options)] as const;
    const jobs = [await dead[0].async.queueJob(work), await dead[0].async.queueJob(work)] as const;
    await dead[0].drain();
    expect(dead.map(({ async }) => async.dispatcher?.running.length)).toEqual([1, 1]);
    const third = await stage.start(options);
    await third.drain();
    for (const process of dead) process.die();
    const states = () => Promise.all(jobs.map((job) => third.stateOf(job)));
    const over = third.clock.now() + DEATH_MS;
    while ((await states()).every(({ status }) => status === 'active') && third.clock.now() < over) await third.advance(1_000);
    const ended = { status: 'completed', attempts: 2, interruptions: 1 };
    expect(await states()).toMatchObject([ended, ended]);
  });

  it('T-01 a job is run again after ten interruptions, and aborted at the eleventh', async () => {
    const { begun, wait } = waiting();
    const { async, stateOf } = await stage.start({ tasks: [wait], dispatcher: false });
    const job = await async.queueJob(wait);
    for (let life = 1; life <= 11; life++) {
      const worker = await stage.start({ tasks: [wait], dispatcher: { stopMs: 0 } });
      await worker.drain();
      expect(begun).toHaveLength(life);
      await worker.stop();
    }
    expect(await stateOf(job)).toMatchObject({ status: 'failed', attempts: 11, outcome: { error: { name: 'AbortedError' } } });
  });

  it('T-04b two jobs of one policy each have all its attempts', async () => {
    const { runs, fail } = failing(fixedDelay({ attempts: 3, delayMs: 1_000 }));
    const { async, advance } = await stage.start({ tasks: [fail] });
    const retry = fixedDelay({ attempts: 4, delayMs: 1_000 });
    await async.queueJobs([makeJob(fail, 'a'), makeJob(fail, 'b'), makeJob(fail, 'c').with({ retry }), makeJob(fail, 'd').with({ retry })]);
    await advance(10_000);
    expect(Object.fromEntries(runs)).toEqual({ a: 3, b: 3, c: 4, d: 4 });
  });

  it('T-08 a job keeps the policy that it was queued with, in a process whose task has another', async () => {
    const generous = failing({ attempts: 1, interruptions: 5 });
    const strict = failing(never);
    const queueing = await stage.start({ tasks: [generous.fail], dispatcher: false });
    const own = await queueing.async.queueJob(makeJob(generous.fail, 'own').with({ retry: fixedDelay({ attempts: 3, delayMs: 0 }) }));
    const { async, drain, stateOf } = await stage.start({ tasks: [strict.fail] });
    await drain();
    expect([(await stateOf(own)).attempts, strict.runs.get('own')]).toEqual([3, 3]);
    await async.stop();

    const wait = task('fail', { quotas: [], retry: never }, () => untilAborted());
    const interrupted = await queueing.async.queueJob(generous.fail, 'interrupted');
    const worker = await stage.start({ tasks: [wait], dispatcher: { stopMs: 0 } });
    await worker.drain();
    await worker.stop();
    expect(await stateOf(interrupted)).toMatchObject({ status: 'pending', interruptions: 1 });
  });

  it('T-11 an interruption gives a job none of its attempts back', async () => {
    let runs = 0;
    const work = task('work', { quotas: [], retry: fixedDelay({ attempts: 3, delayMs: 1_000 }) }, () => {
      if (++runs === 3) return untilAborted();
      throw new RangeError(`run ${runs}`);
    });
    const { async, stateOf } = await stage.start({ tasks: [work], dispatcher: false });
    const job = await async.queueJob(work);
    const first = await stage.start({ tasks: [work], dispatcher: { stopMs: 0 } });
    await first.advance(2_000);
    await first.stop();
    expect(await stateOf(job)).toMatchObject({ status: 'pending', failures: 2, interruptions: 1 });
    const second = await stage.start({ tasks: [work] });
    await second.drain();
    expect(await stateOf(job)).toMatchObject({ status: 'failed', attempts: 4, outcome: { error: { message: 'run 4' } } });
  });

  it('T-12 a callback is retried after its delay, and its job waits for it', async () => {
    const DELAY_MS = 60_000;
    const work = task('work', { quotas: [] }, () => 42);
    let runs = 0;
    const note = task('note', { quotas: [], retry: fixedDelay({ attempts: 2, delayMs: DELAY_MS }) }, () => {
      if (++runs === 1) throw new RangeError('not yet');
    });
    const { async, advance } = await stage.start({ tasks: [work, note] });
    const job = await async.queueJob(makeJob(work).withCallback(note));
    await advance(DELAY_MS - 1);
    const [callback] = await async.getJobs({ task: note });
    expect([(await job.refresh()).status, callback?.status, runs]).toEqual(['callbacks', 'scheduled', 1]);
    await advance(1);
    expect([(await job.refresh()).status, runs]).toEqual(['completed', 2]);
  });

  it('L-03 what a job says of itself is seen in other processes while it runs, and stays when its transaction is given up', async () => {
    const gate = deferred();
    const service: { async?: IAsyncService } = {};
    const work = task('work', { quotas: [] }, () =>
      service.async?.transaction(async () => {
        const { annotate, progress } = currentTask();
        annotate('files', { done: ['a', 'b'] });
        progress(0.5);
        await gate.promise;
        throw new RangeError('not like this');
      }),
    );
    const other = await stage.start({ tasks: [work], dispatcher: false });
    const { async, drain } = await stage.start({ tasks: [work] });
    service.async = async;
    const { id } = await async.queueJob(work);
    await drain();
    const seen = await other.async.getJob(id);
    expect([seen?.status, seen?.annotations, seen?.progress]).toEqual(['active', { files: { done: ['a', 'b'] } }, 0.5]);
    gate.resolve();
    await drain();
    const { status, annotations } = (await seen?.refresh()) ?? {};
    expect([status, annotations]).toEqual(['failed', { files: { done: ['a', 'b'] } }]);
  });

  it('O-01 a dispatcher logs its start, the loss of the database and of its lease, and its stop, each at its level', async () => {
    const log = new Log();
    const { outage, faults } = ofHeartbeats();
    const { advance, stop } = await stage.start({ tasks: [], dispatcher: MORTAL, faults, logger: log });
    await advance(0);
    outage.begin();
    await advance(MORTAL.leaseMs);
    outage.end();
    await advance(MORTAL.leaseMs);
    await stop();
    const said = log.lines.filter(({ message }) => message.startsWith('dispatcher process-1 '));
    expect(said.map(({ level, message }) => `${level} ${message.slice('dispatcher process-1 '.length)}`)).toEqual([
      'info has begun to work',
      'warn cannot reach the database, and goes on trying',
      'error has lost its lease: its jobs are given up, and it begins anew',
      'info can reach the database again',
      'info has begun to work',
      'info has stopped',
    ]);
    expect(said[1]?.details).toMatchObject({ err: { message: 'the database cannot be reached' } });
  });

  it('O-04 a failure is logged before the callbacks of its job run', async () => {
    const log = new Log();
    const { fail } = failing(never);
    let logged: readonly string[] = [];
    const note = task('note', { quotas: [] }, () => {
      logged = log.of('error');
    });
    const { async, drain } = await stage.start({ tasks: [fail, note], logger: log });
    const job = await async.queueJob(makeJob(fail, 'once').withCallbacks({ failure: note }));
    await drain();
    expect(logged).toEqual([`job ${job.id} (fail) failed: it broke; see \`async.getDeadLetters()\``]);
  });

  it('M-04 a dispatcher names the jobs it has in hand, with the run of each, and no others', async () => {
    const { wait } = waiting();
    let runs = 0;
    const again = task('again', { quotas: [], retry: fixedDelay({ attempts: 2, delayMs: 0 }) }, () => {
      if (++runs === 1) throw new RangeError('not yet');
      return untilAborted();
    });
    const quick = task('quick', { quotas: [] }, () => 42);
    const { async, drain } = await stage.start({ tasks: [wait, again, quick], dispatcher: { stopMs: 0 } });
    const jobs = [await async.queueJob(wait), await async.queueJob(again), await async.queueJob(quick)] as const;
    await async.queueJob(makeJob(wait).with({ queue: 'elsewhere' }));
    await drain();
    expect(async.dispatcher?.running.toSorted((a, b) => a.id.localeCompare(b.id))).toEqual([
      { id: jobs[0].id, taskName: 'wait', attempt: 1 },
      { id: jobs[1].id, taskName: 'again', attempt: 2 },
    ]);
  });
});
