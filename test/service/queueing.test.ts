import { Container, inject, injectable } from 'inversify';
import { Binary, Code, Long, ObjectId } from 'mongodb';
import { describe, expect, it } from 'vitest';
import {
  asyncModule,
  currentTask,
  IAsyncService,
  JobTypeError,
  makeJob,
  memoryStore,
  NotATaskError,
  NotRunningError,
  OptionError,
  parallel,
  QuotaError,
  serial,
  Task,
  TooLargeError,
  task,
  tasks,
  UnknownQuotaError,
  UnstorableError,
} from '../../src/index.js';
import { setup } from '../support/bundle.js';
import { deferred, failureOf, Log } from '../support/deferred.js';

const addNumbers = task('addNumbers', (x: number, y: number) => x + y);
const echo = task('echo', { quotas: [] }, (value: unknown) => value);

function queueAnything(async: object, work: unknown): Promise<unknown> {
  return (async as { queueJob(work: unknown): Promise<unknown> }).queueJob(work);
}

describe('queueJob', () => {
  it('runs a function and hands its result to the waiter', async () => {
    const { async } = await setup({ tasks: [addNumbers] });
    const job = await async.queueJob(addNumbers, 40, 2);
    expect(await job.waitForResult()).toBe(42);
    expect(job.status).toBe('completed');
  });

  it('takes a draft as well', async () => {
    const { async } = await setup({ tasks: [addNumbers] });
    const job = await async.queueJob(makeJob(addNumbers, 1, 2).with({ quotas: [] }));
    expect(await job.waitForResult()).toBe(3);
  });

  it('leaves the function callable as the function it is', () => {
    expect(addNumbers(40, 2)).toBe(42);
  });

  it('refuses a value that is not a task, and says what would be one', async () => {
    const { async } = await setup();
    const plain = (x: number): number => x;
    const error = await failureOf(queueAnything(async, plain));
    expect(error).toBeInstanceOf(NotATaskError);
    expect(error.message).toContain('the function plain is not a task');
    expect(error.message).toContain('task(name, fn)');
    expect(await failureOf(queueAnything(async, undefined))).toBeInstanceOf(NotATaskError);
    expect(await failureOf(queueAnything(async, 'addNumbers'))).toBeInstanceOf(NotATaskError);
    expect(await failureOf(queueAnything(async, null))).toBeInstanceOf(NotATaskError);
  });

  it('has stored the job when its promise resolves', async () => {
    const { async } = await setup({ dispatcher: false, tasks: [addNumbers] });
    const job = await async.queueJob(addNumbers, 1, 2);
    expect((await async.getJob(job.id))?.status).toBe('pending');
    expect(await async.getQueues().get('').size()).toBe(1);
  });

  it('gives every job an id of its own, 24 hexadecimal digits, rising', async () => {
    const { async } = await setup({ dispatcher: false, tasks: [addNumbers] });
    const ids: string[] = [];
    for (let index = 0; index < 300; index++) ids.push((await async.queueJob(addNumbers, index, 0)).id);
    expect(new Set(ids).size).toBe(300);
    expect(ids.every((id) => /^[0-9a-f]{24}$/.test(id))).toBe(true);
    expect([...ids].sort()).toEqual(ids);
  });
});

class Unit {}

@injectable()
class Repository {
  constructor(@inject(Unit) readonly unit: Unit) {}
}

@injectable()
class Documents {
  static instances: Documents[] = [];

  constructor(
    @inject(Repository) readonly repository: Repository,
    @inject(Unit) readonly unit: Unit,
  ) {
    Documents.instances.push(this);
  }

  @Task() async create(folder: string, id: string): Promise<string> {
    return `${folder}/${id}`;
  }

  @Task() isOneRequest(): boolean {
    return this.repository.unit === this.unit;
  }

  plain(): void {}
}

@Task({ quotas: [] })
class Shout {
  run(text: string): string {
    return text.toUpperCase();
  }
}

describe('methods and classes as tasks', () => {
  const documents = tasks(Documents);

  function container(): Container {
    const made = new Container();
    made.bind(Unit).toSelf().inRequestScope();
    made.bind(Repository).toSelf().inRequestScope();
    Documents.instances = [];
    return made;
  }

  it('runs a method on its service, with the arguments of the job', async () => {
    const { async } = await setup({ tasks: [Documents], container: container() });
    const job = await async.queueJob(documents.create, 'inbox', 'bar');
    expect(job.taskName).toBe('Documents.create');
    expect(await job.waitForResult()).toBe('inbox/bar');
  });

  it('resolves the service anew for each run, in one request scope', async () => {
    const { async } = await setup({ tasks: [Documents], container: container() });
    expect(Documents.instances).toHaveLength(1);
    const jobs = [await async.queueJob(documents.isOneRequest), await async.queueJob(documents.isOneRequest)];
    for (const job of jobs) expect(await job.waitForResult()).toBe(true);
    expect(Documents.instances).toHaveLength(3);
    expect(new Set(Documents.instances.map(({ unit }) => unit)).size).toBe(3);
  });

  it('runs a class that is a task itself', async () => {
    const { async } = await setup({ tasks: [Shout] });
    const job = await async.queueJob(Shout, 'quiet');
    expect(job.taskName).toBe('Shout');
    expect(await job.waitForResult()).toBe('QUIET');
  });

  it('says of a method without `@Task` that it is none', () => {
    expect(() => documents.plain).toThrow(NotATaskError);
    expect(() => documents.plain).toThrow('`Documents.plain` is not a task: put `@Task()` on the method');
  });

  it('fails the job, not the dispatcher, when its service cannot be resolved any more', async () => {
    const own = container();
    const { async } = await setup({ tasks: [Documents, addNumbers], container: own });
    await own.unbindAsync(Unit);
    const job = await async.queueJob(documents.create, 'inbox', 'bar');
    expect((await job.waitForOutcome()).status).toBe('failed');
    expect(await (await async.queueJob(addNumbers, 1, 1)).waitForResult()).toBe(2);
  });
});

describe('drafts', () => {
  it('queue nothing', async () => {
    const { async } = await setup({ tasks: [addNumbers], dispatcher: false });
    makeJob(addNumbers, 1, 2);
    serial(makeJob(addNumbers, 1, 2));
    expect(await async.getQueues().get('').size()).toBe(0);
  });

  it('never change: everything that begins with `with` gives a new one', async () => {
    const { async } = await setup({ tasks: [addNumbers, echo], dispatcher: false });
    const draft = makeJob(addNumbers, 1, 2);
    const other = draft.with({ queue: 'other' }).withCallback(echo).withCallbacks({ success: echo });
    expect(other).not.toBe(draft);
    expect(Object.isFrozen(draft)).toBe(true);
    await async.queueJob(draft);
    expect(await async.getQueues().get('').size()).toBe(1);
    expect(await async.getQueues().get('other').size()).toBe(0);
  });

  it('may be queued more than once, as a job each time', async () => {
    const { async } = await setup({ tasks: [addNumbers] });
    const draft = makeJob(addNumbers, 20, 1);
    const [one, other] = [await async.queueJob(draft), await async.queueJob(draft)];
    expect(one.id).not.toBe(other.id);
    expect(await one.waitForResult()).toBe(21);
    expect(await other.waitForResult()).toBe(21);
  });

  it('may stand more than once in a batch', async () => {
    const { async } = await setup({ tasks: [addNumbers] });
    const draft = makeJob(addNumbers, 20, 1);
    const [one, other] = await (await async.queueSerialJobs(draft, draft)).waitForResult();
    expect(one.id).not.toBe(other.id);
    expect([one.result, other.result]).toEqual([21, 21]);
  });

  it('keep what an earlier `with` said, unless it is said again', async () => {
    const { async, store } = await setup({ tasks: [addNumbers], dispatcher: false });
    const job = await async.queueJob(makeJob(addNumbers, 1, 2).with({ priority: 3, name: 'first' }).with({ name: 'second' }));
    const [record] = await store.find({ ids: [job.id] });
    expect(record?.job).toMatchObject({ priority: 3, name: 'second' });
  });

  it('do not follow a Date that is changed after `with`', async () => {
    const { async, drain, clock } = await setup({ tasks: [addNumbers] });
    const beginAfter = new Date(clock.now() + 60_000);
    const draft = makeJob(addNumbers, 1, 2).with({ beginAfter });
    beginAfter.setTime(0);
    const job = await async.queueJob(draft);
    await drain();
    expect(job.status).toBe('scheduled');
  });

  it('refuse an option that there is not, with the nearest one', () => {
    expect(() => makeJob(addNumbers, 1, 2).with({ priorty: 1 } as never)).toThrow(OptionError);
    expect(() => makeJob(addNumbers, 1, 2).with({ priorty: 1 } as never)).toThrow('did you mean `priority`?');
    expect(() => makeJob(addNumbers, 1, 2).with({ onFailure: 'stop' } as never)).toThrow(OptionError);
    expect(() => makeJob(addNumbers, 1, 2).with(undefined as never)).toThrow(OptionError);
  });

  it.each([
    [{ priority: 1.5 }, 'priority'],
    [{ delayMs: -1 }, 'delayMs'],
    [{ delayMs: Number.NaN }, 'delayMs'],
    [{ delayMs: Number.POSITIVE_INFINITY }, 'delayMs'],
    [{ beginAfter: new Date(Number.NaN) }, 'beginAfter'],
    [{ beginBy: 5 }, 'beginBy'],
    [{ name: '' }, 'name'],
    [{ queue: 7 }, 'queue'],
    [{ quotas: 'default' }, 'quotas'],
    [{ quotas: { default: 0 } }, 'quotas.default'],
    [{ quotas: { default: 1.5 } }, 'quotas.default'],
    [{ quotas: [''] }, 'quotas'],
  ])('refuse the option %j and name it', (options, path) => {
    expect(() => makeJob(addNumbers, 1, 2).with(options as never)).toThrow(OptionError);
    expect(() => makeJob(addNumbers, 1, 2).with(options as never)).toThrow(`\`${path}\``);
  });

  it.each(['name', 'queue'])('refuse a %s that would make the job too large to be stored beside others', (option) => {
    expect(() => makeJob(addNumbers, 1, 2).with({ [option]: 'x'.repeat(1_001) })).toThrow(
      'of at most 1000 characters, but is the string "xxxx',
    );
    makeJob(addNumbers, 1, 2).with({ [option]: 'x'.repeat(1_000) });
  });

  it('refuse `delayMs` beside `beginAfter`, and a deadline before the begin', async () => {
    const { async, clock } = await setup({ tasks: [addNumbers] });
    const later = new Date(clock.now() + 1_000);
    const draft = makeJob(addNumbers, 1, 2);
    expect(await failureOf(async.queueJob(draft.with({ delayMs: 5, beginAfter: later })))).toBeInstanceOf(OptionError);
    expect(await failureOf(async.queueJob(draft.with({ beginBy: later, beginAfter: later })))).toBeInstanceOf(OptionError);
  });

  it('refuse batch children that are not drafts, and say which', async () => {
    const { async } = await setup({ tasks: [addNumbers] });
    expect(() => serial(makeJob(addNumbers, 1, 2), addNumbers as never)).toThrow(NotATaskError);
    expect(() => serial(makeJob(addNumbers, 1, 2), addNumbers as never)).toThrow('`serial(…)[1]`');
    const job = await async.queueJob(addNumbers, 1, 2);
    expect(() => parallel(job as never)).toThrow('`parallel(…)[0]`');
    expect(await failureOf(async.queueParallelJobs('x' as never))).toBeInstanceOf(NotATaskError);
  });
});

describe('arguments', () => {
  class Money {
    readonly amount = 5;
  }
  const circular: Record<string, unknown> = {};
  circular['self'] = { circular };
  let deep: unknown = 1;
  for (let level = 0; level < 150; level++) deep = [deep];

  it.each<[string, unknown, string, string]>([
    ['a function', { onDone: () => {} }, 'arguments[0].onDone', 'is a function'],
    ['a symbol', [1, Symbol('x')], 'arguments[0][1]', 'is a symbol'],
    ['a circular object', circular, 'arguments[0].self.circular', 'is circular'],
    ['an instance of a class', { price: new Money() }, 'arguments[0].price', 'Money'],
    ['a Map', { map: new Map() }, 'arguments[0].map', 'Map'],
    ['a Set', new Set([1]), 'arguments[0]', 'Set'],
    ['a promise', { later: Promise.resolve(1) }, 'arguments[0].later', 'await it first'],
    ['an error', [new Error('x')], 'arguments[0][0]', 'error'],
    ['a bigint of more than 64 bits', 2n ** 63n, 'arguments[0]', 'bigint'],
    ['an invalid Date', { at: new Date(Number.NaN) }, 'arguments[0].at', 'invalid Date'],
    ['half a surrogate pair', { text: '\ud800' }, 'arguments[0].text', 'surrogate'],
    ['a RegExp with the flag g', /x/g, 'arguments[0]', 'RegExp'],
    ['a null byte in a name', { a: { 'b\0': 1 } }, 'arguments[0].a["b\\u0000"]', 'null byte'],
    ['a property named by a symbol', { [Symbol.for('x')]: 1 }, 'arguments[0]', 'Symbol(x)'],
    ['a draft', { draft: makeJob(addNumbers, 1, 2) }, 'arguments[0].draft', 'queue it, and pass the job'],
  ])('refuses %s at queueing, naming its place; nothing is queued', async (_what, value, path, fact) => {
    const { async } = await setup({ tasks: [echo], dispatcher: false });
    const error = await failureOf(async.queueJob(echo, value));
    expect(error).toBeInstanceOf(UnstorableError);
    expect((error as UnstorableError).path).toBe(path);
    expect(error.message).toContain(fact);
    expect(() => makeJob(echo, value)).toThrow(UnstorableError);
    expect(await async.getQueues().get('').jobs()).toEqual([]);
  });

  it('refuses nesting deeper than MongoDB takes', async () => {
    const { async } = await setup({ tasks: [echo] });
    expect(await failureOf(async.queueJob(echo, deep))).toBeInstanceOf(UnstorableError);
  });

  it('names the place where a getter threw, with its error as the cause', async () => {
    const { async } = await setup({ tasks: [echo] });
    const value = {
      get total(): number {
        throw new Error('not yet');
      },
    };
    const error = await failureOf(async.queueJob(echo, value));
    expect(error).toBeInstanceOf(UnstorableError);
    expect(error.message).toContain('`arguments[0].total` threw when it was read');
    expect((error.cause as Error).message).toBe('not yet');
  });

  it('carries what BSON can carry, and `undefined`, there and back', async () => {
    const { async } = await setup({ tasks: [echo] });
    const value = {
      text: 'größer 🦆',
      nothing: null,
      missing: undefined,
      numbers: [0, -1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53],
      big: 2n ** 62n,
      at: new Date('2031-02-03T04:05:06.789Z'),
      bytes: Buffer.from([0, 1, 255]),
      pattern: /^a.b$/im,
      $where: { 'a.b': 1, '': 2 },
      empty: [[], {}],
    };
    const returned = await (await async.queueJob(echo, value)).waitForResult();
    expect(returned).toEqual(value);
    expect(Object.hasOwn(returned as object, 'missing')).toBe(true);
  });

  it('passes `undefined` and fewer arguments as they were given', async () => {
    const count = task('count', (...values: (string | undefined)[]) => values.length);
    const { async } = await setup({ tasks: [count] });
    expect(await (await async.queueJob(count, undefined, 'b', undefined)).waitForResult()).toBe(3);
    expect(await (await async.queueJob(count)).waitForResult()).toBe(0);
  });

  it('are copied when the draft is made', async () => {
    const { async } = await setup({ tasks: [echo] });
    const list = [1, 2];
    const draft = makeJob(echo, list);
    list.push(3);
    const job = await async.queueJob(draft);
    list.push(4);
    expect(await job.waitForResult()).toEqual([1, 2]);
  });

  it('are copied again for each attempt', async () => {
    const seen: number[] = [];
    const spoil = task('spoil', { retry: { attempts: 3, retries: 'any' } }, (list: number[]) => {
      seen.push(list.length);
      list.push(0);
      if (seen.length < 3) throw new Error('once more');
      return list;
    });
    const { async } = await setup({ tasks: [spoil] });
    expect(await (await async.queueJob(spoil, [1])).waitForResult()).toEqual([1, 0]);
    expect(seen).toEqual([1, 1, 1]);
  });

  it('do not shadow `__proto__`', async () => {
    const { async } = await setup({ tasks: [echo] });
    const value = JSON.parse('{"__proto__": {"admin": true}, "a": 1}') as object;
    const returned = (await (await async.queueJob(echo, value)).waitForResult()) as { admin?: boolean };
    expect(returned.admin).toBeUndefined();
    expect(JSON.stringify(returned)).toBe(JSON.stringify(value));
  });
});

describe('limits', () => {
  it('refuses arguments above `valueLimitBytes`, saying how large they are; nothing is queued', async () => {
    const { async } = await setup({ tasks: [echo], valueLimitBytes: 1_000 });
    const error = await failureOf(async.queueJob(echo, 'x'.repeat(2_000)));
    expect(error).toBeInstanceOf(TooLargeError);
    expect(error.message).toMatch(/arguments of echo take \d+ bytes, but the limit is 1000/);
    expect(await async.getQueues().get('').jobs()).toEqual([]);
    expect(await (await async.queueJob(echo, 'x'.repeat(500))).waitForResult()).toHaveLength(500);
  });

  it('takes 1 MiB less a little by default, and not a little more', async () => {
    const { async } = await setup({ tasks: [echo] });
    expect(await (await async.queueJob(echo, 'x'.repeat(1_048_000))).waitForResult()).toHaveLength(1_048_000);
    expect(await failureOf(async.queueJob(echo, 'x'.repeat(1_048_577)))).toBeInstanceOf(TooLargeError);
  });

  it('refuses at once what shares its parts over and over', async () => {
    const { async } = await setup({ tasks: [echo] });
    let value: unknown = 'lol';
    for (let level = 0; level < 60; level++) value = [value, value];
    expect(await failureOf(async.queueJob(echo, value))).toBeInstanceOf(TooLargeError);
  });

  it('fails a job whose result is too large', async () => {
    const large = task('large', () => 'x'.repeat(5_000));
    const { async } = await setup({ tasks: [large, addNumbers], valueLimitBytes: 1_000 });
    const outcome = await (await async.queueJob(large)).waitForOutcome();
    expect(outcome).toMatchObject({ status: 'failed', error: { name: 'TooLargeError', code: 'MILLRACE_TOO_LARGE' } });
    expect(await (await async.queueJob(addNumbers, 1, 1)).waitForResult()).toBe(2);
  });

  it('fails a job whose result cannot be stored, naming the place', async () => {
    const strange = task('strange', () => ({ items: [{ close: () => {} }] }));
    const { async } = await setup({ tasks: [strange] });
    const outcome = await (await async.queueJob(strange)).waitForOutcome();
    expect(outcome).toMatchObject({ status: 'failed', error: { code: 'MILLRACE_UNSTORABLE' } });
    if (outcome.status === 'failed') expect(outcome.error.message).toContain('`result.items[0].close` is a function');
  });
});

describe('quota names at queueing', () => {
  it('refuses a quota that is not configured, with the nearest name; nothing is queued', async () => {
    const { async } = await setup({ tasks: [echo], quotas: { reports: 2 } });
    const error = await failureOf(async.queueJob(makeJob(echo, 1).with({ quotas: ['report'] })));
    expect(error).toBeInstanceOf(UnknownQuotaError);
    expect(error.message).toContain('did you mean `reports`?');
    expect(await async.getQueues().get('').jobs()).toEqual([]);
  });

  it('refuses a weight above the size of the quota, for the job could never run', async () => {
    const { async } = await setup({ tasks: [echo], quotas: { reports: 2 } });
    const error = await failureOf(async.queueJob(makeJob(echo, 1).with({ quotas: { reports: 3 } })));
    expect(error).toBeInstanceOf(QuotaError);
    expect(error.message).toContain('needs 3 places of the quota `reports`, whose size is 2');
  });

  it('refuses a batch for a quota that one of its children or callbacks names', async () => {
    const { async } = await setup({ tasks: [echo], dispatcher: false });
    const bad = makeJob(echo, 1).with({ quotas: ['gone'] });
    expect(await failureOf(async.queueSerialJobs(makeJob(echo, 1), bad))).toBeInstanceOf(UnknownQuotaError);
    expect(await failureOf(async.queueJob(makeJob(echo, 1).withCallbacks({ failure: bad })))).toBeInstanceOf(UnknownQuotaError);
    expect(await async.getQueues().get('').jobs()).toEqual([]);
  });
});

describe('the life of the service', () => {
  it('queues nothing before `start`', async () => {
    const container = new Container();
    container.load(asyncModule({ store: memoryStore(), tasks: [addNumbers] }));
    const error = await failureOf(container.get(IAsyncService).queueJob(addNumbers, 1, 2));
    expect(error).toBeInstanceOf(NotRunningError);
    expect(error.message).toContain('start(container)');
  });

  it('queues nothing after `stop`', async () => {
    const { async, stop } = await setup({ tasks: [addNumbers] });
    const job = await async.queueJob(addNumbers, 1, 2);
    await job.waitForResult();
    await stop();
    expect(await failureOf(async.queueJob(addNumbers, 1, 2))).toBeInstanceOf(NotRunningError);
    expect(await failureOf(async.queueJobs([makeJob(addNumbers, 1, 2)]))).toBeInstanceOf(NotRunningError);
    expect(await failureOf(job.addCallback(echo))).toBeInstanceOf(NotRunningError);
  });

  it('may be stopped twice', async () => {
    const { stop } = await setup({ tasks: [addNumbers] });
    await Promise.all([stop(), stop()]);
    await stop();
  });

  it('runs nothing more after `quiet`, but queues', async () => {
    const { async, drain } = await setup({ tasks: [addNumbers] });
    await async.quiet();
    const job = await async.queueJob(addNumbers, 1, 2);
    await drain();
    await job.refresh();
    expect(job.status).toBe('pending');
  });

  it('lets a running job end on `stop`', async () => {
    const gate = deferred();
    const begun = deferred();
    const slow = task('slow', async () => {
      begun.resolve();
      await gate.promise;
      return 'done';
    });
    const { async } = await setup({ tasks: [slow] });
    const job = await async.queueJob(slow);
    const result = job.waitForResult();
    await begun.promise;
    const stopped = async.stop();
    gate.resolve();
    expect(await result).toBe('done');
    await stopped;
  });
});

describe('tasks that this process does not know', () => {
  it('are queued with one warning for each', async () => {
    const log = new Log();
    const { async } = await setup({ tasks: [addNumbers], logger: log });
    await async.queueJob(echo, 1);
    await async.queueJob(echo, 2);
    await async.queueSerialJobs(makeJob(echo, 3), makeJob(addNumbers, 1, 2));
    expect(log.of('warn')).toHaveLength(1);
    expect(log.of('warn')[0]).toContain('echo');
    expect(log.of('warn')[0]).toContain('tasks');
  });

  it('are queued without one where nothing is run anyway', async () => {
    const log = new Log();
    const { async } = await setup({ dispatcher: false, logger: log });
    await async.queueJob(echo, 1);
    expect(log.of('warn')).toEqual([]);
  });

  it('do not hold up the jobs behind them', async () => {
    const other = task('other', () => 'other');
    const { async } = await setup({ tasks: [addNumbers] });
    await async.queueJob(other);
    expect(await (await async.queueJob(addNumbers, 1, 2)).waitForResult()).toBe(3);
  });
});

describe('queueJobs', () => {
  it('gives the jobs in the order of the drafts', async () => {
    const { async } = await setup({ tasks: [addNumbers, echo] });
    const [sum, text, batch] = await async.queueJobs([makeJob(addNumbers, 1, 2), makeJob(echo, 'b'), serial(makeJob(echo, 'c'))]);
    expect(await sum.waitForResult()).toBe(3);
    expect(await text.waitForResult()).toBe('b');
    const [child] = await batch.waitForResult();
    expect(child.result).toBe('c');
  });

  it('takes none, and thousands', async () => {
    const { async, drain } = await setup({ tasks: [echo] });
    expect(await async.queueJobs([])).toEqual([]);
    const jobs = await async.queueJobs(Array.from({ length: 3_000 }, (_, index) => makeJob(echo, index)));
    await drain();
    const results = await Promise.all(jobs.map((job) => job.waitForResult()));
    expect(results).toEqual(results.map((_, index) => index));
  });

  it.each<[string, () => unknown, new (...args: never[]) => Error]>([
    ['a quota that is not configured', () => makeJob(echo, 1).with({ quotas: ['gone'] }), UnknownQuotaError],
    ['arguments that are too large', () => makeJob(echo, 'x'.repeat(5_000)), TooLargeError],
    ['something that is not a draft', () => 'echo', NotATaskError],
    ['a batch with a bad child', () => parallel(makeJob(echo, 1).with({ quotas: { default: 9 } })), QuotaError],
  ])('queues nothing where one draft has %s', async (_what, bad, error) => {
    const { async } = await setup({ tasks: [echo], valueLimitBytes: 1_000, dispatcher: false });
    const drafts = [makeJob(echo, 1), bad(), makeJob(echo, 2)] as never;
    expect(await failureOf(async.queueJobs(drafts))).toBeInstanceOf(error);
    expect(await async.getQueues().get('').jobs()).toEqual([]);
  });

  it('names the draft that is none by its index', async () => {
    const { async } = await setup({ tasks: [echo] });
    expect((await failureOf(async.queueJobs([makeJob(echo, 1), 7] as never))).message).toContain('`drafts[1]`');
  });

  it('is not spoiled by a bad call beside it', async () => {
    const { async } = await setup({ tasks: [echo] });
    const [good, bad, alsoGood] = await Promise.allSettled([
      async.queueJob(echo, 1),
      async.queueJob(makeJob(echo, 2).with({ quotas: ['gone'] })),
      async.queueJob(echo, 3),
    ]);
    expect([good.status, bad.status, alsoGood.status]).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });
});

describe('getJob', () => {
  it('gives a job that anybody queued, as it is now', async () => {
    const { async } = await setup({ tasks: [addNumbers] });
    const job = await async.queueJob(addNumbers, 40, 2);
    await job.waitForResult();
    const same = await async.getJob(job.id);
    expect(same).toMatchObject({ id: job.id, taskName: 'addNumbers', status: 'completed', result: 42, attempts: 1 });
  });

  it('is typed by the task it is given', async () => {
    const { async } = await setup({ tasks: [addNumbers] });
    const { id } = await async.queueJob(addNumbers, 40, 2);
    const job = await async.getJob(id, addNumbers);
    const sum: number | undefined = await job?.waitForResult();
    expect(sum).toBe(42);
  });

  it('refuses a job of another task, naming both', async () => {
    const { async } = await setup({ tasks: [addNumbers, echo] });
    const { id } = await async.queueJob(addNumbers, 40, 2);
    const error = await failureOf(async.getJob(id, echo));
    expect(error).toBeInstanceOf(JobTypeError);
    expect(error.message).toContain('addNumbers');
    expect(error.message).toContain('echo');
  });

  it('takes a job that was stored under an older name of its task', async () => {
    const old = task('sum', (x: number, y: number) => x + y);
    const renamed = task('total', { aliases: ['sum'] }, (x: number, y: number) => x + y);
    const { async } = await setup({ tasks: [renamed] });
    const { id } = await async.queueJob(old, 1, 2);
    expect(await (await async.getJob(id, renamed))?.waitForResult()).toBe(3);
    expect(await async.getQueues().get('').jobs({ task: renamed })).toHaveLength(1);
  });

  it('gives `undefined` for an id that is not there, whatever it looks like', async () => {
    const { async } = await setup({ tasks: [addNumbers] });
    expect(await async.getJob('0123456789abcdef01234567')).toBeUndefined();
    expect(await async.getJob('no id')).toBeUndefined();
    expect(await async.getJob('', addNumbers)).toBeUndefined();
  });
});

describe('order', () => {
  it('is first come, first served, one at a time, with the default quota', async () => {
    const order: number[] = [];
    let running = 0;
    let most = 0;
    const step = task('step', async (number: number) => {
      most = Math.max(most, ++running);
      await Promise.resolve();
      order.push(number);
      running--;
    });
    const { async, drain } = await setup({ tasks: [step] });
    await Promise.all(Array.from({ length: 200 }, (_, index) => async.queueJob(step, index)));
    await drain();
    expect(order).toEqual(Array.from({ length: 200 }, (_, index) => index));
    expect(most).toBe(1);
  });

  it('goes by priority, lower first, then by insertion', async () => {
    const gate = deferred();
    const order: string[] = [];
    const block = task('block', () => gate.promise);
    const step = task('step', (name: string) => {
      order.push(name);
    });
    const { async, drain } = await setup({ tasks: [block, step] });
    await async.queueJob(block);
    for (const [name, priority] of Object.entries({ a: 5, b: 0, c: -3, d: 5, e: 0, f: -3 })) {
      await async.queueJob(makeJob(step, name).with({ priority }));
    }
    gate.resolve();
    await drain();
    expect(order).toEqual(['c', 'f', 'b', 'e', 'a', 'd']);
  });

  it('goes by priority across tasks', async () => {
    const order: string[] = [];
    const one = task('one', (name: string) => {
      order.push(name);
    });
    const other = task('other', (name: string) => {
      order.push(name);
    });
    const { async, drain } = await setup({ tasks: [one, other] });
    await async.queueJobs([
      makeJob(one, 'd').with({ priority: 3 }),
      makeJob(other, 'a').with({ priority: 0 }),
      makeJob(one, 'b').with({ priority: 1 }),
      makeJob(other, 'c').with({ priority: 2 }),
    ]);
    await drain();
    expect(order).toEqual(['a', 'b', 'c', 'd']);
  });
});

describe('queues', () => {
  it('count what waits, and give their jobs by status, by task and up to a limit', async () => {
    const { async, clock } = await setup({ tasks: [addNumbers, echo], dispatcher: false });
    const { id } = await async.queueJob(addNumbers, 1, 2);
    await async.queueJob(makeJob(echo, 1).with({ beginAfter: new Date(clock.now() + 1_000) }));
    await async.queueJob(makeJob(echo, 2).with({ queue: 'mail' }));
    const queue = async.getQueues().get('');
    expect(await queue.size()).toBe(2);
    expect((await queue.jobs({ statuses: ['scheduled'] })).map(({ taskName }) => taskName)).toEqual(['echo']);
    expect((await queue.jobs({ task: addNumbers })).map((job) => job.id)).toEqual([id]);
    expect(await queue.jobs({ limit: 1 })).toHaveLength(1);
    expect([...async.getQueues()].map(({ name }) => name)).toEqual(['', 'mail']);
  });

  it('refuse a filter that there is not', async () => {
    const { async } = await setup();
    const queue = async.getQueues().get('');
    expect(await failureOf(queue.jobs({ status: ['pending'] } as never))).toBeInstanceOf(OptionError);
    expect((await failureOf(queue.jobs({ status: ['pending'] } as never))).message).toContain('did you mean `statuses`?');
    expect(await failureOf(queue.jobs({ statuses: ['done'] } as never))).toBeInstanceOf(OptionError);
  });

  it('are served by the agents that name them, each with its own concurrency and tasks', async () => {
    const running = new Set<string>();
    const most = new Map<string, number>();
    const gate = deferred();
    const work = task('work', { quotas: [] }, async (queue: string) => {
      const { id } = currentTask().job;
      running.add(`${queue} ${id}`);
      most.set(queue, [...running].filter((one) => one.startsWith(queue)).length);
      await gate.promise;
      running.delete(`${queue} ${id}`);
    });
    const agents = [
      { queue: 'a', concurrency: 2 },
      { queue: 'b', concurrency: 3 },
      { queue: 'c', accepts: [echo] },
    ];
    const { async, drain } = await setup({ tasks: [work, echo], dispatcher: { agents } });
    for (const queue of ['a', 'b', 'c', 'd']) {
      for (let index = 0; index < 5; index++) await async.queueJob(makeJob(work, queue).with({ queue }));
    }
    const accepted = await async.queueJob(makeJob(echo, 'c').with({ queue: 'c' }));
    await drain();
    expect(Object.fromEntries(most)).toEqual({ a: 2, b: 3 });
    expect(await accepted.waitForResult()).toBe('c');
    gate.resolve();
    await drain();
    expect(await async.getQueues().get('a').size()).toBe(0);
    expect(await async.getQueues().get('c').size()).toBe(5);
    expect(await async.getQueues().get('d').size()).toBe(5);
  });
});

describe('values of the types of BSON', () => {
  const echo = task('echo', { quotas: [] }, (value: unknown) => value);

  it('are stored as copies', async () => {
    const { async } = await setup({ tasks: [echo] });
    const id = new ObjectId();
    const binary = new Binary(Buffer.from([1, 2]), 5);
    const job = await async.queueJob(echo, { id, long: Long.fromBigInt(5n), binary });
    binary.buffer[0] = 9;
    const result = (await job.waitForResult()) as { id: ObjectId; long: Long; binary: Binary };
    expect(result.id.equals(id)).toBe(true);
    expect(result.long.toBigInt()).toBe(5n);
    expect([...result.binary.value()]).toEqual([1, 2]);
  });

  it.each<[string, unknown, string]>([
    ['a plain object that claims to be one', { _bsontype: 'ObjectId', fn: () => 1 }, 'arguments[0]._bsontype'],
    ['code', new Code('1'), 'arguments[0]'],
    ['a key with half a surrogate pair', { '\ud800': 1 }, 'arguments[0]'],
    ['a revoked proxy', revoked(), 'arguments[0]'],
    ['a proxy that throws', new Proxy({}, { ownKeys: () => thrown() }), 'arguments[0]'],
    ['what only looks like a date', Object.create(Date.prototype), 'arguments[0]'],
  ])('are refused: %s', async (_what, value, path) => {
    const { async } = await setup({ tasks: [echo] });
    const error = await failureOf(async.queueJob(echo, value));
    expect(error).toBeInstanceOf(UnstorableError);
    expect((error as UnstorableError).path).toContain(path);
  });

  it('have a weight, as regular expressions have', async () => {
    const { async } = await setup({ tasks: [echo] });
    expect(await failureOf(async.queueJob(echo, new RegExp('a'.repeat(2_000_000))))).toBeInstanceOf(TooLargeError);
    expect(await failureOf(async.queueJob(echo, new Binary(Buffer.alloc(2_000_000))))).toBeInstanceOf(TooLargeError);
  });
});

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

function thrown(): never {
  throw new Error('not yours');
}
