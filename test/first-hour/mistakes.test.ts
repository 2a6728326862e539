/** The mistakes of a first hour: each is answered at the earliest point, by a message that says what happened and names the next step. */

import { Container, inject, injectable } from 'inversify';
import { MongoClient } from 'mongodb';
import { describe, expect, it } from 'vitest';
import {
  type AsyncModuleOptions,
  asyncModule,
  callback,
  currentTask,
  exponential,
  fixedDelay,
  IAsyncService,
  isMillraceError,
  type Job,
  makeJob,
  memoryStore,
  RetryLater,
  ref,
  StoreError,
  serial,
  start,
  Task,
  task,
  tasks,
} from '../../src/index.js';
import { mongoStore } from '../../src/store/mongo/index.js';
import { withDriver } from '../../src/store/mongo/installed-driver.js';
import { problemOf } from '../../src/store/mongo/schema/store-check.js';
import { type TestAsync, testAsync } from '../../src/testing/index.js';
import { setup } from '../support/bundle.js';

@injectable()
class Documents {
  @Task()
  async create(folder: string, id: string): Promise<string> {
    return `${folder}/${id}`;
  }

  helper(): void {}
}
const documents = tasks(Documents);
const add = task('add', (x: number, y: number) => x + y);
const take = task('take', (_value: unknown) => 1);

class Customer {
  constructor(readonly name: string) {}
  rename(): void {}
}

/** A value that the compiler would refuse, as plain JavaScript can pass it. */
const js = (value: unknown): never => value as never;
const call = (fn: unknown, ...args: readonly unknown[]): unknown => Reflect.apply(fn as () => unknown, undefined, args);

const load = (options: object): Container => {
  const container = new Container();
  container.load(asyncModule(js({ store: memoryStore(), ...options })));
  return container;
};
const started = (options: object): Promise<unknown> => start(load(options));
const queued = async (fn: (bundle: TestAsync) => unknown, options: Partial<AsyncModuleOptions> = {}): Promise<unknown> =>
  fn(await setup({ tasks: [Documents, add, take], ...options }));
const queuedWith = (options: object): Promise<unknown> => queued(({ async }) => async.queueJob(makeJob(add, 1, 2).with(js(options))));
/** `queueJob` with any arguments. */
const queuedAs = (...args: readonly unknown[]): Promise<unknown> => queued(({ async }) => call(async.queueJob.bind(async), ...args));
const argument = (value: unknown): Promise<unknown> => queued(({ async }) => async.queueJob(take, js(value)));
/** Throws the error of a job. */
const failed = async (queueing: Promise<Job<unknown>>, { drain }: TestAsync): Promise<void> => {
  await drain();
  const outcome = await (await queueing).waitForOutcome();
  if (outcome.status === 'failed')
    throw Object.assign(new Error(outcome.error.message), { [Symbol.for('millrace.error')]: outcome.error.code });
};
const ran = (fn: () => unknown): Promise<unknown> => {
  const work = task('work', fn);
  return queued((bundle) => failed(bundle.async.queueJob(work), bundle), { tasks: [work, add] });
};
const scheduled = (options: object): Promise<unknown> =>
  started({ tasks: [add], schedules: [{ every: '0 3 * * *', job: makeJob(add, 1, 2), ...options }] });

const MISTAKES: Readonly<Record<string, () => unknown>> = {
  // Tasks
  'a method without @Task': () => documents[js('helper')],
  'a method that is not there': () => call(makeJob, documents[js('creat')], 'a', 'b'),
  '@Task without parentheses': () => call(Task, Documents.prototype, 'helper', { value: Documents.prototype.helper }),
  '@Task on an arrow property': () => call(Task(), Documents.prototype, 'arrow', undefined),
  '@Task on a static method': () => call(Task(), Documents, 'make', { value: () => 1 }),
  'an unknown option of @Task': () => call(Task(js({ timeoutMS: 1 })), Documents.prototype, 'helper', { value: () => 1 }),
  'a retry policy that is a number': () => task('again', { retry: js(3) }, () => 1),
  'a negative timeout': () => task('slow', { timeoutMs: -1 }, () => 1),
  'a function task without its name': () =>
    task(
      js(() => 1),
      js(undefined),
    ),
  'two tasks with one name': () => started({ tasks: [add, task('add', () => 2)] }),
  'an instance in place of its class': () => started({ tasks: [new Documents()] }),
  'the tasks in place of their class': () => started({ tasks: [documents] }),
  'a class without tasks': () => started({ tasks: [Customer] }),
  'a plain function as a task': () => started({ tasks: [(x: number) => x] }),
  'a class that is not injectable': () => {
    class Mailer {
      constructor(readonly documents: Documents) {}
      send(): void {}
    }
    Task()(Mailer.prototype, 'send', Object.getOwnPropertyDescriptor(Mailer.prototype, 'send') as TypedPropertyDescriptor<() => void>);
    return started({ tasks: [Mailer] });
  },
  'a dependency that is not bound': () => {
    const MAIL = Symbol('Mail');
    class Mailer {
      constructor(readonly mail: unknown) {}
      send(): void {}
    }
    inject(MAIL)(Mailer, undefined, 0);
    Task()(Mailer.prototype, 'send', Object.getOwnPropertyDescriptor(Mailer.prototype, 'send') as TypedPropertyDescriptor<() => void>);
    return started({ tasks: [Mailer] });
  },
  'tasks of undefined, as in an import cycle': () => tasks(js(undefined)),
  'tasks of an instance': () => tasks(js(new Documents())),

  // asyncModule and start
  'an unknown option of asyncModule': () => load({ quota: { default: 2 } }),
  'no store': () => load({ store: undefined }),
  'a store that was not called': () => load({ store: memoryStore }),
  'a MongoClient as the store': () => load({ store: new MongoClient('mongodb://nowhere') }),
  'a single task in place of a list': () => load({ tasks: add }),
  'a quota of size 0': () => load({ quotas: { reports: 0 } }),
  'an option of the dispatcher that is unknown': () => load({ dispatcher: { agents: [{ concurency: 3 }] } }),
  'a concurrency in place of agents': () => load({ dispatcher: { concurrency: 3 } }),
  '`dispatcher: true`': () => load({ dispatcher: true }),
  'a logger without methods': () => load({ logger: (message: string) => message }),
  'asyncModule without options': () => call(asyncModule),
  'memoryStore with an unknown option': () => call(memoryStore, { keep: 5 }),
  'quotas as a list': () => load({ quotas: ['default'] }),
  'one agent in place of a list': () => load({ dispatcher: { agents: { concurrency: 3 } } }),
  'a setUp that is not a function': () => load({ setUp: 5 }),
  'one schedule in place of a list': () => load({ schedules: { every: '0 3 * * *' } }),
  'a schedule without a time': () => scheduled({ every: undefined }),
  'two schedules of one task': () => {
    const nightly = { every: '0 3 * * *', job: makeJob(add, 1, 2) };
    return load({ tasks: [add], schedules: [nightly, nightly] });
  },
  'a schedule of a batch without a name': () => scheduled({ job: serial(makeJob(add, 1, 2)) }),
  'a secret that is too short': () => load({ secrets: { keys: { 2031: 'secret' }, current: '2031' } }),
  'a current key that is not there': () => load({ secrets: { keys: { 2031: 'x'.repeat(44) }, current: '2030' } }),
  'a misspelt option of a retry policy': () => call(exponential, { attempt: 5 }),
  'a number in place of a retry policy’s options': () => call(exponential, 5),
  'a delay of a retry policy as a text': () => call(fixedDelay, { attempts: 2, delayMs: '5 s' }),
  'no asyncModule in the container': () => start(new Container()),
  'the module in place of the container': () => start(js(asyncModule({ store: memoryStore() }))),
  'start without a container': () => start(js(undefined)),
  'asyncModule loaded twice': () => load({}).load(asyncModule({ store: memoryStore() })),
  'start called twice': async () => {
    const container = load({ dispatcher: false });
    await start(container);
    try {
      await start(container);
    } finally {
      await container.get(IAsyncService).stop();
    }
  },
  'a wrong cron expression': () => scheduled({ every: 'every day' }),
  'a cron expression with a day that never comes': () => scheduled({ every: '0 0 30 2 *' }),
  'an unknown time zone': () => scheduled({ timeZone: 'Europe/Berln' }),
  'a schedule of a task in place of a draft': () => scheduled({ job: add }),
  'an agent that accepts a task that is not there': () => started({ tasks: [add], dispatcher: { agents: [{ accepts: [take] }] } }),
  'mongoStore without a client': () => mongoStore(js({ database: 'app' })),
  'mongoStore of a connection string': () => mongoStore(js({ client: 'mongodb://nowhere', database: 'app' })),
  'a driver that is not installed': () =>
    withDriver(() => Promise.reject(Object.assign(new Error("Cannot find package 'mongodb'"), { code: 'ERR_MODULE_NOT_FOUND' }))),
  'a standalone MongoDB': () => {
    throw new StoreError(problemOf({ maxWireVersion: 21 }) ?? '');
  },
  'mongoStore without a database': () => mongoStore(js({ client: new MongoClient('mongodb://nowhere') })),
  'mongoStore of a Db': () => mongoStore(js({ client: new MongoClient('mongodb://nowhere').db('app'), database: 'app' })),

  // Queueing
  'queueJob before start': () => load({}).get(IAsyncService).queueJob(add, 1, 2),
  'looking jobs up before start': () => load({}).get(IAsyncService).getJobs(),
  'queueJob after stop': () =>
    queued(async ({ async, stop }) => {
      await stop();
      return async.queueJob(add, 1, 2);
    }),
  'the result of a call in place of the task': () => queuedAs(new Documents().create('inbox', 'a')),
  'the method of the class in place of the task': () => queuedAs(Documents.prototype.create, 'a', 'b'),
  'a name in place of the task': () => queuedAs('Documents.create', 'a', 'b'),
  'a class in place of its task': () => queuedAs(Documents, 'a', 'b'),
  'a draft with arguments': () => queuedAs(makeJob(add, 1, 2), 1),
  'tasks in place of drafts in a batch': () => queued(() => serial(js(add))),
  'a list in place of drafts in a batch': () => queued(() => serial(js([makeJob(add, 1, 2)]))),
  'a function as an argument': () => argument({ onDone: () => 1 }),
  'a class instance as an argument': () => argument([new Customer('ann')]),
  'a symbol as an argument': () => argument(Symbol('red')),
  'a circular argument': () => {
    const circle: { self?: unknown } = {};
    circle.self = circle;
    return argument(circle);
  },
  'a Map as an argument': () => argument(new Map([['a', 1]])),
  'an error as an argument': () => argument(new Error('why')),
  'a promise as an argument': () => argument(Promise.resolve(1)),
  'an invalid Date as an argument': () => argument(new Date('yesterday')),
  'a huge bigint as an argument': () => argument(2n ** 64n),
  'a stream as an argument': () => argument(new ReadableStream()),
  'an argument that is too large': () => argument('x'.repeat(1_048_577)),
  'a draft as an argument': () => argument(makeJob(add, 1, 2)),
  'an unknown quota': () => queuedWith({ quotas: ['report'] }),
  'a weight above the size of a quota': () => queuedWith({ quotas: { default: 2 } }),
  'a priority that is NaN': () => queuedWith({ priority: Number.NaN }),
  'a delay as a text': () => queuedWith({ delayMs: '5 minutes' }),
  'a time as a text': () => queuedWith({ beginAfter: '2030-01-01' }),
  'a delay and a time': () => queuedWith({ delayMs: 5, beginAfter: new Date(0) }),
  'an empty unique key': () => queuedWith({ uniqueKey: '' }),
  'a misspelt option of a draft': () => queuedWith({ priorty: 1 }),
  'a policy in place of its options': () => queuedWith({ retry: exponential }),
  'a function in place of a callback': () =>
    queued(({ async }) => async.queueJob(makeJob(add, 1, 2).withCallbacks({ success: js(() => 1) }))),
  'a misspelt callback': () => makeJob(add, 1, 2).withCallbacks(js({ sucess: take })),
  'a reference without an id': () => call(ref, 'folders'),
  'a unique key that is a number': () => {
    const keyed = task('keyed', { uniqueKey: js((id: number) => id) }, (id: number) => id);
    return queued(({ async }) => async.queueJob(keyed, 7), { tasks: [keyed] });
  },
  'a unique key without its window': () => queuedWith({ uniqueFor: 'waiting' }),
  'debouncing without a key': () => queuedWith({ debounceMs: 5 }),
  'a deadline before the start': () => queuedWith({ beginAfter: new Date(2e12), beginBy: new Date(1e12) }),
  'a callback of nothing': () => call(callback, undefined),

  'a text in place of quotas': () => queuedWith({ quotas: 'reports' }),
  'queueJobs of one draft': () => queued(({ async }) => async.queueJobs(js(makeJob(add, 1, 2)))),
  'queueJobs of several drafts in a row': () => queued(({ async }) => async.queueJobs([js(add)])),
  'a queue of a number': () => queuedWith({ queue: 7 }),
  'a job added to a job that is not a batch': () =>
    queued(async ({ async }) => async.extendBatch(await async.queueJob(add, 1, 2), makeJob(add, 1, 2))),
  'a retry of a job that has completed': () =>
    queued(async ({ async, drain }) => {
      const job = await async.queueJob(add, 1, 2);
      await drain();
      await job.refresh();
      return job.retry();
    }),
  'pausing a queue by its name alone': () => queued(({ async }) => async.pause(js('reports'))),
  'resizing an unknown quota': () => queued(({ async }) => async.resizeQuota('report', 2)),

  // Running
  'currentTask outside of a task': () => currentTask(),
  'a result that cannot be stored': () => ran(() => new Map([['a', 1]])),
  'a result that is a class instance': () => ran(() => ({ customer: new Customer('ann') })),
  'a draft that names an unknown quota as the result': () => ran(() => makeJob(add, 1, 2).with({ quotas: ['report'] })),
  'waiting for a job whose place the task holds': () => {
    const outer = task('outer', async () => (await bundle.async.queueJob(add, 1, 2)).waitForResult());
    let bundle: TestAsync;
    return queued(
      (own) => {
        bundle = own;
        return failed(own.async.queueJob(outer), own);
      },
      { tasks: [outer, add] },
    );
  },
  'waiting for its own job': () => {
    const own = task('own', async () => (await bundle.async.getJob(currentTask().job.id))?.waitForResult());
    let bundle: TestAsync;
    return queued(
      (given) => {
        bundle = given;
        return failed(given.async.queueJob(own), given);
      },
      { tasks: [own] },
    );
  },
  'a clean-up that is not a function': () => ran(() => currentTask().onEnd(js('close'))),
  'an annotation without a key': () => ran(() => currentTask().annotate(js(undefined), 1)),
  'the session of a task that is not transactional': () => ran(() => currentTask().session),
  'progress as a text': () => ran(() => currentTask().progress(js('half'))),
  'RetryLater with a text': () =>
    ran(() => {
      throw new RetryLater(js('soon'));
    }),
  'getJob of another task': () =>
    queued(async ({ async, drain }) => {
      const { id } = await async.queueJob(add, 1, 2);
      await drain();
      return async.getJob(id, take);
    }),
  'waiting with a text': () => queued(async ({ async }) => (await async.queueJob(add, 1, 2)).waitForResult(js({ timeoutMs: '5 s' }))),
  'advance with a text': () => queued(({ advance }) => advance(js('5 s'))),
  'an unknown option of testAsync': () => testAsync(js({ task: [add] })),
};

const ID = /\b[0-9a-f]{24}\b/g;

describe('a mistake', () => {
  it.each(Object.entries(MISTAKES))('is answered: %s', async (_mistake, make) => {
    const error = await errorOf(make);
    expect(isMillraceError(error), `${error} is not an error of Millrace`).toBe(true);
    expect(error.message.replaceAll(ID, '<id>')).toMatchSnapshot();
  });
});

async function errorOf(make: () => unknown): Promise<Error> {
  try {
    await make();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nobody has noticed the mistake');
}
