import { describe, expect, it } from 'vitest';
import {
  callback,
  currentTask,
  type FunctionTask,
  type Job,
  makeJob,
  memoryStore,
  NotATaskError,
  OptionError,
  type Outcome,
  parallel,
  type StoredError,
  serial,
  task,
  UnstorableError,
} from '../../src/index.js';
import { setup } from '../support/bundle.js';
import { deferred, failureOf, untilAborted } from '../support/deferred.js';

/** Tasks that write down what they were given. */
function witnesses() {
  const notes: string[] = [];
  const note = (text: string): string => {
    notes.push(text);
    return text;
  };
  return {
    notes,
    work: task('work', { quotas: [] }, (value: string) => note(value)),
    boom: task('boom', { quotas: [] }, (message: string): string => {
      note(message);
      throw new Error(message);
    }),
    onSuccess: task('onSuccess', (value: unknown, ...rest: string[]) => note(['success', value, ...rest].join(' '))),
    onFailure: task('onFailure', (error: StoredError, ...rest: string[]) => note(['failure', error.message, ...rest].join(' '))),
    onEnd: task('onEnd', (outcome: Outcome<unknown>, ...rest: string[]) => note(['end', outcome.status, ...rest].join(' '))),
    onBroken: task('onBroken', (_value: unknown): string => {
      note('broken');
      throw new Error('broken callback');
    }),
  };
}

const hang = task('hang', { quotas: [] }, () => untilAborted());

function all(w: ReturnType<typeof witnesses>) {
  return [w.work, w.boom, w.onSuccess, w.onFailure, w.onEnd, w.onBroken, hang];
}

describe('callbacks', () => {
  it('for success get the result, and those for failure are not run', async () => {
    const w = witnesses();
    const { async, drain } = await setup({ tasks: all(w) });
    const draft = makeJob(w.work, 'a').withCallbacks({ success: w.onSuccess, failure: w.onFailure });
    await (await async.queueJob(draft)).waitForResult();
    await drain();
    expect(w.notes).toEqual(['a', 'success a']);
  });

  it('for failure get the stored error, and those for success are not run', async () => {
    const w = witnesses();
    const seen = deferred<StoredError>();
    const inspect = task('inspect', (error: StoredError) => seen.resolve(error));
    const { async, drain } = await setup({ tasks: [...all(w), inspect] });
    const draft = makeJob(w.boom, 'no').withCallbacks({ success: w.onSuccess, failure: w.onFailure });
    await (await async.queueJob(draft)).waitForOutcome();
    await drain();
    expect(w.notes).toEqual(['no', 'failure no']);
    await (await async.queueJob(makeJob(w.boom, 'no').withCallbacks({ failure: inspect }))).waitForOutcome();
    expect(await seen.promise).toMatchObject({ name: 'Error', message: 'no' });
    expect((await seen.promise).stack).toContain('callbacks.test.ts');
  });

  it('for both get the outcome, however the job ended', async () => {
    const w = witnesses();
    const { async, drain } = await setup({ tasks: all(w) });
    await async.queueJob(makeJob(w.work, 'a').withCallback(w.onEnd));
    await async.queueJob(makeJob(w.boom, 'b').withCallback(w.onEnd));
    const cancelled = await async.queueJob(makeJob(hang).withCallback(w.onEnd));
    await drain();
    await cancelled.cancel('c');
    await cancelled.waitForOutcome();
    expect([...w.notes].sort()).toEqual(['a', 'b', 'end cancelled', 'end completed', 'end failed']);
  });

  it('made with `callback` get the value first, then the rest', async () => {
    const w = witnesses();
    const { async } = await setup({ tasks: all(w) });
    const callbacks = { success: callback(w.onSuccess, 'x', 'y'), failure: callback(w.onFailure, 'z') };
    await (await async.queueJob(makeJob(w.work, 'a').withCallbacks(callbacks))).waitForOutcome();
    await (await async.queueJob(makeJob(w.boom, 'b').withCallbacks(callbacks).withCallback(callback(w.onEnd, 'q')))).waitForOutcome();
    expect(w.notes).toEqual(['a', 'success a x y', 'b', 'failure b z', 'end failed q']);
  });

  it('made with `callback` take options of their own', async () => {
    const w = witnesses();
    const { async, drain, advance } = await setup({ tasks: all(w) });
    const later = callback(w.onSuccess, 'later').with({ delayMs: 5_000 });
    const job = await async.queueJob(makeJob(w.work, 'a').withCallbacks({ success: later }));
    await drain();
    await job.refresh();
    expect(job.status).toBe('callbacks');
    await advance(5_000);
    expect(await job.waitForResult()).toBe('a');
    expect(w.notes).toEqual(['a', 'success a later']);
  });

  it('that are drafts run as they are', async () => {
    const w = witnesses();
    const { async } = await setup({ tasks: all(w) });
    const job = await async.queueJob(makeJob(w.work, 'a').withCallbacks({ success: makeJob(w.work, 'draft') }));
    await job.waitForResult();
    expect(w.notes).toEqual(['a', 'draft']);
  });

  it('may be batches, which end before waiting does', async () => {
    const w = witnesses();
    const { async } = await setup({ tasks: all(w) });
    const batch = serial(makeJob(w.work, 'b'), parallel(makeJob(w.work, 'c')), makeJob(w.work, 'd'));
    const job = await async.queueJob(makeJob(w.work, 'a').withCallbacks({ success: batch }));
    await job.waitForResult();
    expect(w.notes).toEqual(['a', 'b', 'c', 'd']);
  });

  it('have run when waiting ends, and not before', async () => {
    const gate = deferred();
    const slow = task('slow', (_value: unknown) => gate.promise);
    const w = witnesses();
    const { async, drain } = await setup({ tasks: [...all(w), slow] });
    const job = await async.queueJob(makeJob(w.work, 'a').withCallbacks({ success: slow }));
    let hasEnded = false;
    const waiting = job.waitForResult().then((value) => {
      hasEnded = true;
      return value;
    });
    await drain();
    expect(hasEnded).toBe(false);
    await job.refresh();
    expect(job).toMatchObject({ status: 'callbacks', outcome: undefined, result: undefined });
    gate.resolve();
    expect(await waiting).toBe('a');
    expect(job.status).toBe('completed');
  });

  it('see their parent with the status `callbacks`', async () => {
    const seen = deferred<string>();
    const look = task('look', { quotas: [] }, async (_value: string, job: Job<string>) => {
      await job.refresh();
      seen.resolve(job.status);
    });
    const gate = deferred<string>();
    const work = task('work', () => gate.promise);
    const { async } = await setup({ tasks: [work, look] });
    const job = await async.queueJob(work);
    await job.addCallbacks({ success: callback(look, job) });
    gate.resolve('a');
    await job.waitForResult();
    expect(await seen.promise).toBe('callbacks');
  });

  it('are all released by the end of the job, and those of one quota run in the order in which they were added', async () => {
    const w = witnesses();
    const { async } = await setup({ tasks: all(w) });
    let draft = makeJob(w.work, 'a');
    for (let index = 0; index < 20; index++)
      draft = draft.withCallbacks({ success: callback(w.onSuccess, `${index}`).with({ quotas: ['default'] }) });
    await (await async.queueJob(draft)).waitForResult();
    expect(w.notes.slice(1)).toEqual(Array.from({ length: 20 }, (_, index) => `success a ${index}`));
  });

  it('take no quota by default, so they cannot wait for their own job', async () => {
    const w = witnesses();
    const { async, drain } = await setup({ tasks: [...all(w)] });
    const holder = await async.queueJob(makeJob(hang).with({ quotas: ['default'] }));
    const job = await async.queueJob(makeJob(w.work, 'a').withCallbacks({ success: w.onSuccess }));
    expect(await job.waitForResult()).toBe('a');
    await holder.cancel();
    await drain();
  });

  it('each get a copy of the result', async () => {
    const seen: unknown[] = [];
    const spoil = task('spoil', (list: number[]) => {
      seen.push([...list]);
      list.push(0);
    });
    const give = task('give', () => [1]);
    const { async } = await setup({ tasks: [spoil, give] });
    const job = await async.queueJob(makeJob(give).withCallbacks({ success: spoil }).withCallbacks({ success: spoil }));
    expect(await job.waitForResult()).toEqual([1]);
    expect(seen).toEqual([[1], [1]]);
  });

  it('of a task that adds itself as a callback end, once it stops doing so', async () => {
    const seen: number[] = [];
    const count: FunctionTask<(left: number) => Promise<void>> = task('count', { quotas: [] }, async (left: number) => {
      seen.push(left);
      const self = await bundle.async.getJob(currentTask().job.id);
      if (left > 0) await self?.addCallback(makeJob(count, left - 1));
    });
    const bundle = await setup({ tasks: [count] });
    await (await bundle.async.queueJob(count, 5)).waitForResult();
    expect(seen).toEqual([5, 4, 3, 2, 1, 0]);
  });
});

describe('a failing callback', () => {
  it('changes nothing for its parent or its siblings', async () => {
    const w = witnesses();
    const { async } = await setup({ tasks: all(w) });
    const draft = makeJob(w.work, 'a')
      .withCallbacks({ success: callback(w.onSuccess, '1') })
      .withCallbacks({ success: w.onBroken })
      .withCallbacks({ success: callback(w.onSuccess, '3') });
    const job = await async.queueJob(draft);
    expect(await job.waitForResult()).toBe('a');
    expect([...w.notes].sort()).toEqual(['a', 'broken', 'success a 1', 'success a 3']);
    const [broken] = await async.getQueues().get('').jobs({ task: w.onBroken });
    expect(broken?.error?.message).toBe('broken callback');
  });

  it('of a failed job leaves the error of the job', async () => {
    const w = witnesses();
    const { async } = await setup({ tasks: all(w) });
    const job = await async.queueJob(makeJob(w.boom, 'first').withCallbacks({ failure: w.onBroken }));
    expect(await job.waitForOutcome()).toMatchObject({ status: 'failed', error: { message: 'first' } });
  });

  it('that is a task nobody here knows keeps the job in `callbacks`, and is run by nobody', async () => {
    const w = witnesses();
    const unknown = task('unknown', (_value: string) => {});
    const { async, drain } = await setup({ tasks: all(w) });
    const job = await async.queueJob(makeJob(w.work, 'a').withCallbacks({ success: unknown }));
    await drain();
    await job.refresh();
    expect(job.status).toBe('callbacks');
  });

  it('that cannot be cancelled twice, once cancelled, lets its parent end', async () => {
    const w = witnesses();
    const { async, drain } = await setup({ tasks: all(w) });
    const job = await async.queueJob(makeJob(w.work, 'a').withCallbacks({ success: makeJob(hang) }));
    await drain();
    const [running] = await async.getQueues().get('').jobs({ task: hang });
    await running?.cancel('not needed');
    expect(await job.waitForResult()).toBe('a');
  });
});

describe('chains of callbacks', () => {
  it('go on with the job that a callback returned', async () => {
    const w = witnesses();
    const { async } = await setup({ tasks: all(w) });
    const job = await async.queueJob(w.work, 'a');
    const first = await job.addCallbacks({ success: w.onSuccess });
    const second = await first.addCallbacks({ success: w.onSuccess });
    expect(await second.waitForResult()).toBe('success success a');
    expect(await job.waitForResult()).toBe('a');
  });

  it('pass a value through the side that is missing, unchanged', async () => {
    const w = witnesses();
    const give = task('give', { quotas: [] }, () => ({ list: [1, 2] }));
    const { async } = await setup({ tasks: [...all(w), give] });
    const job = await async.queueJob(give);
    const passed = await job.addCallbacks({ failure: w.onFailure });
    expect(await passed.waitForResult()).toEqual({ list: [1, 2] });
    expect(passed.status).toBe('completed');
    const boom = await async.queueJob(w.boom, 'no');
    const through = await boom.addCallbacks({ success: w.onSuccess });
    expect(await through.waitForOutcome()).toMatchObject({ status: 'failed', error: { message: 'no' } });
    const last = await (await boom.addCallbacks({ success: w.onSuccess })).addCallbacks({ success: w.onSuccess, failure: w.onFailure });
    expect(await last.waitForResult()).toBe('failure no');
  });

  it('turn from failure to success where the failure is handled', async () => {
    const w = witnesses();
    const { async } = await setup({ tasks: all(w) });
    const job = await async.queueJob(w.boom, 'no');
    const handled = await job.addCallbacks({ failure: w.onFailure });
    const after = await handled.addCallbacks({ success: w.onSuccess, failure: callback(w.onFailure, 'again') });
    expect(await after.waitForResult()).toBe('success failure no');
    expect((await job.waitForOutcome()).status).toBe('failed');
  });

  it('turn from success to failure where a callback fails', async () => {
    const w = witnesses();
    const { async } = await setup({ tasks: all(w) });
    const job = await async.queueJob(w.work, 'a');
    const broken = await job.addCallbacks({ success: w.onBroken });
    const after = await broken.addCallbacks({ success: w.onSuccess, failure: w.onFailure });
    expect(await after.waitForResult()).toBe('failure broken callback');
  });

  it('can be written as drafts, and all end before waiting does', async () => {
    const w = witnesses();
    const { async } = await setup({ tasks: all(w) });
    const third = makeJob(w.work, 'c');
    const second = makeJob(w.work, 'b').withCallbacks({ success: third }).withCallbacks({ success: w.onSuccess });
    const job = await async.queueJob(makeJob(w.work, 'a').withCallbacks({ success: second }));
    await job.waitForResult();
    expect(w.notes.slice(0, 2)).toEqual(['a', 'b']);
    expect([...w.notes].sort()).toEqual(['a', 'b', 'c', 'success b']);
  });

  it('give the job that `addCallbacks` returned the type and the result of the side that ran', async () => {
    const length = task('length', (text: string) => text.length);
    const isBad = task('isBad', (_error: StoredError) => true);
    const w = witnesses();
    const { async } = await setup({ tasks: [...all(w), length, isBad] });
    const good = await (await async.queueJob(w.work, 'four')).addCallbacks({ success: length, failure: isBad });
    const value: number | boolean = await good.waitForResult();
    expect(value).toBe(4);
    const bad = await (await async.queueJob(w.boom, 'four')).addCallbacks({ success: length, failure: isBad });
    expect(await bad.waitForResult()).toBe(true);
  });

  it('carry `undefined` and jobs as values', async () => {
    const nothing = task('nothing', { quotas: [] }, () => undefined);
    const spawn = task('spawn', { quotas: [] }, async () => [await bundle.async.queueJob(nothing)]);
    const kind = task('kind', (value: unknown) => (Array.isArray(value) ? typeof (value[0] as Job<unknown>).id : typeof value));
    const bundle = await setup({ tasks: [nothing, spawn, kind] });
    const { async } = bundle;
    expect(await (await (await async.queueJob(nothing)).addCallbacks({ success: kind })).waitForResult()).toBe('undefined');
    expect(await (await (await async.queueJob(spawn)).addCallbacks({ success: kind })).waitForResult()).toBe('string');
  });
});

describe('callbacks that are added later', () => {
  it('run at once on a job that has ended, and leave its status as it is', async () => {
    const w = witnesses();
    const { async } = await setup({ tasks: all(w) });
    const job = await async.queueJob(w.work, 'a');
    await job.waitForResult();
    const added = await job.addCallbacks({ success: w.onSuccess, failure: w.onFailure });
    expect(await added.waitForResult()).toBe('success a');
    await job.refresh();
    expect(job.status).toBe('completed');
    const boom = await async.queueJob(w.boom, 'b');
    await boom.waitForOutcome();
    expect(await (await boom.addCallback(w.onEnd)).waitForResult()).toBe('end failed');
    expect(await (await boom.addCallbacks({ success: w.onSuccess })).waitForOutcome()).toMatchObject({ status: 'failed' });
  });

  it('while the job runs wait for its end', async () => {
    const gate = deferred<string>();
    const slow = task('slow', () => gate.promise);
    const w = witnesses();
    const { async, drain } = await setup({ tasks: [...all(w), slow] });
    const job = await async.queueJob(slow);
    await drain();
    const added = await job.addCallback(w.onEnd);
    await drain();
    await added.refresh();
    expect(added.status).toBe('blocked');
    gate.resolve('a');
    await job.waitForResult();
    expect(w.notes).toEqual(['end completed']);
  });

  it('while callbacks run belong to them: waiting ends after them', async () => {
    const gate = deferred();
    const slow = task('slow', (_value: unknown) => gate.promise);
    const second = deferred();
    const slower = task('slower', (_value: unknown) => second.promise);
    const w = witnesses();
    const { async, drain } = await setup({ tasks: [...all(w), slow, slower] });
    const job = await async.queueJob(makeJob(w.work, 'a').withCallbacks({ success: slow }));
    await drain();
    await job.addCallbacks({ success: slower });
    gate.resolve();
    await drain();
    await job.refresh();
    expect(job.status).toBe('callbacks');
    second.resolve();
    expect(await job.waitForResult()).toBe('a');
  });

  it('by a callback of the job itself run before waiting ends', async () => {
    const w = witnesses();
    const gate = deferred<string>();
    const slow = task('slow', () => gate.promise);
    const addMore = task('addMore', async (_value: string, job: Job<string>) => {
      await job.addCallbacks({ success: w.onSuccess });
    });
    const { async } = await setup({ tasks: [...all(w), slow, addMore] });
    const job = await async.queueJob(slow);
    await job.addCallbacks({ success: callback(addMore, job) });
    gate.resolve('a');
    await job.waitForResult();
    expect(w.notes).toEqual(['success a']);
  });

  it('are never lost and never run twice, whenever they come', async () => {
    const w = witnesses();
    const { async } = await setup({ tasks: all(w) });
    const added: Promise<unknown>[] = [];
    for (let round = 0; round < 50; round++) {
      const job = await async.queueJob(w.work, `${round}`);
      const add = async (turns: number): Promise<unknown> => {
        for (let turn = 0; turn < turns; turn++) await Promise.resolve();
        const made = await job.addCallbacks({ success: callback(w.onSuccess, `${turns}`) });
        return made.waitForResult();
      };
      added.push(...Array.from({ length: 30 }, (_, turns) => add(turns)));
      await job.waitForResult();
    }
    await Promise.all(added);
    const ran = w.notes.filter((text) => text.startsWith('success'));
    expect(ran).toHaveLength(1_500);
    expect(new Set(ran).size).toBe(1_500);
  });
});

describe('a cancelled job', () => {
  it('runs neither side, and its chained callbacks end as cancelled too', async () => {
    const w = witnesses();
    const { async, drain } = await setup({ tasks: all(w) });
    const job = await async.queueJob(hang);
    const chosen = await job.addCallbacks({ success: w.onSuccess, failure: w.onFailure });
    const after = await chosen.addCallbacks({ success: w.onSuccess, failure: w.onFailure });
    await drain();
    await job.cancel('enough');
    expect(await job.waitForOutcome()).toEqual({ status: 'cancelled', reason: 'enough' });
    expect(await chosen.waitForOutcome()).toEqual({ status: 'cancelled', reason: 'enough' });
    expect((await after.waitForOutcome()).status).toBe('cancelled');
    expect(w.notes).toEqual([]);
  });

  it('runs callbacks for both, with its outcome, before waiting ends', async () => {
    const w = witnesses();
    const { async } = await setup({ tasks: all(w), dispatcher: { agents: [{ queue: 'callbacks' }] } });
    const last = callback(w.onEnd, 'last').with({ queue: 'callbacks' });
    const job = await async.queueJob(makeJob(w.work, 'never').withCallback(last));
    await job.cancel('enough');
    expect(await job.waitForOutcome()).toEqual({ status: 'cancelled', reason: 'enough' });
    expect(w.notes).toEqual(['end cancelled last']);
  });

  it('runs the batch that is its callback for both', async () => {
    const w = witnesses();
    const { async, drain } = await setup({ tasks: all(w) });
    const job = await async.queueJob(makeJob(hang).withCallback(serial(makeJob(w.work, 'x'), makeJob(w.work, 'y'))));
    await drain();
    await job.cancel();
    await job.waitForOutcome();
    expect(w.notes).toEqual(['x', 'y']);
  });
});

describe('what is refused as a callback', () => {
  it('is what is neither task nor draft nor made with `callback`', async () => {
    const w = witnesses();
    const { async } = await setup({ tasks: all(w) });
    const draft = makeJob(w.work, 'a');
    const job = await async.queueJob(draft);
    expect(() => draft.withCallbacks({ success: 'mail' as never })).toThrow(OptionError);
    expect(() => draft.withCallbacks({ success: (() => {}) as never })).toThrow(NotATaskError);
    expect(() => draft.withCallback(job as never)).toThrow(NotATaskError);
    expect(() => draft.withCallbacks({ sucess: w.onSuccess } as never)).toThrow('did you mean `success`?');
    expect(await failureOf(job.addCallback({} as never))).toBeInstanceOf(NotATaskError);
    expect(() => callback(w.onSuccess, (() => {}) as never)).toThrow(UnstorableError);
  });

  it('names the path of a value that cannot be stored', async () => {
    const w = witnesses();
    const error = await failureOf((async () => callback(w.onSuccess, 'fine', { bad: Symbol('x') } as never))());
    expect(error).toBeInstanceOf(UnstorableError);
    expect((error as UnstorableError).path).toMatch(/\[1\]\.bad$/);
  });
});

describe('what callbacks take over from their job', () => {
  it('is its queue and its priority', async () => {
    const w = witnesses();
    const { async, store } = await setup({ tasks: all(w), dispatcher: false });
    const job = await async.queueJob(makeJob(w.work, 'a').with({ queue: 'mail', priority: -3 }).withCallback(w.onEnd));
    await job.addCallback(callback(w.onEnd).with({ priority: 9 }));
    const records = (await store.find({})).filter(({ job: { taskName } }) => taskName === 'onEnd');
    expect(records.map(({ job: { queue, priority } }) => [queue, priority])).toEqual([
      ['mail', -3],
      ['mail', 9],
    ]);
  });

  it('is not its deadline; one of their own is kept', async () => {
    const w = witnesses();
    const { async, clock, advance } = await setup({ tasks: all(w) });
    const soon = new Date(clock.now() + 1_000);
    const late = callback(w.onSuccess, 'late').with({ beginBy: soon, queue: 'nobody' });
    const job = await async.queueJob(makeJob(w.work, 'a').with({ beginBy: soon }).withCallbacks({ success: late }));
    await advance(2_000);
    expect(await job.waitForResult()).toBe('a');
    const [expired] = await async.getQueues().get('nobody').jobs();
    expect(expired?.error?.code).toBe('MILLRACE_EXPIRED');
    expect(w.notes).toEqual(['a']);
  });
});

describe('a chain of thousands of callbacks', () => {
  it.each([0, 10_000])('ends, and leaves the store at work that remembers %d jobs', async (keepEnded) => {
    const next = task('next', { quotas: [] }, () => 1);
    const { async, drain } = await setup({ tasks: [next], store: memoryStore({ keepEnded }) });
    let job: Job<unknown> = await async.queueJob(makeJob(next).with({ delayMs: 1 }));
    const first = job;
    for (let index = 0; index < 5_000; index++) job = await job.addCallback(next);
    await first.cancel();
    await drain();
    expect(await (await async.queueJob(next)).waitForResult()).toBe(1);
  });
});
