import { Container } from 'inversify';
import { firstValueFrom, Observable } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { nextTurn } from '../../src/clock.js';
import {
  asyncModule,
  currentTask,
  type Job,
  type JobStore,
  makeJob,
  memoryStore,
  NotRunningError,
  OptionError,
  StartError,
  start,
  task,
} from '../../src/index.js';
import { setup } from '../support/bundle.js';
import { deferred, Log, untilAborted } from '../support/deferred.js';
import { silent } from '../support/silent.js';
import { collectGarbage } from './garbage.js';

const add = task('add', { quotas: [] }, (x: number, y: number) => x + y);
const greet = task('greet', { quotas: [] }, (name: string) => `hello ${name}`);
const hang = task('hang', { quotas: [] }, () => untilAborted());

const stateOf = async (store: JobStore, { id }: Job<unknown>) => (await store.find({ ids: [id] }))[0]?.state;

/** A few turns of the event loop: all that a moment of virtual time brings, also while something waits for a later one. */
async function turns(): Promise<void> {
  for (let count = 0; count < 10; count++) await firstValueFrom(nextTurn());
}

/** A store that does some things in another way. */
function wrapped(changed: (store: JobStore) => Partial<JobStore>): JobStore {
  const store = memoryStore();
  const own = changed(store);
  return new Proxy(store, {
    get: (target, key) => {
      const value = Reflect.get(own, key) ?? Reflect.get(target, key);
      return typeof value === 'function' ? value.bind(Reflect.has(own, key) ? own : target) : value;
    },
  });
}

describe('an agent', () => {
  it('runs the tasks of its list, and leaves the others', async () => {
    const { async, drain } = await setup({ tasks: [add, greet], dispatcher: { agents: [{ accepts: [greet] }] } });
    const sum = await async.queueJob(add, 1, 2);
    const greeting = await async.queueJob(greet, 'Ada');
    await drain();
    expect([(await sum.refresh()).status, (await greeting.refresh()).status]).toEqual(['pending', 'completed']);
  });

  it('runs the tasks whose names pass', async () => {
    const { async, drain } = await setup({ tasks: [add, greet], dispatcher: { agents: [{ accepts: (name) => name.startsWith('a') }] } });
    const sum = await async.queueJob(add, 1, 2);
    const greeting = await async.queueJob(greet, 'Ada');
    await drain();
    expect([(await sum.refresh()).status, (await greeting.refresh()).status]).toEqual(['completed', 'pending']);
  });

  it('runs jobs stored under an older name of a task of its list', async () => {
    const store = memoryStore();
    const old = task('salute', { quotas: [] }, (name: string) => `salute ${name}`);
    const renamed = task('welcome', { quotas: [], aliases: ['salute'] }, (name: string) => `welcome ${name}`);
    const queueing = await setup({ store, tasks: [old], dispatcher: false });
    const job = await queueing.async.queueJob(old, 'Ada');
    await setup({ store, tasks: [renamed], dispatcher: { agents: [{ accepts: [renamed] }] } });
    expect(await job.waitForResult()).toBe('welcome Ada');
  });

  it('cannot accept a task that its process does not have', async () => {
    const refused = setup({ tasks: [add], dispatcher: { agents: [{ accepts: [greet] }] } });
    await expect(refused).rejects.toThrow(StartError);
    await expect(refused).rejects.toThrow('`dispatcher.agents[0].accepts` has greet, which is not in `tasks`');
  });

  it('cannot accept a value that is not a task', async () => {
    const refused = setup({ tasks: [add], dispatcher: { agents: [{ accepts: ['add' as never] }] } });
    await expect(refused).rejects.toThrow(StartError);
  });

  it('serves its queue and no other', async () => {
    const { async, drain } = await setup({ tasks: [add], dispatcher: { agents: [{ queue: 'letters' }] } });
    const [here, there] = await async.queueJobs([makeJob(add, 1, 2).with({ queue: 'letters' }), makeJob(add, 3, 4)]);
    await drain();
    expect([(await here.refresh()).status, (await there.refresh()).status]).toEqual(['completed', 'pending']);
  });

  it('runs no more jobs at once than its concurrency says', async () => {
    const gate = deferred();
    let running = 0;
    let most = 0;
    const wait = task('wait', { quotas: [] }, async () => {
      most = Math.max(most, ++running);
      await gate.promise;
      running--;
    });
    const { async, drain, waitForAllJobs } = await setup({ tasks: [wait], dispatcher: { agents: [{ concurrency: 3 }] } });
    await async.queueJobs(Array.from({ length: 10 }, () => makeJob(wait)));
    await drain();
    expect(running).toBe(3);
    gate.resolve();
    await waitForAllJobs();
    expect(most).toBe(3);
  });

  it('has slots of its own: jobs of one queue do not hold up another', async () => {
    const { async, drain } = await setup({
      tasks: [add, hang],
      dispatcher: { agents: [{ queue: 'slow', concurrency: 2 }, { queue: 'quick' }] },
    });
    await async.queueJobs(Array.from({ length: 5 }, () => makeJob(hang).with({ queue: 'slow' })));
    const job = await async.queueJob(makeJob(add, 1, 2).with({ queue: 'quick' }));
    await drain();
    expect((await job.refresh()).status).toBe('completed');
    expect(async.dispatcher?.running).toHaveLength(2);
    expect(await async.getQueues().get('slow').size()).toBe(3);
  });

  it('shares a queue with another that accepts other tasks', async () => {
    const { async, drain } = await setup({
      tasks: [add, hang],
      dispatcher: {
        agents: [
          { concurrency: 1, accepts: [hang] },
          { concurrency: 1, accepts: [add] },
        ],
      },
    });
    await async.queueJobs([makeJob(hang), makeJob(hang)]);
    const job = await async.queueJob(add, 1, 2);
    await drain();
    expect((await job.refresh()).status).toBe('completed');
    expect(async.dispatcher?.running).toHaveLength(1);
  });

  it('takes a job as soon as a slot is free', async () => {
    const gates = [deferred(), deferred()];
    const wait = task('wait', { quotas: [] }, (index: number) => gates[index]?.promise);
    const { async, drain } = await setup({ tasks: [wait, add], dispatcher: { agents: [{ concurrency: 2 }] } });
    await async.queueJobs([makeJob(wait, 0), makeJob(wait, 1)]);
    const next = await async.queueJob(add, 1, 2);
    await drain();
    expect((await next.refresh()).status).toBe('pending');
    gates[1]?.resolve();
    expect(await next.waitForResult()).toBe(3);
    gates[0]?.resolve();
  });
});

describe('a process without a dispatcher', () => {
  it('queues, and runs nothing', async () => {
    const { async, drain } = await setup({ tasks: [add], dispatcher: false });
    const job = await async.queueJob(add, 1, 2);
    await drain();
    expect((await job.refresh()).status).toBe('pending');
    expect(async.dispatcher).toBeUndefined();
  });
});

describe('the options of a dispatcher', () => {
  const refusals: readonly [string, object, string][] = [
    ['an unknown option', { agnets: [] }, '`dispatcher` has no option `agnets`; did you mean `agents`?'],
    [
      'an unknown option of an agent',
      { agents: [{ concurency: 1 }] },
      '`dispatcher.agents[0]` has no option `concurency`; did you mean `concurrency`?',
    ],
    [
      'a concurrency of 0',
      { agents: [{}, { concurrency: 0 }] },
      '`concurrency` of `dispatcher.agents[1]` must be an integer of at least 1, but is the number 0',
    ],
    ['an agent that is none', { agents: [7] }, '`dispatcher.agents[0]` must be an object, but is the number 7'],
    ['agents that are not an array', { agents: {} }, '`agents` of `dispatcher` must be an array of at least one agent'],
    ['no agents at all', { agents: [] }, '`dispatcher: false` is for a process that only queues'],
    [
      'an agent that accepts nothing',
      { agents: [{ accepts: [] }] },
      '`accepts` of `dispatcher.agents[0]` must be an array of at least one task',
    ],
    [
      'a heartbeat that is not within the lease',
      { leaseMs: 5_000, heartbeatMs: 5_000 },
      '`heartbeatMs` of `dispatcher` must be less than `leaseMs` (5000), but is the number 5000',
    ],
    ['a poll without a pause', { pollMs: 0 }, '`pollMs` of `dispatcher` must be'],
    ['a time that no timer can wait', { pollMs: 2 ** 31 }, '`pollMs` of `dispatcher` must be'],
    ['a negative stop', { stopMs: -1 }, '`stopMs` of `dispatcher` must be'],
  ];

  it.each(refusals)('refuse %s', async (_what, dispatcher, message) => {
    const refused = setup({ tasks: [add], dispatcher });
    await expect(refused).rejects.toThrow(OptionError);
    await expect(refused).rejects.toThrow(message);
  });

  it('take `undefined` for an option that is absent', async () => {
    const { async } = await setup({
      tasks: [add],
      dispatcher: { agents: [{ queue: undefined, concurrency: undefined, accepts: undefined }], stopMs: undefined },
    });
    expect(await (await async.queueJob(add, 1, 2)).waitForResult()).toBe(3);
  });
});

describe('quiet', () => {
  it('takes no more jobs, lets running ones go on, and goes on queueing', async () => {
    const gate = deferred();
    const wait = task('wait', { quotas: [] }, () => gate.promise);
    const { async, drain } = await setup({ tasks: [wait, add] });
    const running = await async.queueJob(wait);
    await drain();
    await async.quiet();
    const later = await async.queueJob(add, 1, 2);
    gate.resolve();
    expect((await running.waitForOutcome()).status).toBe('completed');
    await drain();
    expect((await later.refresh()).status).toBe('pending');
  });

  it('hands back what a claim in flight brings, as if it had never been claimed', async () => {
    const asked = deferred();
    const answered = deferred();
    const store = wrapped((memory) => ({
      claim: async (request) => {
        const claimed = await memory.claim(request);
        asked.resolve();
        await answered.promise;
        return claimed;
      },
    }));
    const { async, drain } = await setup({ store, tasks: [add], dispatcher: { leaseMs: 30_000, heartbeatMs: 5_000, pollMs: 30_000 } });
    const job = await async.queueJob(makeJob(add, 1, 2).with({ quotas: ['default'] }));
    await asked.promise;
    const quiet = async.quiet();
    answered.resolve();
    await quiet;
    await drain();
    expect(await stateOf(store, job)).toMatchObject({ status: 'pending', attempts: 0, interruptions: 0 });
    expect(await stateOf(store, job)).not.toHaveProperty('owner', expect.anything());
    const other = await setup({ store, tasks: [add] });
    await other.waitForAllJobs();
    expect(await job.waitForResult()).toBe(3);
  });

  it('keeps what was claimed together, though the first of it asks for that', async () => {
    const asks = task('asks', { quotas: [] }, (): Promise<void> => bench.async.quiet());
    const bench = await setup({ tasks: [asks, add] });
    const { async, drain } = bench;
    const [, second] = await async.queueJobs([makeJob(asks), makeJob(add, 1, 2)]);
    await drain();
    expect([(await second.refresh()).status, second.attempts]).toEqual(['completed', 1]);
  });

  it('may be asked for more than once', async () => {
    const { async } = await setup({ tasks: [add] });
    await Promise.all([async.quiet(), async.quiet()]);
    await async.quiet();
    expect(async.dispatcher?.running).toEqual([]);
  });
});

describe('stop', () => {
  it('waits for running jobs as long as `stopMs` says', async () => {
    const gate = deferred();
    const wait = task('wait', { quotas: [] }, () => gate.promise);
    const store = memoryStore();
    const { async, advance, drain } = await setup({ store, tasks: [wait], dispatcher: { stopMs: 5_000 } });
    const job = await async.queueJob(wait);
    await drain();
    const stopping = async.stop();
    await advance(4_999);
    gate.resolve();
    await stopping;
    expect((await stateOf(store, job))?.status).toBe('completed');
  });

  it('then aborts the signals, and hands back as interrupted what throws', async () => {
    let reason: unknown;
    const watch = task('watch', { quotas: [] }, async () => {
      try {
        await untilAborted();
      } catch (error) {
        reason = error;
        throw error;
      }
    });
    const store = memoryStore();
    const { async, advance, drain } = await setup({ store, tasks: [watch], dispatcher: { stopMs: 5_000 } });
    const job = await async.queueJob(watch);
    await drain();
    const stopping = async.stop();
    await advance(4_999);
    expect(reason).toBeUndefined();
    await advance(1);
    await stopping;
    expect(reason).toBeInstanceOf(NotRunningError);
    expect(await stateOf(store, job)).toMatchObject({ status: 'pending', interruptions: 1, attempts: 1 });
  });

  it('records the result of a job that returns when it is aborted', async () => {
    const tidy = task('tidy', { quotas: [] }, () => untilAborted().catch(() => 'as far as I got'));
    const store = memoryStore();
    const { async, drain, stop } = await setup({ store, tasks: [tidy] });
    const job = await async.queueJob(tidy);
    await drain();
    await stop();
    expect((await stateOf(store, job))?.status).toBe('completed');
  });

  it('hands back as interrupted what ignores its signal, and records nothing of it later', async () => {
    const gate = deferred();
    const deaf = task('deaf', { quotas: [] }, () => gate.promise);
    const store = memoryStore();
    const log = new Log();
    const { async, drain, stop } = await setup({ store, tasks: [deaf], logger: log });
    const job = await async.queueJob(deaf);
    await drain();
    await stop();
    expect(await stateOf(store, job)).toMatchObject({ status: 'pending', interruptions: 1 });
    expect(log.of('warn').join()).toContain(`job ${job.id} (deaf) ignored its signal and was given up`);
    gate.resolve();
    await firstValueFrom(nextTurn());
    expect((await stateOf(store, job))?.status).toBe('pending');
  });

  it('fails a job that was interrupted more often than its policy allows', async () => {
    const store = memoryStore();
    const once = task('once', { quotas: [], retry: { interruptions: 0 } }, () => untilAborted());
    const { async, drain, stop } = await setup({ store, tasks: [once] });
    const job = await async.queueJob(once);
    await drain();
    await stop();
    expect(await stateOf(store, job)).toMatchObject({ status: 'failed', outcome: { error: { code: 'MILLRACE_ABORTED' } } });
  });

  it('leaves no timer of a job with a timeout that ignores its signal', async () => {
    const gate = deferred();
    const deaf = task('deaf', { quotas: [], timeoutMs: 3_600_000 }, () => gate.promise);
    const { async, drain, stop, clock } = await setup({ tasks: [deaf] });
    await async.queueJob(deaf);
    await drain();
    await stop();
    expect(clock.scheduler.actions).toHaveLength(0);
    gate.resolve();
  });

  it('gives up the lease', async () => {
    const beats: [string, number][] = [];
    const store = wrapped((memory) => ({
      heartbeat: (dispatcher, leaseMs) => {
        beats.push([dispatcher, leaseMs]);
        return memory.heartbeat(dispatcher, leaseMs);
      },
    }));
    const { drain, stop } = await setup({ store, tasks: [add] });
    await drain();
    await stop();
    expect(beats.at(-1)).toEqual([beats[0]?.[0], 0]);
  });

  it('lets go of everything that it listened to', async () => {
    let listening = 0;
    const store = wrapped((memory) => ({
      changes: (interest) =>
        new Observable((subscriber) => {
          listening++;
          subscriber.add(memory.changes(interest).subscribe(subscriber));
          return () => listening--;
        }),
    }));
    const { async, drain, stop } = await setup({ store, tasks: [add] });
    await (await async.queueJob(add, 1, 2)).waitForResult();
    await drain();
    expect(listening).toBeGreaterThan(0);
    await stop();
    expect(listening).toBe(0);
  });

  it('may be asked for again, and at the same time', async () => {
    const { async, stop } = await setup({ tasks: [add] });
    await Promise.all([stop(), async.stop()]);
    await async.stop();
    await expect(async.queueJob(add, 1, 2)).rejects.toThrow(NotRunningError);
  });

  it('ends also where the store cannot be reached', async () => {
    let isDown = false;
    const fails = (): Promise<never> => Promise.reject(new Error('the store cannot be reached'));
    const store = wrapped((memory) => ({
      settle: (ends) => (isDown ? fails() : memory.settle(ends)),
      release: (holds) => (isDown ? fails() : memory.release(holds)),
      heartbeat: (dispatcher, leaseMs) => (isDown ? fails() : memory.heartbeat(dispatcher, leaseMs)),
    }));
    const gate = deferred();
    const wait = task('wait', { quotas: [] }, () => gate.promise);
    const { async, drain, clock } = await setup({ store, tasks: [wait, hang], dispatcher: { stopMs: 5_000 } });
    await async.queueJobs([makeJob(wait), makeJob(hang)]);
    await drain();
    isDown = true;
    gate.resolve();
    let hasStopped = false;
    void async.stop().then(() => {
      hasStopped = true;
    });
    await clock.advance(10_000, turns);
    expect(hasStopped).toBe(true);
    expect(clock.scheduler.actions).toHaveLength(0);
  });

  it('leaves nothing behind, however often it is started and stopped', { timeout: 60_000 }, async () => {
    let listening = 0;
    const cycle = async (withJob: boolean): Promise<void> => {
      const store = wrapped((memory) => ({
        changes: (interest) =>
          new Observable((subscriber) => {
            listening++;
            subscriber.add(memory.changes(interest).subscribe(subscriber));
            return () => listening--;
          }),
      }));
      const container = new Container();
      container.load(asyncModule({ store, tasks: [add], logger: silent }));
      const async = await start(container);
      if (withJob) await (await async.queueJob(add, 1, 2)).waitForResult();
      await async.stop();
    };
    for (let count = 0; count < 200; count++) await cycle(count % 2 === 0);
    collectGarbage();
    const before = {
      resources: process.getActiveResourcesInfo().filter((name) => name === 'Timeout' || name === 'Immediate').length,
      heap: process.memoryUsage().heapUsed,
    };
    for (let count = 0; count < 1_000; count++) await cycle(count % 2 === 0);
    await firstValueFrom(nextTurn());
    collectGarbage();
    expect(listening).toBe(0);
    expect(process.getActiveResourcesInfo().filter((name) => name === 'Timeout' || name === 'Immediate').length).toBeLessThanOrEqual(
      before.resources,
    );
    expect(process.memoryUsage().heapUsed - before.heap).toBeLessThan(2 * 1024 * 1024);
  });
});

describe('a dispatcher that lost its lease', () => {
  const times = { leaseMs: 30_000, heartbeatMs: 5_000, idleHeartbeatMs: 5_000, pollMs: 30_000 };

  /** A memory store that can be told to refuse the next heartbeat, as if others had taken over. */
  function refusing() {
    const beats: string[] = [];
    let isRefused = false;
    const store = wrapped((memory) => ({
      heartbeat: (dispatcher, leaseMs) => {
        beats.push(dispatcher);
        const refused = isRefused;
        isRefused = false;
        return refused ? Promise.resolve(false) : memory.heartbeat(dispatcher, leaseMs);
      },
    }));
    const refuse = (): void => {
      isRefused = true;
    };
    return { beats, store, refuse };
  }

  it('begins anew under another name', async () => {
    const { beats, store, refuse } = refusing();
    const { async, advance, drain } = await setup({ store, tasks: [add], dispatcher: times });
    await drain();
    refuse();
    await advance(5_000);
    expect(new Set(beats).size).toBe(1);
    await advance(1_000);
    expect(new Set(beats).size).toBe(2);
    expect(await (await async.queueJob(add, 1, 2)).waitForResult()).toBe(3);
  });

  it('aborts the signals of its jobs, and runs them again once its old lease is over', async () => {
    const reasons: unknown[] = [];
    const steady = task('steady', { quotas: [] }, async () => {
      if (currentTask().attempt > 1) return 'done';
      return untilAborted().catch((error: unknown) => {
        reasons.push(error);
        throw error;
      });
    });
    const { store, refuse } = refusing();
    const { async, advance, drain } = await setup({ store, tasks: [steady], dispatcher: times });
    const job = await async.queueJob(steady);
    await drain();
    refuse();
    await advance(5_000);
    expect(reasons).toHaveLength(1);
    await advance(120_000);
    expect(await stateOf(store, job)).toMatchObject({ status: 'completed', attempts: 2, interruptions: 1 });
  });

  it('records nothing that its methods still do', async () => {
    const gate = deferred<string>();
    const deaf = task('deaf', { quotas: [] }, () => (currentTask().attempt === 1 ? gate.promise : 'the second'));
    const { store, refuse } = refusing();
    const { async, advance, drain } = await setup({ store, tasks: [deaf], dispatcher: times });
    const job = await async.queueJob(deaf);
    await drain();
    refuse();
    await advance(5_000);
    gate.resolve('the first');
    await drain();
    expect((await stateOf(store, job))?.status).toBe('active');
    await advance(120_000);
    expect(await job.waitForResult()).toBe('the second');
  });

  it('queues nothing for a method that returns a draft after that', async () => {
    const gate = deferred();
    const wait = task('wait', { quotas: [] }, async () => {
      if (currentTask().attempt > 1) return undefined;
      await gate.promise;
      return makeJob(add, 1, 2);
    });
    const { store, refuse } = refusing();
    const { async, advance, drain } = await setup({ store, tasks: [wait, add], dispatcher: times });
    await async.queueJob(wait);
    await drain();
    refuse();
    await advance(5_000);
    gate.resolve();
    await drain();
    expect(await store.count({ taskNames: ['add'] })).toBe(0);
  });

  it('has all its slots again', async () => {
    const gate = deferred();
    const deaf = task('deaf', { quotas: [] }, () => gate.promise);
    const { store, refuse } = refusing();
    const { async, advance, drain } = await setup({ store, tasks: [deaf, add], dispatcher: { ...times, agents: [{ concurrency: 1 }] } });
    await async.queueJob(deaf);
    await drain();
    refuse();
    await advance(6_000);
    expect(await (await async.queueJob(add, 1, 2)).waitForResult()).toBe(3);
    gate.resolve();
  });

  it('stops like any other, also while it waits to begin anew', async () => {
    const { store, refuse } = refusing();
    const { advance, drain, stop, clock } = await setup({ store, tasks: [add], dispatcher: times });
    await drain();
    refuse();
    await advance(5_500);
    await stop();
    expect(clock.scheduler.actions).toHaveLength(0);
  });

  it('takes nothing more when it was quiet', async () => {
    const { store, refuse } = refusing();
    const { async, advance, drain } = await setup({ store, tasks: [add], dispatcher: times });
    await drain();
    await async.quiet();
    refuse();
    await advance(10_000);
    const job = await async.queueJob(add, 1, 2);
    await drain();
    expect((await job.refresh()).status).toBe('pending');
  });
});

describe('a store that fails now and then', () => {
  it('is asked again a second after a claim that failed', async () => {
    let failures = 3;
    const store = wrapped((memory) => ({
      claim: (request) => (failures-- > 0 ? Promise.reject(new Error('the store cannot be reached')) : memory.claim(request)),
    }));
    const { async, advance, drain } = await setup({ store, tasks: [add] });
    const job = await async.queueJob(add, 1, 2);
    await drain();
    await advance(2_999);
    expect((await job.refresh()).status).toBe('pending');
    await advance(1);
    expect((await job.refresh()).status).toBe('completed');
  });

  it('is given the end of a job again and again, until it takes it', async () => {
    let failures = 3;
    const store = wrapped((memory) => ({
      settle: (ends) => (failures-- > 0 ? Promise.reject(new Error('the store cannot be reached')) : memory.settle(ends)),
    }));
    const { async, clock } = await setup({ store, tasks: [add] });
    const job = await async.queueJob(add, 1, 2);
    await clock.advance(2_999, turns);
    expect((await job.refresh()).status).toBe('active');
    await clock.advance(1, turns);
    expect((await job.refresh()).status).toBe('completed');
  });

  it('loses progress that it did not take, and no end', async () => {
    const store = wrapped(() => ({ report: () => Promise.reject(new Error('the store cannot be reached')) }));
    const told = task('told', { quotas: [] }, () => currentTask().progress(0.5));
    const { async } = await setup({ store, tasks: [told] });
    const job = await async.queueJob(told);
    expect((await job.waitForOutcome()).status).toBe('completed');
  });
});

describe('the events of a dispatcher', () => {
  const times = { leaseMs: 30_000, heartbeatMs: 5_000, pollMs: 30_000 };

  it('report each change once: it began, lost the database, has it back, has stopped', async () => {
    let isAway = false;
    const answer = <T>(call: () => Promise<T>): Promise<T> => (isAway ? Promise.reject(new Error('no route')) : call());
    const store = wrapped((memory) => ({
      heartbeat: (...args) => answer(() => memory.heartbeat(...args)),
      claim: (request) => answer(() => memory.claim(request)),
    }));
    const { async, advance, drain, stop } = await setup({ store, tasks: [add], dispatcher: times });
    const told: string[] = [];
    async.dispatcher?.events.subscribe({ next: ({ type }) => told.push(type), complete: () => told.push('complete') });
    await drain();
    isAway = true;
    await advance(120_000);
    isAway = false;
    await advance(20_000);
    await stop();
    expect(told).toEqual(['started', 'database-lost', 'lease-lost', 'database-back', 'started', 'stopped', 'complete']);
  });

  it('is the latest first, for those who come later', async () => {
    const { async, drain } = await setup({ tasks: [add] });
    await drain();
    const told: string[] = [];
    async.dispatcher?.events.subscribe(({ type }) => told.push(type));
    expect(told).toEqual(['started']);
  });

  it('goes on when a handler throws', async () => {
    const { async, stop, drain } = await setup({ tasks: [add] });
    const told: string[] = [];
    async.dispatcher?.events.subscribe(({ type }) => {
      told.push(type);
      throw new Error('a bad handler');
    });
    await drain();
    await stop();
    expect(told).toEqual(['started', 'stopped']);
  });

  it('has its name, which is part of the name of each of its lives', async () => {
    const lives: string[] = [];
    const store = wrapped((memory) => ({
      heartbeat: (dispatcher, leaseMs) => {
        lives.push(dispatcher);
        return memory.heartbeat(dispatcher, leaseMs);
      },
    }));
    const { async, drain } = await setup({ store, tasks: [add], dispatcher: { name: 'reports-1' } });
    await drain();
    expect(async.dispatcher?.name).toBe('reports-1');
    expect(lives[0]).toMatch(/^reports-1-[0-9a-f]{24}$/);
  });
});
