/** Unique keys and debouncing, as an application meets them. */

import { describe, expect, it } from 'vitest';
import { makeJob, OptionError, parallel, serial, Task, task, tasks } from '../../src/index.js';
import { setup } from '../support/bundle.js';
import { deferred, failureOf } from '../support/deferred.js';

class Reports {
  @Task({ quotas: [], uniqueKey: (folder: string) => folder, uniqueFor: 'waiting' })
  render(folder: string, _format: string): string {
    return folder;
  }
}
const reports = tasks(Reports);

const refresh = task('refresh', { quotas: [], uniqueKey: (id) => id, debounceMs: 1_000 }, (id: string, by: string) => `${id} ${by}`);
const plain = task('plain', { quotas: [] }, (value: number) => value);

describe('a unique key', () => {
  it('gives who asks the job that is there, which says so', async () => {
    const { async, drain } = await setup({ tasks: [Reports], dispatcher: false });
    const first = await async.queueJob(reports.render, 'inbox', 'pdf');
    const second = await async.queueJob(reports.render, 'inbox', 'html');
    const other = await async.queueJob(reports.render, 'outbox', 'pdf');
    await drain();
    expect([first.isExisting, second.isExisting, other.isExisting]).toEqual([false, true, false]);
    expect(second.id).toBe(first.id);
    expect(other.id).not.toBe(first.id);
  });

  it('of a draft goes before that of its task', async () => {
    const { async } = await setup({ tasks: [Reports], dispatcher: false });
    const [one, two, three] = await async.queueJobs([
      makeJob(reports.render, 'inbox', 'pdf').with({ uniqueKey: 'a' }),
      makeJob(reports.render, 'inbox', 'pdf').with({ uniqueKey: 'b' }),
      makeJob(reports.render, 'outbox', 'pdf').with({ uniqueKey: 'a' }),
    ]);
    expect(new Set([one.id, two.id]).size).toBe(2);
    expect(three.id).toBe(one.id);
  });

  it('can be waited under: both who asked are given the result', async () => {
    const gate = deferred<number>();
    const slow = task('slow', { quotas: [] }, () => gate.promise);
    const { async, drain } = await setup({ tasks: [slow] });
    const draft = makeJob(slow).with({ uniqueKey: 'one' });
    const [first, second] = [await async.queueJob(draft), await async.queueJob(draft)];
    await drain();
    gate.resolve(42);
    expect(await Promise.all([first.waitForResult(), second.waitForResult()])).toEqual([42, 42]);
    const next = await async.queueJob(draft);
    expect(next.isExisting).toBe(false);
  });

  it('of a task does not count for steps and callbacks, which all run', async () => {
    const { async, drain } = await setup({ tasks: [Reports] });
    const draft = makeJob(reports.render, 'inbox', 'pdf');
    const batch = await async.queueParallelJobs(draft, draft.withCallbacks({ success: makeJob(reports.render, 'inbox', 'pdf') }));
    await drain();
    const jobs = await batch.waitForResult();
    expect(new Set(jobs.map(({ id }) => id)).size).toBe(2);
    expect((await async.getQueues().get('').jobs({ task: reports.render })).length).toBe(3);
  });

  it('holds for a batch as a whole', async () => {
    const { async } = await setup({ tasks: [plain], dispatcher: false });
    const draft = serial(makeJob(plain, 1), makeJob(plain, 2)).with({ uniqueKey: 'nightly' });
    const [first, second] = [await async.queueJob(draft), await async.queueJob(draft)];
    expect(second.id).toBe(first.id);
    expect(second.isExisting).toBe(true);
  });

  it('of a draft that a task returns gives the task the outcome of the job that is there, and does not own it', async () => {
    const gate = deferred<string>();
    const inner = task('inner', { quotas: [] }, () => gate.promise);
    const outer = task('outer', { quotas: [] }, () => makeJob(inner).with({ uniqueKey: 'x' }));
    const { async, drain } = await setup({ tasks: [inner, outer] });
    const there = await async.queueJob(makeJob(inner).with({ uniqueKey: 'x' }));
    const [first, second] = [await async.queueJob(outer), await async.queueJob(outer)];
    await drain();
    await first.cancel();
    expect((await there.refresh()).status).toBe('active');
    gate.resolve('done');
    expect(await second.waitForResult()).toBe('done');
  });

  it('in a transaction is known to it at once, and to all with its commit', async () => {
    const { async } = await setup({ tasks: [Reports], dispatcher: false });
    const outside = await async.queueJob(reports.render, 'outside', 'pdf');
    const [existing, first, second] = await async.transaction(async () => [
      await async.queueJob(reports.render, 'outside', 'pdf'),
      await async.queueJob(reports.render, 'inside', 'pdf'),
      await async.queueJob(reports.render, 'inside', 'html'),
    ]);
    expect([existing?.id, existing?.isExisting]).toEqual([outside.id, true]);
    expect([second?.id, second?.isExisting]).toEqual([first?.id, true]);
    expect((await async.queueJob(reports.render, 'inside', 'pdf')).id).toBe(first?.id);
  });

  it('keeps the order of the jobs that a transaction queues, with a key or without', async () => {
    const ran: string[] = [];
    const note = task('note', (name: string) => void ran.push(name));
    const { async, drain } = await setup({ tasks: [note] });
    await async.transaction(async () => {
      await async.queueJob(note, 'first');
      await async.queueJob(makeJob(note, 'second').with({ uniqueKey: 'k' }));
      await async.queueJob(note, 'third');
    });
    await drain();
    expect(ran).toEqual(['first', 'second', 'third']);
  });
});

describe('a debounced task', () => {
  it('runs once, its delay after the last call, with the arguments of that call', async () => {
    const { async, advance } = await setup({ tasks: [refresh] });
    const first = await async.queueJob(refresh, 'page', 'one');
    await advance(900);
    const last = await async.queueJob(refresh, 'page', 'two');
    expect([last.id, last.isExisting]).toEqual([first.id, true]);
    await advance(999);
    expect((await first.refresh()).status).toBe('scheduled');
    await advance(1);
    expect(await first.waitForResult()).toBe('page two');
    expect((await async.queueJob(refresh, 'page', 'three')).isExisting).toBe(false);
  });

  it('is not put off without end where a limit is given', async () => {
    const { async, advance } = await setup({ tasks: [refresh] });
    const ask = async (by: string) => async.queueJob(makeJob(refresh, 'page', by).with({ debounceMs: 1_000, debounceMaxMs: 1_500 }));
    const job = await ask('one');
    await advance(800);
    await ask('two');
    await advance(700);
    expect(await job.waitForResult()).toBe('page two');
  });
});

describe('what is said of keys is refused where it makes no sense', () => {
  it.each([
    [{ uniqueFor: 'waiting' }, '`uniqueFor` of plain needs a `uniqueKey`'],
    [{ debounceMs: 5 }, '`debounceMs` of plain needs a `uniqueKey`'],
    [{ uniqueKey: 'k', debounceMaxMs: 5 }, '`debounceMaxMs` of plain needs a `debounceMs`'],
    [{ uniqueKey: 'k', debounceMs: 5, debounceMaxMs: 4 }, '`debounceMaxMs` of plain must be at least its `debounceMs`, 5, but is 4'],
    [{ uniqueKey: 'k', debounceMs: 5, uniqueFor: 'waiting' }, 'both `debounceMs` and `uniqueFor`'],
    [{ uniqueKey: 'k', debounceMs: 5, delayMs: 5 }, 'both `debounceMs` and a time'],
  ] as const)('%j', async (options, message) => {
    const { async } = await setup({ tasks: [plain] });
    const error = await failureOf(async.queueJob(makeJob(plain, 1).with(options)));
    expect(error).toBeInstanceOf(OptionError);
    expect(error.message).toContain(message);
  });

  it.each([
    [{ uniqueKey: '' }, '`uniqueKey` of `with` of plain must be a non-empty string of at most 500 characters'],
    [{ uniqueKey: 'x'.repeat(501) }, 'at most 500 characters'],
    [{ uniqueKey: '\ud800' }, 'must be a non-empty string'],
    [{ uniqueKey: 'k', uniqueFor: 'ever' as 'waiting' }, "must be one of 'waiting', 'unfinished', or a number of milliseconds"],
  ] as const)('%j', (options, message) => {
    expect(() => makeJob(plain, 1).with(options)).toThrow(message);
  });

  it('in a step or a callback', async () => {
    const { async } = await setup({ tasks: [plain] });
    const keyed = makeJob(plain, 1).with({ uniqueKey: 'k' });
    for (const draft of [parallel(keyed), makeJob(plain, 1).withCallback(keyed)]) {
      const error = await failureOf(async.queueJob(draft));
      expect(error.message).toContain('plain has `uniqueKey`, but is a step or a callback');
    }
  });

  it('in a task, when it is declared', () => {
    expect(() => task('bad', { uniqueFor: 'waiting' }, () => 1)).toThrow('`uniqueFor` of the task bad needs a `uniqueKey`');
    const short = { uniqueKey: () => 'k', debounceMs: 5, debounceMaxMs: 4 };
    expect(() => task('short', short, () => 1)).toThrow('`debounceMaxMs` of the task short must be at least its `debounceMs`');
  });

  it('by a key function that returns no key', async () => {
    const keyless = task('keyless', { uniqueKey: (value) => value as unknown as string }, (value: number) => value);
    const { async } = await setup({ tasks: [keyless] });
    const error = await failureOf((async () => async.queueJob(keyless, 5))());
    expect(error.message).toContain('`uniqueKey(…)` of the task keyless must be a non-empty string');
  });
});
