import { firstValueFrom, timer } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { currentTask, makeJob, memoryStore, OptionError, parallel, QuotaError, serial, task } from '../../src/index.js';
import type { TestAsync } from '../../src/testing/index.js';
import { setup } from '../support/bundle.js';
import { deferred, failureOf } from '../support/deferred.js';

/** A task that takes as long as it is told, in virtual time, and remembers what ran beside what. */
function workshop() {
  const began: string[] = [];
  const ended: string[] = [];
  const running = new Map<string, number>();
  const most = { jobs: 0, weight: 0 };
  const clock: { of?: TestAsync['clock'] } = {};
  const work = task('work', async (name: string, ms: number, weight = 1) => {
    began.push(name);
    running.set(currentTask().job.id, weight);
    most.jobs = Math.max(most.jobs, running.size);
    most.weight = Math.max(
      most.weight,
      [...running.values()].reduce((sum, one) => sum + one, 0),
    );
    if (ms > 0) await firstValueFrom(timer(ms, clock.of?.scheduler));
    running.delete(currentTask().job.id);
    ended.push(name);
    return name;
  });
  return { work, began, ended, most, clock };
}

describe('quotas', () => {
  it('are by default one of size 1, which keeps order, whatever the jobs take', async () => {
    const { work, began, ended, most, clock } = workshop();
    const bundle = await setup({ tasks: [work] });
    clock.of = bundle.clock;
    for (const [name, ms] of Object.entries({ a: 3_000, b: 2_000, c: 0, d: 1_000 })) await bundle.async.queueJob(work, name, ms);
    await bundle.advance(10_000);
    expect(began).toEqual(['a', 'b', 'c', 'd']);
    expect(ended).toEqual(['a', 'b', 'c', 'd']);
    expect(most.jobs).toBe(1);
  });

  it('are shared by all tasks that name them', async () => {
    const { work, most, clock } = workshop();
    const other = task('other', async (name: string, ms: number) => work(name, ms));
    const bundle = await setup({ tasks: [work, other] });
    clock.of = bundle.clock;
    for (let index = 0; index < 4; index++) {
      await bundle.async.queueJob(work, `w${index}`, 1_000);
      await bundle.async.queueJob(other, `o${index}`, 1_000);
    }
    await bundle.advance(20_000);
    expect(most.jobs).toBe(1);
  });

  it('hold up nothing where there are none', async () => {
    const { work, most, clock } = workshop();
    const bundle = await setup({ tasks: [work], dispatcher: { agents: [{ concurrency: 7 }] } });
    clock.of = bundle.clock;
    for (let index = 0; index < 10; index++) await bundle.async.queueJob(makeJob(work, `${index}`, 1_000).with({ quotas: [] }));
    await bundle.advance(5_000);
    expect(most.jobs).toBe(7);
  });

  it('of size 2 let the second and third pass the first', async () => {
    const { work, ended, most, clock } = workshop();
    const bundle = await setup({ tasks: [work], quotas: { size2: 2 } });
    clock.of = bundle.clock;
    for (const [name, ms] of Object.entries({ one: 3_000, two: 2_000, three: 0 }))
      await bundle.async.queueJob(makeJob(work, name, ms).with({ quotas: ['size2'] }));
    await bundle.advance(5_000);
    expect(ended).toEqual(['two', 'three', 'one']);
    expect(most.jobs).toBe(2);
  });

  it('are named by the task, and otherwise by the draft', async () => {
    const { work, clock, most } = workshop();
    const narrow = task('narrow', { quotas: ['narrow'] }, (name: string, ms: number) => work(name, ms));
    const bundle = await setup({ tasks: [narrow], quotas: { narrow: 1, wide: 5 } });
    clock.of = bundle.clock;
    for (let index = 0; index < 5; index++) await bundle.async.queueJob(narrow, `${index}`, 1_000);
    await bundle.advance(10_000);
    expect(most.jobs).toBe(1);
    for (let index = 0; index < 5; index++) await bundle.async.queueJob(makeJob(narrow, `${index}`, 1_000).with({ quotas: ['wide'] }));
    await bundle.advance(10_000);
    expect(most.jobs).toBe(5);
  });

  it('are never exceeded by weights, and filled as far as they go', async () => {
    const { work, most, clock, ended } = workshop();
    const bundle = await setup({ tasks: [work], quotas: { gpu: 5 } });
    clock.of = bundle.clock;
    const weights = [2, 1, 3, 5, 1, 1, 4, 2, 2, 1, 3, 5, 1];
    for (const [index, weight] of weights.entries())
      await bundle.async.queueJob(makeJob(work, `${index}`, 1_000 + index * 100, weight).with({ quotas: { gpu: weight } }));
    await bundle.advance(60_000);
    expect(ended).toHaveLength(weights.length);
    expect(most.weight).toBe(5);
  });

  it('are taken all or nothing, where a job names several', async () => {
    const { work, began, ended, clock } = workshop();
    const bundle = await setup({ tasks: [work], quotas: { a: 1, b: 1 } });
    clock.of = bundle.clock;
    const { async, drain, advance } = bundle;
    await async.queueJob(makeJob(work, 'holds a', 500).with({ quotas: ['a'] }));
    await async.queueJob(makeJob(work, 'wants both', 500).with({ quotas: ['b', 'a'] }));
    await async.queueJob(makeJob(work, 'wants b', 100).with({ quotas: ['b'] }));
    await drain();
    expect(began).toEqual(['holds a', 'wants b']);
    await advance(2_000);
    expect(ended).toEqual(['wants b', 'holds a', 'wants both']);
  });

  it('that are full never block the jobs behind', async () => {
    const gate = deferred();
    const block = task('block', { quotas: ['narrow'] }, () => gate.promise);
    const free = task('free', { quotas: ['wide'] }, () => 'free');
    const { async } = await setup({ tasks: [block, free], quotas: { narrow: 1, wide: 1 } });
    for (let index = 0; index < 50; index++) await async.queueJob(block);
    const job = await async.queueJob(free);
    expect(await job.waitForResult()).toBe('free');
    gate.resolve();
  });

  it('that are full do not block jobs of the same task that name others', async () => {
    const { work, clock } = workshop();
    const bundle = await setup({ tasks: [work], quotas: { narrow: 1, wide: 5 } });
    clock.of = bundle.clock;
    for (let index = 0; index < 5; index++) await bundle.async.queueJob(makeJob(work, `${index}`, 5_000).with({ quotas: ['narrow'] }));
    const job = await bundle.async.queueJob(makeJob(work, 'free', 0).with({ quotas: ['wide'] }));
    expect(await job.waitForResult()).toBe('free');
    await bundle.advance(30_000);
  });

  it('are saved up for a job that needs several places, so that it is not starved by small ones', async () => {
    const { work, began, clock } = workshop();
    const bundle = await setup({ tasks: [work], quotas: { gpu: 4 } });
    clock.of = bundle.clock;
    const { async, advance } = bundle;
    const small = (index: number) => makeJob(work, `small ${index}`, 1_000, 1).with({ quotas: ['gpu'] });
    // Places become free one at a time, a quarter of a second apart, and small jobs are always waiting.
    let index = 0;
    for (; index < 4; index++) {
      await async.queueJob(small(index));
      await advance(250);
    }
    for (; index < 8; index++) await async.queueJob(small(index));
    const big = await async.queueJob(makeJob(work, 'big', 100, 4).with({ quotas: { gpu: 4 } }));
    for (; index < 60; index++) await async.queueJob(small(index));
    await advance(5_000);
    await big.refresh();
    expect(big.status).toBe('completed');
    await advance(60_000);
    expect(began).toHaveLength(61);
  });

  it('are given back when the work ends, before the callbacks', async () => {
    const gate = deferred();
    const slow = task('slow', { quotas: [] }, () => gate.promise);
    const work = task('work', (name: string) => name);
    const { async, drain } = await setup({ tasks: [slow, work] });
    const first = await async.queueJob(makeJob(work, 'first').withCallbacks({ success: makeJob(slow) }));
    const second = await async.queueJob(work, 'second');
    expect(await second.waitForResult()).toBe('second');
    await first.refresh();
    expect(first.status).toBe('callbacks');
    gate.resolve();
    await drain();
  });

  it('of size 1 keep their order over an attempt that is repeated at once', async () => {
    const order: string[] = [];
    const work = task('work', { retry: { attempts: 3, retries: 'any' } }, (name: string, failures: number) => {
      const { attempt } = currentTask();
      order.push(`${name} ${attempt}`);
      if (attempt <= failures) throw new Error('once more');
    });
    const { async } = await setup({ tasks: [work] });
    await async.queueJob(work, 'a', 2);
    await (await async.queueJob(work, 'b', 0)).waitForResult();
    expect(order).toEqual(['a 1', 'a 2', 'a 3', 'b 1']);
  });

  it('are given up by a job that is retried later', async () => {
    const order: string[] = [];
    const work = task('work', { retry: { attempts: 3, retries: 'any', delayMs: 1_000 } }, (name: string, failures: number) => {
      const { attempt } = currentTask();
      order.push(`${name} ${attempt}`);
      if (attempt <= failures) throw new Error('once more');
    });
    const { async, advance } = await setup({ tasks: [work] });
    await async.queueJob(work, 'a', 1);
    await async.queueJob(work, 'b', 0);
    await advance(2_000);
    expect(order).toEqual(['a 1', 'b 1', 'a 2']);
  });

  it('keep the order of a mixed chain of jobs and batches', async () => {
    const order: string[] = [];
    const step = task('step', (name: string) => {
      order.push(name);
    });
    const { async } = await setup({ tasks: [step] });
    await async.queueJob(step, '1');
    await async.queueSerialJobs(makeJob(step, '2a'), makeJob(step, '2b'), makeJob(step, '2c'));
    await async.queueJob(step, '3');
    await async.queueParallelJobs(makeJob(step, '4'));
    await (await async.queueJob(step, '5')).waitForResult();
    expect(order).toEqual(['1', '2a', '2b', '2c', '3', '4', '5']);
  });

  it('are held by a batch until its postprocess is done', async () => {
    const order: string[] = [];
    const step = task('step', (name: string) => {
      order.push(name);
    });
    const sum = task('sum', (_jobs: readonly unknown[]) => {
      order.push('postprocess');
    });
    const { async } = await setup({ tasks: [step, sum] });
    await async.queueJob(serial(makeJob(step, 'a'), makeJob(step, 'b')).postprocess(sum));
    await (await async.queueJob(step, 'c')).waitForResult();
    expect(order).toEqual(['a', 'b', 'postprocess', 'c']);
  });

  it('are not held by a batch that names none', async () => {
    const gate = deferred();
    const block = task('block', () => gate.promise);
    const step = task('step', () => 'step');
    const { async } = await setup({ tasks: [block, step] });
    const batch = await async.queueJob(serial(makeJob(block), makeJob(step)).with({ quotas: [] }));
    expect(await (await async.queueJob(step)).waitForResult()).toBe('step');
    gate.resolve();
    expect(await batch.waitForResult()).toHaveLength(2);
  });

  it('are taken by children of a batch where the children or their tasks name them', async () => {
    const { work, most, clock, ended } = workshop();
    const bundle = await setup({ tasks: [work], quotas: { pages: 2 } });
    clock.of = bundle.clock;
    const pages = Array.from({ length: 6 }, (_, index) => makeJob(work, `${index}`, 1_000).with({ quotas: ['pages'] }));
    await bundle.async.queueParallelJobs(...pages);
    await bundle.advance(10_000);
    expect(ended).toHaveLength(6);
    expect(most.jobs).toBe(2);
  });

  it('may not have a size that is none', async () => {
    for (const size of [0, -1, 1.5, Number.NaN, '2' as never]) {
      const error = await failureOf(setup({ quotas: { reports: size } }));
      expect(error).toBeInstanceOf(OptionError);
      expect(error.message).toContain('`quotas.reports`');
    }
  });

  it('may set the size of `default`', async () => {
    const { work, most, clock } = workshop();
    const bundle = await setup({ tasks: [work], quotas: { default: 3 } });
    clock.of = bundle.clock;
    for (let index = 0; index < 6; index++) await bundle.async.queueJob(work, `${index}`, 1_000);
    await bundle.advance(5_000);
    expect(most.jobs).toBe(3);
  });
});

describe('the order of quotas', () => {
  const step = task('step', (name: string) => name);
  const quotas = { first: 1, second: 2, third: 3 };

  it.each([
    ['the same quota', ['second']],
    ['one that comes before', ['first']],
    ['the default quota', ['default']],
    ['one before and one after', ['first', 'third']],
  ])('refuses a child with %s as its batch, instead of a deadlock', async (_what, names) => {
    const { async } = await setup({ tasks: [step], quotas, dispatcher: false });
    const batch = serial(makeJob(step, 'a').with({ quotas: names })).with({ quotas: ['second'] });
    const error = await failureOf(async.queueJob(batch));
    expect(error).toBeInstanceOf(QuotaError);
    expect(error.message).toContain('`second`');
    expect(error.message).toContain('order: default, first, second, third');
    expect(await async.getQueues().get('').jobs()).toEqual([]);
  });

  it('allows a child a quota that comes after', async () => {
    const { async } = await setup({ tasks: [step], quotas });
    const batch = serial(makeJob(step, 'a').with({ quotas: ['third'] })).with({ quotas: ['second'] });
    const [child] = await (await async.queueJob(batch)).waitForResult();
    expect(child.result).toBe('a');
  });

  it('looks through batches that hold none themselves', async () => {
    const { async } = await setup({ tasks: [step], quotas, dispatcher: false });
    const inner = parallel(makeJob(step, 'a').with({ quotas: ['first'] }));
    const error = await failureOf(async.queueJob(serial(inner).with({ quotas: ['second'] })));
    expect(error).toBeInstanceOf(QuotaError);
  });

  it('counts what a task names for itself, in a batch with the default quota too', async () => {
    const named = task('named', { quotas: ['default'] }, () => 'named');
    const { async } = await setup({ tasks: [named], quotas, dispatcher: false });
    expect(await failureOf(async.queueSerialJobs(makeJob(named)))).toBeInstanceOf(QuotaError);
  });

  it('holds for callbacks of children, which run before the batch advances', async () => {
    const { async } = await setup({ tasks: [step], quotas, dispatcher: false });
    const child = makeJob(step, 'a').withCallbacks({ success: makeJob(step, 'b').with({ quotas: ['first'] }) });
    expect(await failureOf(async.queueJob(serial(child).with({ quotas: ['first'] })))).toBeInstanceOf(QuotaError);
  });

  it('holds for callbacks that are added to children later', async () => {
    const { async, drain } = await setup({ tasks: [step], quotas, dispatcher: { agents: [{ accepts: () => false }] } });
    await async.queueJob(serial(makeJob(step, 'a')).with({ quotas: ['first'] }));
    await drain();
    const [child] = await async.getQueues().get('').jobs({ task: step });
    expect(child).toBeDefined();
    const added = child?.addCallbacks({ success: makeJob(step, 'b').with({ quotas: ['first'] }) });
    expect(await failureOf(Promise.resolve(added))).toBeInstanceOf(QuotaError);
  });

  it('does not bind callbacks of a job, or of a batch, by the places that it held itself', async () => {
    const { async } = await setup({ tasks: [step], quotas });
    const again = makeJob(step, 'again').with({ quotas: ['first'] });
    const job = await async.queueJob(
      makeJob(step, 'a')
        .with({ quotas: ['first'] })
        .withCallbacks({ success: again }),
    );
    expect(await job.waitForResult()).toBe('a');
    const batch = serial(makeJob(step, 'a'))
      .with({ quotas: ['first'] })
      .withCallbacks({ success: again });
    expect(await (await async.queueJob(batch)).waitForResult()).toHaveLength(1);
  });

  it('are told by every queue, in the order in which jobs may hold several', async () => {
    const { async } = await setup({ quotas: { wide: 4, default: 2, narrow: 1 } });
    expect([...async.getQueues().get('').quotas]).toEqual([
      ['default', 2],
      ['wide', 4],
      ['narrow', 1],
    ]);
    expect(async.getQueues().get('other').quotas).toEqual(async.getQueues().get('').quotas);
  });
});

describe('places kept for a method that ignores its signal', () => {
  it('come back when it returns, though its job has been forgotten by then', async () => {
    const gate = deferred();
    const late = task('late', { timeoutMs: 1_000 }, () => gate.promise);
    const next = task('next', () => 1);
    const { async, drain, advance } = await setup({ tasks: [late, next], store: memoryStore({ keepEnded: 0 }) });
    await async.queueJob(late);
    await drain();
    await advance(2_000);
    const job = await async.queueJob(next);
    await drain();
    expect((await job.refresh()).status).toBe('pending');
    gate.resolve();
    expect(await job.waitForResult()).toBe(1);
  });

  it('come back when its dispatcher has lost its lease', async () => {
    const late = task('late', { timeoutMs: 1_000 }, () => new Promise<never>(() => {}));
    const next = task('next', () => 1);
    const store = memoryStore();
    const heartbeat = store.heartbeat.bind(store);
    let isLost = false;
    store.heartbeat = async (dispatcher, leaseMs) => {
      const held = await heartbeat(dispatcher, leaseMs);
      const answer = held && !isLost;
      isLost = false;
      return answer;
    };
    const { async, drain, advance } = await setup({
      tasks: [late, next],
      store,
      dispatcher: { leaseMs: 30_000, heartbeatMs: 5_000, pollMs: 30_000 },
    });
    await async.queueJob(late);
    await drain();
    await advance(2_000);
    isLost = true;
    const job = await async.queueJob(next);
    await advance(200_000);
    expect((await job.refresh()).status).toBe('completed');
  });
});

describe('a quota that has become smaller', () => {
  it('saves no places for a job that has become too large for it', async () => {
    const store = memoryStore();
    const gate = deferred();
    const hold = task('hold', { quotas: ['gpu'] }, () => gate.promise);
    const big = task('big', { quotas: { gpu: 3 } }, () => {});
    const small = task('small', { quotas: ['gpu'] }, () => 'small');
    const { async, drain, advance, clock } = await setup({ store, tasks: [hold, big, small], quotas: { gpu: 3 } });
    await async.queueJob(hold);
    const waits = await async.queueJob(big);
    await drain();
    await store.start({ clock, quotas: new Map([['gpu', 2]]) });
    gate.resolve();
    await advance(2_000);
    expect(await (await async.queueJob(small)).waitForResult()).toBe('small');
    expect((await waits.refresh()).status).toBe('pending');
    await store.stop();
  });
});

describe('a quota that is named twice', () => {
  it('is refused, with how several places are written', () => {
    const twice = () => task('twice', { quotas: ['gpu', 'gpu'] }, () => {});
    expect(twice).toThrow(OptionError);
    expect(twice).toThrow('`{ gpu: 2 }`');
  });
});
