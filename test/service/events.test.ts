import { firstValueFrom, map, Observable, type Subscription } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { callback, type IAsyncService, makeJob, memoryStore, parallel, type StoredError, serial, task } from '../../src/index.js';
import { setup } from '../support/bundle.js';
import { deferred, Log, untilAborted } from '../support/deferred.js';

const work = task('work', { quotas: [] }, (value: number) => value);
const boom = task('boom', { quotas: [] }, (message: string): never => {
  throw new Error(message);
});
const hang = task('hang', { quotas: [] }, () => untilAborted());
const tasks = [work, boom, hang];

describe('events', () => {
  it('report each job once, by its outcome', async () => {
    const { async, drain } = await setup({ tasks });
    const seen: string[] = [];
    async.events.success.subscribe(({ job, result }) => seen.push(`${job.taskName} gave ${String(result)}`));
    async.events.failure.subscribe(({ job, error }) => seen.push(`${job.taskName} failed: ${error.message}`));
    async.events.cancelled.subscribe(({ job, reason }) => seen.push(`${job.taskName} cancelled: ${reason}`));
    await (await async.queueJob(work, 42)).waitForResult();
    await (await async.queueJob(boom, 'no')).waitForOutcome();
    const running = await async.queueJob(hang);
    await drain();
    await running.cancel('enough');
    await running.waitForOutcome();
    expect(seen).toEqual(['work gave 42', 'boom failed: no', 'hang cancelled: enough']);
  });

  it('tell all of them in one stream, with the outcome', async () => {
    const { async } = await setup({ tasks });
    const seen: unknown[] = [];
    async.events.all.subscribe(({ job, outcome }) => seen.push([job.id, outcome.status]));
    const jobs = [await async.queueJob(work, 1), await async.queueJob(boom, 'no')];
    for (const job of jobs) await job.waitForOutcome();
    expect(seen.sort()).toEqual([
      [jobs[0]?.id, 'completed'],
      [jobs[1]?.id, 'failed'],
    ]);
  });

  it('tell a waiting job that is cancelled too', async () => {
    const { async, drain } = await setup({ tasks, dispatcher: { agents: [{ queue: 'other' }] } });
    const seen: (string | undefined)[] = [];
    async.events.cancelled.subscribe(({ reason }) => seen.push(reason));
    const job = await async.queueJob(work, 1);
    await job.cancel('no');
    await drain();
    expect(seen).toEqual(['no']);
  });

  it('tell a job that expired', async () => {
    const { async, clock, advance } = await setup({ tasks });
    const codes: (string | undefined)[] = [];
    async.events.failure.subscribe(({ error }) => codes.push(error.code));
    await async.queueJob(makeJob(work, 1).with({ queue: 'nobody', beginBy: new Date(clock.now() + 1_000) }));
    await advance(2_000);
    expect(codes).toEqual(['MILLRACE_EXPIRED']);
  });

  it('of a task are typed by it, and leave out all others', async () => {
    const { async, drain } = await setup({ tasks });
    const numbers: number[] = [];
    async.events.of(work).subscribe(({ outcome }) => {
      if (outcome.status === 'completed') numbers.push(outcome.result);
    });
    await async.queueJobs([makeJob(work, 1), makeJob(boom, 'no'), makeJob(work, 2)]);
    await drain();
    expect(numbers.sort()).toEqual([1, 2]);
  });

  it('of a task tell jobs stored under its older names', async () => {
    const old = task('sum', (x: number) => x);
    const renamed = task('total', { aliases: ['sum'] }, (x: number) => x);
    const { async } = await setup({ tasks: [renamed] });
    const seen: string[] = [];
    async.events.of(renamed).subscribe(({ job }) => seen.push(job.taskName));
    await (await async.queueJob(old, 1)).waitForResult();
    expect(seen).toEqual(['sum']);
  });

  it('come after the outcome is stored, once the job has been asked for', async () => {
    const { async } = await setup({ tasks });
    const seen = deferred<unknown>();
    async.events.success.subscribe(async ({ job }) => {
      await job.refresh();
      seen.resolve([job.status, job.result]);
    });
    await async.queueJob(work, 42);
    expect(await seen.promise).toEqual(['completed', 42]);
  });

  it('tell batches, their children and callbacks, once each', async () => {
    const note = task('note', (_value: unknown) => 'noted');
    const { async, drain } = await setup({ tasks: [...tasks, note] });
    const seen: string[] = [];
    async.events.all.subscribe(({ job, outcome }) => seen.push(`${job.taskName} ${outcome.status}`));
    const draft = serial(makeJob(work, 1), parallel(makeJob(work, 2), makeJob(boom, 'no'))).withCallbacks({ success: callback(note) });
    await (await async.queueJob(draft)).waitForResult();
    await drain();
    const counts = Object.fromEntries([...new Set(seen)].map((what) => [what, seen.filter((one) => one === what).length]));
    expect(counts).toMatchObject({
      'work completed': 2,
      'boom failed': 1,
      'parallel completed': 1,
      'serial completed': 1,
    });
    expect(seen.filter((what) => what === 'note completed' || what === 'choice completed')).toHaveLength(1);
  });

  it('report a job once, however often it was tried, and with a callback that is still running', async () => {
    const gate = deferred();
    const slow = task('slow', (_value: unknown) => gate.promise);
    let tries = 0;
    const flaky = task('flaky', { retry: { attempts: 5, retries: 'any', delayMs: 1_000 } }, () => {
      if (++tries < 3) throw new Error('once more');
      return tries;
    });
    const { async, advance, drain } = await setup({ tasks: [slow, flaky] });
    const seen: string[] = [];
    async.events.of(flaky).subscribe(({ job, outcome }) => seen.push(`${job.status} ${outcome.status}`));
    await async.queueJob(makeJob(flaky).withCallbacks({ success: slow }));
    await advance(10_000);
    expect(seen).toEqual(['callbacks completed']);
    gate.resolve();
    await drain();
    expect(seen).toHaveLength(1);
  });

  it('give the children of a batch in its event, ended', async () => {
    const { async, drain } = await setup({ tasks });
    const seen: unknown[] = [];
    async.events.success.subscribe(({ job, result }) => {
      if (job.taskName === 'serial') seen.push((result as { result: unknown }[]).map((child) => child.result));
    });
    await async.queueSerialJobs(makeJob(work, 1), makeJob(work, 2));
    await drain();
    expect(seen).toEqual([[1, 2]]);
  });

  it('are told no more to one who has unsubscribed', async () => {
    const { async } = await setup({ tasks });
    const seen: number[] = [];
    const subscription = async.events.of(work).subscribe(() => seen.push(1));
    await (await async.queueJob(work, 1)).waitForResult();
    subscription.unsubscribe();
    await (await async.queueJob(work, 2)).waitForResult();
    expect(seen).toEqual([1]);
  });

  it('reach every subscriber, each with its own copy of the values', async () => {
    const echo = task('echo', { quotas: [] }, (list: number[]) => list);
    const { async } = await setup({ tasks: [echo] });
    const seen: number[][] = [];
    for (let index = 0; index < 3; index++) {
      async.events.of(echo).subscribe(({ outcome }) => {
        if (outcome.status !== 'completed') return;
        seen.push([...outcome.result]);
        outcome.result.push(0);
      });
    }
    await (await async.queueJob(echo, [1])).waitForResult();
    expect(seen).toEqual([[1], [1], [1]]);
  });

  it('log a handler that throws, at once or later, and go on', async () => {
    const log = new Log();
    const { async, drain } = await setup({ tasks, logger: log });
    const seen: number[] = [];
    async.events.success.subscribe(() => {
      throw new Error('handler');
    });
    async.events.of(work).subscribe((async () => {
      throw new Error('async handler');
    }) as () => void);
    async.events.of(work).subscribe(() => seen.push(1));
    for (let index = 0; index < 2; index++) expect(await (await async.queueJob(work, index)).waitForResult()).toBe(index);
    await drain();
    expect(seen).toEqual([1, 1]);
    const messages = log.lines
      .filter(({ level }) => level === 'error')
      .map(({ details }) => (details as { err: StoredError }).err.message)
      .sort();
    expect(messages).toEqual(['async handler', 'async handler', 'handler', 'handler']);
  });

  it('complete with `stop`', async () => {
    const { async, stop } = await setup({ tasks });
    const ended = deferred<string>();
    async.events.all.subscribe({ complete: () => ended.resolve('complete'), error: () => ended.resolve('error') });
    await stop();
    expect(await ended.promise).toBe('complete');
  });

  it('are not lost for a job whose own handler queues another', async () => {
    const { async, drain } = await setup({ tasks });
    const seen: number[] = [];
    async.events.of(work).subscribe(async ({ outcome }) => {
      if (outcome.status !== 'completed') return;
      seen.push(outcome.result);
      if (outcome.result < 20) await async.queueJob(work, outcome.result + 1);
    });
    await async.queueJob(work, 0);
    await drain();
    expect(seen).toEqual(Array.from({ length: 21 }, (_, index) => index));
  });

  it('may be subscribed to with objects, and with nothing', async () => {
    const { async } = await setup({ tasks });
    const seen: unknown[] = [];
    async.events.success.subscribe();
    async.events.success.subscribe({ next: ({ result }) => seen.push(result) });
    await (await async.queueJob(work, 7)).waitForResult();
    expect(seen).toEqual([7]);
  });
});

describe('one who has unsubscribed', () => {
  /** A store that counts who listens to it. */
  function counted() {
    const store = memoryStore();
    const changes = store.changes.bind(store);
    let listeners = 0;
    store.changes = (interest) =>
      new Observable((subscriber) => {
        listeners++;
        const subscription = changes(interest).subscribe(subscriber);
        subscription.add(() => listeners--);
        return subscription;
      });
    return { store, listeners: () => listeners };
  }

  it.each<[string, (async: IAsyncService) => Subscription]>([
    ['all', ({ events }) => events.all.subscribe()],
    ['success', ({ events }) => events.success.subscribe(() => {})],
    ['failure', ({ events }) => events.failure.subscribe({ next: () => {} })],
    ['cancelled', ({ events }) => events.cancelled.subscribe()],
    ['of a task', ({ events }) => events.of(work).subscribe()],
    ['of an operator', ({ events }) => events.all.pipe(map(({ job }) => job.id)).subscribe()],
  ])('from %s leaves no subscription behind', async (_what, subscribe) => {
    const { store, listeners } = counted();
    const { async, drain } = await setup({ tasks, store });
    await drain();
    const before = listeners();
    const subscription = subscribe(async);
    expect(listeners()).toBe(before + 1);
    subscription.unsubscribe();
    expect(listeners()).toBe(before);
  });

  it('by taking one change leaves no subscription behind', async () => {
    const { store, listeners } = counted();
    const { async, drain } = await setup({ tasks, store });
    await drain();
    const before = listeners();
    const job = await async.queueJob(makeJob(work, 1).with({ delayMs: 1_000 }));
    for (let round = 0; round < 10; round++) await firstValueFrom(job.changes);
    expect(listeners()).toBe(before);
  });
});

describe('the outcomes of the whole deployment', () => {
  it('are those of every process that shares the store', async () => {
    const store = memoryStore();
    const work = task('work', { quotas: [] }, (value: number) => value);
    const [one, other] = [await setup({ store, tasks: [work] }), await setup({ store, dispatcher: false })];
    const told: unknown[] = [];
    other.async.outcomes().subscribe({ next: ({ outcome }) => told.push(outcome), complete: () => told.push('complete') });
    await (await one.async.queueJob(work, 1)).waitForResult();
    expect(told).toEqual([{ status: 'completed', result: 1 }]);
    await other.stop();
    expect(told.at(-1)).toBe('complete');
  });
});
