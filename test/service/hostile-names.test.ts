/** Names that could be taken for something else: they are names and nothing more, on every store, or they are refused by name. */

import { Container } from 'inversify';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { NAME_VARIABLE } from '../../src/container/dispatcher-name.js';
import {
  type AsyncModuleOptions,
  asyncModule,
  currentPrincipal,
  currentTask,
  type IAsyncService,
  makeJob,
  memoryStore,
  never,
  parallel,
  start,
  type Task,
  task,
} from '../../src/index.js';
import { Processes } from '../store/mongo/processes.js';
import { silent } from '../support/silent.js';

const HOSTILE = [
  '$HOSTNAME',
  '$$NOW',
  '$$REMOVE',
  '$$ROOT',
  '$',
  'a.b',
  '$a.b',
  '.',
  ' ',
  'a b',
  ' a ',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '0',
  '!',
  '"!"',
  '["",""]',
  'a:1',
  '"',
  '\\',
  "'; drop",
  '🦆',
  'שלום',
  '\u202eabc',
  '\n',
  'x'.repeat(100),
];
const REFUSED: readonly [string, string][] = [
  ['a null byte', 'a\0b'],
  ['half a surrogate pair', 'a\ud800'],
  ['more than a thousand characters', 'x'.repeat(1_001)],
];

const processes = await Processes.forTests('hostile-names');
const running: IAsyncService[] = [];

afterEach(async () => {
  vi.unstubAllEnvs();
  for (const async of running.splice(0)) await async.stop();
});

async function inMemory(options: Omit<AsyncModuleOptions, 'store'>): Promise<IAsyncService> {
  const container = new Container();
  container.load(asyncModule({ logger: silent, ...options, store: memoryStore() }));
  const async = await start(container);
  running.push(async);
  return async;
}

async function onMongo(options: Omit<AsyncModuleOptions, 'store'>): Promise<IAsyncService> {
  return (await processes.start(options)).async;
}

describe.each([
  ['the memory store', inMemory],
  ['MongoDB', onMongo],
])('on %s', (_title, begin) => {
  it.each(HOSTILE.map((name) => [JSON.stringify(name.slice(0, 20)), name]))('%s names whatever has a name', async (_shown, name) => {
    vi.stubEnv(NAME_VARIABLE, name);
    const echo = task(name, { quotas: [name], retry: never }, (what: 'returns' | 'fails') => {
      currentTask().annotate(name, name);
      currentTask().progress({ done: 1, note: name });
      if (what === 'fails') throw Object.assign(new Error(name), { name, code: name });
      return [currentPrincipal().realm, currentPrincipal().id];
    });
    const async = await begin({
      tasks: [echo],
      quotas: { default: 1, other: 1, [name]: 2 },
      dispatcher: { agents: [{ queue: name, concurrency: 3 }, { queue: `${name} ${name}` }, {}] },
      schedules: [{ name, every: '0 3 * * *', job: makeJob(echo, 'returns') }],
    });
    const draft = (what: 'returns' | 'fails') => makeJob(echo, what).with({ queue: name, name });
    const principal = { realm: name, id: name };
    await async.pause({ queue: name });
    const [first, failing, unquoted, cancelled] = await async.runAs(principal, () =>
      async.queueJobs([
        draft('returns').with({ uniqueKey: name }),
        draft('fails'),
        draft('returns').with({ quotas: ['other'] }),
        draft('returns'),
      ]),
    );
    const again = await async.runAs(principal, () => async.queueJob(draft('returns').with({ uniqueKey: name })));
    expect(again.id).toBe(first.id);
    expect((await first.explain()).reasons.length).toBeGreaterThan(0);
    expect((await async.getPaused()).queues).toEqual([name]);
    await cancelled.cancel(name);
    await async.resume({ queue: name });
    const batch = await async.queueJob(
      parallel(draft('returns'), draft('returns').with({ queue: `${name} ${name}` })).with({ quotas: [] }),
    );
    await batch.waitForResult();
    expect(await first.waitForResult()).toEqual([name, name]);
    expect(await unquoted.waitForResult()).toEqual([name, name]);
    expect(await failing.waitForOutcome()).toMatchObject({ status: 'failed', error: { name, message: name, code: name } });
    expect(await cancelled.waitForOutcome()).toEqual({ status: 'cancelled', reason: name });
    expect([first.taskName, first.progress]).toEqual([name, { done: 1, note: name }]);
    expect(Object.entries(first.annotations)).toEqual([[name, name]]);
    await async.resizeQuota(name, 3);
    expect(async.getQueues().get(name).quotas.get(name)).toBe(3);
    const found = await async.getJobs({ queue: name, task: echo as Task });
    expect(found.map(({ id }) => id)).toContain(first.id);
    const retried = await failing.retry();
    expect(await retried.waitForOutcome()).toMatchObject({ status: 'failed' });
    await async.stop();
  });

  describe.each(REFUSED)('%s is refused by name', (_what, name) => {
    const one = task('one', { quotas: [] }, (_x: number) => 1);

    it.each<[string, Omit<AsyncModuleOptions, 'store'>, string]>([
      ['of a quota', { quotas: { [name]: 1 } }, '`quotas`'],
      ['of a dispatcher', { dispatcher: { name } }, '`name` of `dispatcher`'],
      ['of an agent', { dispatcher: { agents: [{ queue: name }] } }, '`queue`'],
      ['of a schedule', { schedules: [{ name, every: '* * * * *', job: makeJob(one, 1) }] }, '`name` of `schedules[0]`'],
    ])('%s', async (_where, options, said) => {
      await expect(begin({ tasks: [one], ...options })).rejects.toThrow(said);
    });

    it('of a task, a job, a queue, a key, a quota, a principal, and what is paused', async () => {
      const async = await begin({ tasks: [one], dispatcher: false });
      const queued = (options: object) => (): unknown => async.queueJob(makeJob(one, 1).with(options));
      const attempts: readonly [string, () => unknown][] = [
        ['`name` of `task`', () => task(name, () => 1)],
        ['`name`', queued({ name })],
        ['`queue`', queued({ queue: name })],
        ['`uniqueKey`', queued({ uniqueKey: name })],
        ['`quotas`', queued({ quotas: [name] })],
        ['`quotas`', queued({ quotas: { [name]: 1 } })],
        ['`principal`', queued({ principal: { realm: name, id: 'a' } })],
        ['`principal`', () => async.runAs({ realm: 'a', id: name }, () => 1)],
        ['`queue`', () => async.pause({ queue: name })],
        ['`queue`', () => async.getJobs({ queue: name })],
      ];
      for (const [said, attempt] of attempts) {
        const refused = await Promise.resolve()
          .then(attempt)
          .then(
            () => undefined,
            (error: unknown) => error,
          );
        expect(refused).toMatchObject({ code: 'MILLRACE_OPTION', message: expect.stringContaining(said) });
      }
    });
  });
});

it('the name of a dispatcher from the environment is checked', async () => {
  vi.stubEnv(NAME_VARIABLE, 'x'.repeat(1_001));
  await expect(inMemory({})).rejects.toThrow(`\`${NAME_VARIABLE}\` of the environment must be`);
});
