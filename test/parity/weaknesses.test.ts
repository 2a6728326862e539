/** The weaknesses of the forerunners, and the faults that were repaired in them. */

import { inspect } from 'node:util';
import { ObjectId } from 'mongodb';
import { describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../src/clock.js';
import {
  currentTask,
  type FunctionTask,
  type IAsyncService,
  type Job,
  type JobStore,
  makeJob,
  never,
  parallel,
  serial,
  type TaskOptions,
  task,
} from '../../src/index.js';
import { Processes } from '../store/mongo/processes.js';
import { DEATH_MS, MORTAL, onBothStores, type Process } from '../support/both-stores.js';
import { deferred, Log, untilAborted } from '../support/deferred.js';
import { Outage } from './outage.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** A task that notes each run by a name; the first run by a name with `!` is lost with its process. */
function noting(options: Pick<TaskOptions, 'quotas' | 'retry'> = { quotas: [] }) {
  const noted: string[] = [];
  const note = task('note', options, (name: string): string | Promise<never> => {
    const isFirst = !noted.includes(name);
    noted.push(name);
    return name.endsWith('!') && isFirst ? untilAborted() : name;
  });
  return { noted, note };
}

onBothStores((stage) => {
  it('a job goes to the one process whose own queue it names, and a draft for each queue to all of them', async () => {
    const seen: string[] = [];
    const start = async (name: string) => {
      const clear = task('clear', { quotas: [] }, (what: string) => {
        seen.push(`${name} ${what}`);
      });
      const process = await stage.start({ tasks: [clear], dispatcher: { name, agents: [{}, { queue: name }] } });
      return { process, clear };
    };
    const names = ['one', 'two', 'three'];
    const { process: first, clear } = await start('one');
    for (const name of names.slice(1)) await start(name);
    await first.async.queueJob(makeJob(clear, 'its cache').with({ queue: 'two' }));
    await first.drain();
    expect(seen).toEqual(['two its cache']);
    await first.async.queueJobs(names.map((queue) => makeJob(clear, 'all').with({ queue })));
    await first.drain();
    expect(seen.slice(1).toSorted()).toEqual(['one all', 'three all', 'two all']);
  });

  it('a callback that takes long holds a slot of its own, and none of its job', async () => {
    const gate = deferred();
    const { note } = noting();
    const slow = task('slow', { quotas: [] }, () => gate.promise);
    const { async, drain } = await stage.start({ tasks: [note, slow], dispatcher: { agents: [{ concurrency: 2 }] } });
    const job = await async.queueJob(makeJob(note, 'job').withCallbacks({ success: slow }));
    await drain();
    const other = await async.queueJob(note, 'other');
    await drain();
    expect([(await job.refresh()).status, (await other.refresh()).status]).toEqual(['callbacks', 'completed']);
    expect(async.dispatcher?.running.map(({ taskName }) => taskName)).toEqual(['slow']);
    gate.resolve();
    await drain();
    expect((await job.refresh()).status).toBe('completed');
  });

  it('a process that accepts one task alone recovers jobs of others, lets them expire, and works on batches', async () => {
    const { note } = noting();
    const own = task('own', { quotas: [] }, () => 42);
    const tasks = [note, own];
    const dead = await stage.start({ tasks, dispatcher: { ...MORTAL, agents: [{ accepts: [note] }] } });
    const lost = await dead.async.queueJob(note, 'lost!');
    await dead.drain();
    dead.die();
    const { async, advance, clock, stateOf } = await stage.start({ tasks, dispatcher: { ...MORTAL, agents: [{ accepts: [own] }] } });
    const late = await async.queueJob(makeJob(note, 'late').with({ beginBy: new Date(clock.now() + 1_000) }));
    const batch = await async.queueJob(serial(makeJob(own), parallel(makeJob(own))));
    await advance(DEATH_MS);
    expect(await stateOf(lost)).toMatchObject({ status: 'pending', interruptions: 1 });
    expect([(await stateOf(late)).status, (await stateOf(batch)).status]).toEqual(['failed', 'completed']);
  });

  it('a batch that makes itself longer without end holds up nobody, and is ended by cancelling it', async () => {
    const { note } = noting();
    let service: IAsyncService | undefined;
    let runs = 0;
    const more: FunctionTask<() => Promise<void>> = task('more', { quotas: [] }, async () => {
      runs++;
      await service?.extendBatch(currentTask().batch ?? '', makeJob(more).with({ delayMs: 1_000 }));
    });
    const { async, advance } = await stage.start({ tasks: [note, more], dispatcher: { agents: [{ concurrency: 1 }] } });
    service = async;
    const batch = await async.queueSerialJobs(makeJob(more));
    await advance(10_000);
    expect(await (await async.queueJob(note, 'other')).waitForResult()).toBe('other');
    const runsBefore = runs;
    await batch.cancel('enough');
    await advance(60_000);
    expect(await batch.waitForOutcome()).toEqual({ status: 'cancelled', reason: 'enough' });
    expect([runsBefore, runs]).toEqual([11, 11]);
  });

  it('neither the stored error nor the log has arguments, variables or the properties of an error', async () => {
    const log = new Log();
    const login = task('login', { quotas: [] }, (password: string) => {
      const header = `Basic ${password}`;
      throw Object.assign(new Error('refused'), { code: 'E_AUTH', request: { header } });
    });
    const { async, store } = await stage.start({ tasks: [login], logger: log });
    const job = await async.queueJob(login, 'hunter2');
    await job.waitForOutcome();
    const [record] = await store.find({ ids: [job.id] });
    expect(job.error).toMatchObject({ message: 'refused', code: 'E_AUTH' });
    expect(log.of('error')).toEqual([`job ${job.id} (login) failed: refused; see \`async.getDeadLetters()\``]);
    const shown = inspect([job.error, record?.state.outcome, log.lines], { depth: 20, showHidden: true, maxStringLength: null });
    expect(shown).not.toContain('hunter2');
  });

  it('a serial batch whose second job is interrupted waits for that to have run again', async () => {
    const { noted, note } = noting();
    const names = task('names', { quotas: [] }, (jobs: readonly Job<string>[]) => jobs.map(({ result }) => result).join(' '));
    const options = { tasks: [note, names], dispatcher: MORTAL };
    const dead = await stage.start(options);
    const draft = serial(makeJob(note, 'a'), makeJob(note, 'b!'), makeJob(note, 'c')).postprocess(names);
    const { id } = await dead.async.queueJob(draft);
    await dead.drain();
    dead.die();
    const { async, advance } = await stage.start(options);
    await advance(MORTAL.leaseMs - 1);
    expect(noted).toEqual(['a', 'b!']);
    await advance(DEATH_MS);
    expect(noted).toEqual(['a', 'b!', 'b!', 'c']);
    expect((await async.getJob(id))?.result).toBe('a b! c');
  });

  it('a callback that is never to be repeated fails as aborted when its process dies, and its job ends', async () => {
    const { noted, note } = noting({ quotas: [], retry: never });
    const options = { tasks: [note], dispatcher: MORTAL };
    const dead = await stage.start(options);
    const job = await dead.async.queueJob(makeJob(note, 'job').withCallback(makeJob(note, 'callback!')));
    await dead.drain();
    expect((await dead.stateOf(job)).status).toBe('callbacks');
    const { async, stateOf } = await stage.succeed(dead, options);
    expect((await stateOf(job)).status).toBe('completed');
    const [aborted] = await async.getJobs({ statuses: ['failed'] });
    expect([aborted?.error?.name, noted]).toEqual(['AbortedError', ['job', 'callback!']]);
  });

  it('what the set-up of the module has made is torn down when that of the task throws', async () => {
    const seen: string[] = [];
    const work = task(
      'work',
      {
        quotas: [],
        setUp: () => {
          throw new RangeError('no connection');
        },
      },
      () => {
        seen.push('work');
      },
    );
    const setUp = () => {
      seen.push('up');
      return () => seen.push('down');
    };
    const { async } = await stage.start({ tasks: [work], setUp });
    expect((await (await async.queueJob(work)).waitForOutcome()).status).toBe('failed');
    expect(seen).toEqual(['up', 'down']);
  });

  it('thirty jobs on three slots and a serial batch of ten take no poll: no time passes until they have ended', async () => {
    const { noted, note } = noting();
    const queuer = await stage.start({ dispatcher: false });
    await stage.start({ tasks: [note], dispatcher: { agents: [{ concurrency: 3 }] } });
    await queuer.drain();
    const before = queuer.clock.now();
    await queuer.async.queueJobs(Array.from({ length: 30 }, (_, index) => makeJob(note, `job ${index}`)));
    const batch = await queuer.async.queueJob(serial(...Array.from({ length: 10 }, (_, index) => makeJob(note, `step ${index}`))));
    await queuer.drain();
    expect([(await queuer.stateOf(batch)).status, noted.length]).toEqual(['completed', 40]);
    expect(queuer.clock.now()).toBe(before);
  });

  it('jobs of a dead process, begun or not, run before those that were queued after them', async () => {
    const { noted, note } = noting({});
    const options = { tasks: [note], dispatcher: MORTAL };
    const dead = await stage.start(options);
    const names = ['1!', '2', '3', '4', '5'];
    await dead.async.queueJobs(names.slice(0, 3).map((name) => makeJob(note, name)));
    await dead.drain();
    dead.die();
    const { async, advance } = await stage.start(options);
    await async.queueJobs(names.slice(3).map((name) => makeJob(note, name)));
    await advance(DEATH_MS);
    expect(noted).toEqual(['1!', ...names]);
  });

  it('one process recovers the jobs of all that died, in one look', async () => {
    const { noted, note } = noting();
    const options = { tasks: [note], dispatcher: MORTAL };
    const mortals: Process[] = [];
    const jobs: Job<string>[] = [];
    for (const name of ['1!', '2!', '3!']) {
      const mortal = await stage.start(options);
      jobs.push(await mortal.async.queueJob(note, name));
      await mortal.drain();
      await mortal.async.quiet();
      mortals.push(mortal);
    }
    expect(mortals.map(({ async }) => async.dispatcher?.running.length)).toEqual([1, 1, 1]);
    for (const mortal of mortals) mortal.die();
    const { advance, stateOf } = await stage.start(options);
    await advance(DEATH_MS);
    expect(noted).toHaveLength(6);
    const states = await Promise.all(jobs.map(stateOf));
    expect(states.map(({ status, interruptions }) => [status, interruptions])).toEqual(Array(3).fill(['completed', 1]));
    expect(new Set(states.map(({ startedAt }) => startedAt?.getTime())).size).toBe(1);
  });

  it('reading annotations while the database is away fails, and the last values stay', async () => {
    const outage = new Outage();
    const noteDown = task('noteDown', { quotas: [] }, () => currentTask().annotate('place', 'here'));
    const faults = (store: JobStore): Partial<JobStore> => ({ find: outage.of(store.find) });
    const { async } = await stage.start({ tasks: [noteDown], faults });
    const job = await async.queueJob(noteDown);
    await job.waitForResult();
    await job.refresh();
    outage.begin();
    await expect(job.refresh()).rejects.toThrow('the database cannot be reached');
    await expect(async.getJob(job.id)).rejects.toThrow('the database cannot be reached');
    expect(job.annotations).toEqual({ place: 'here' });
    outage.end();
  });

  it('1.2 a job has no deadline that nobody has given it', async () => {
    const { note } = noting();
    const { async, advance } = await stage.start({ tasks: [note], dispatcher: false });
    const job = await async.queueJob(note, 'late');
    await advance(100 * DAY_MS);
    const worker = await stage.start({ tasks: [note] });
    await worker.drain();
    expect(await worker.stateOf(job)).toMatchObject({ status: 'completed', attempts: 1 });
  });

  it('1.5.3 nobody else is kept from a signal of the process: no handler is installed', async () => {
    const counts = (): number[] =>
      ['SIGINT', 'SIGTERM', 'SIGHUP', 'uncaughtException', 'unhandledRejection', 'beforeExit', 'exit'].map((event) =>
        process.listenerCount(event),
      );
    const before = counts();
    const { note } = noting();
    const { async, stop } = await stage.start({ tasks: [note] });
    await (await async.queueJob(note, 'job')).waitForResult();
    const during = counts();
    await stop();
    expect([during, counts()]).toEqual([before, before]);
  });
});

const processes = await Processes.forTests('weaknesses');

/** The times of dispatchers that die in real time. */
const QUICK = { leaseMs: 1_000, heartbeatMs: 100, idleHeartbeatMs: 100, pollMs: 100 };

/** A real clock that is `ms` milliseconds ahead. */
const ahead = (ms: number): Clock => ({ ...systemClock, now: () => systemClock.now() + ms });

describe('on MongoDB alone', () => {
  it('processes whose clocks are hours apart take each other for alive, and begin nothing too early', async () => {
    const { note } = noting();
    const gate = deferred<number>();
    const slow = task('slow', { quotas: [] }, () => gate.promise);
    const options = { tasks: [note, slow], dispatcher: QUICK };
    const fast = (await processes.start({ ...options, clock: ahead(2 * HOUR_MS) })).async;
    const running = await fast.queueJob(slow);
    await processes.until(async () => (await running.refresh()).status === 'active');
    const late = (await processes.start({ ...options, clock: ahead(-2 * HOUR_MS) })).async;
    const inAnHour = new Date(systemClock.now() + HOUR_MS);
    const future = await fast.queueJob(makeJob(note, 'future').with({ beginAfter: inAnHour }));
    const soon = await late.queueJob(makeJob(note, 'soon').with({ delayMs: 200, beginBy: inAnHour }));
    expect(await soon.waitForResult()).toBe('soon');
    const end = systemClock.now() + 2_000;
    await processes.until(async () => systemClock.now() > end);
    gate.resolve(42);
    expect(await running.waitForResult()).toBe(42);
    expect([running.attempts, (await future.refresh()).status]).toEqual([1, 'scheduled']);
  });

  it('a job of a status that nobody knows does not keep those beside it from being recovered', async () => {
    const { note } = noting();
    const { async } = await processes.start({ tasks: [note], dispatcher: false });
    const [odd, lost] = [await async.queueJob(note, 'odd'), await async.queueJob(note, 'lost')];
    const leave = (job: Job<string>, status: string) =>
      processes
        .collection('jobs')
        .updateOne(
          { _id: new ObjectId(job.id) },
          { $set: { status, owner: 'gone', token: 'a', startedAt: new Date(0), attempts: 1 }, $unset: { pendingSignal: '' } },
        );
    await leave(odd, 'odd');
    await leave(lost, 'active');
    const gone = { _id: 'gone' as never, state: 'alive', leaseMs: 1_000, since: new Date(0), leaseUntil: new Date(1_000) };
    await processes.collection('dispatchers').insertOne(gone);
    await processes.start({ tasks: [note], dispatcher: QUICK });
    expect(await lost.waitForResult()).toBe('lost');
    expect(lost.attempts).toBe(2);
  });
});
