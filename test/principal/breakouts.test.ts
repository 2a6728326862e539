/** Code of a task stays with its principal wherever it is called from, and code of the application is nobody else's. */

import { describe, expect, it } from 'vitest';
import {
  Authorizer,
  currentPrincipal,
  currentTask,
  fixedDelay,
  type IAsyncService,
  makeJob,
  type PrincipalReference,
  parallel,
  task,
} from '../../src/index.js';
import { onBothStores } from '../support/both-stores.js';
import { deferred, failureOf, Log, untilAborted } from '../support/deferred.js';
import { ANN, BOB, containerOf, Users } from './users.js';

const who = (): string => currentPrincipal().id;
const whoami = task('whoami', { quotas: [] }, who);
const KNOWN_ANN = { ...ANN, roles: ['editor'] };

onBothStores((stage) => {
  describe('who listens to the signal of a task', () => {
    async function listening(timeoutMs?: number) {
      const seen: string[] = [];
      let async: IAsyncService | undefined;
      const waits = task('waits', { quotas: [], ...(timeoutMs === undefined ? {} : { timeoutMs }) }, () => {
        currentTask().signal.addEventListener('abort', () => {
          seen.push(who(), currentTask().job.taskName);
          expect(() => async?.runAs(ANN, () => seen.push('became ann'))).toThrow('bob of staff may not act as ann of staff');
        });
        return untilAborted();
      });
      const process = await stage.start({ container: containerOf({ users: new Users() }), tasks: [waits] });
      async = process.async;
      const job = await process.async.runAs(BOB, () => process.async.queueJob(waits));
      await process.drain();
      return { ...process, job, seen, async: process.async };
    }

    it('is its principal, whoever cancels it', async () => {
      const { async, job, seen, drain } = await listening();
      await async.runAs(ANN, () => job.cancel());
      await drain();
      expect(seen).toEqual(['bob', 'waits']);
    });

    it('is its principal, and not the application, when it runs too long', async () => {
      const { advance, seen } = await listening(1_000);
      await advance(1_000);
      expect(seen).toEqual(['bob', 'waits']);
    });
  });

  it('a retry policy, a logger and the Authorizer are called neither as the caller that woke the dispatcher, nor as the principal of the job', async () => {
    const seen = new Set<string>();
    const note = (what: string): void => void seen.add(`${what}: ${who()}`);
    const noting = (what: string) => (): boolean => {
      note(what);
      return true;
    };
    const fails = task('fails', { quotas: [], retry: { ...fixedDelay({ delayMs: 0, attempts: 2 }), retries: noting('policy') } }, () => {
      throw new Error('fails');
    });
    const returns = task('returns', { quotas: [] }, () => makeJob(whoami));
    const log = (): void => note('logger');
    const { async, drain } = await stage.start({
      container: containerOf({ users: new Users(), authorizer: { authorize: noting('authorizer') } }),
      logger: { debug: log, info: log, warn: log, error: log },
      tasks: [whoami, fails, returns],
    });
    for (const queued of [fails, returns]) await async.runAs(BOB, () => async.queueJob(makeJob<typeof fails | typeof returns>(queued)));
    for (const principal of [BOB, ANN]) await async.runAs(principal, () => async.queueJob(fails));
    await drain();
    expect([...seen].sort()).toEqual(['authorizer: anonymous', 'logger: anonymous', 'policy: anonymous']);
  });

  it('the principal stays the same when the application changes its object', async () => {
    const { async } = await stage.start({ tasks: [whoami] });
    const user = { realm: 'staff', id: 'bob' };
    const job = await async.runAs(user, async () => {
      user.id = 'ann';
      return async.queueJob(whoami);
    });
    expect(job.snapshot.principal).toEqual(BOB);
  });

  it('a process without resolver does not refuse what the roles of others would allow', async () => {
    const users = new Users();
    const edit = task('edit', { quotas: [], requires: ['editor'] }, who);
    let async: IAsyncService | undefined;
    const queues = task('queues', { quotas: [] }, async () => (await (async as IAsyncService).queueJob(edit)).id);
    const plain = await stage.start({ tasks: [queues] });
    async = plain.async;
    await stage.start({ container: containerOf({ users }), tasks: [edit] });
    const job = await plain.async.runAs(ANN, () => plain.async.queueJob(queues));
    await plain.drain();
    const edited = await plain.async.getJob(await job.waitForResult());
    expect(await edited?.waitForResult()).toBe('ann');
  });

  describe('an Authorizer that has to be waited for', () => {
    async function thinking(decide: (principal: PrincipalReference) => boolean | Promise<boolean>) {
      const authorizer = { authorize: ({ principal }: { principal: PrincipalReference }) => decide(principal) };
      return stage.start({ container: containerOf({ users: new Users(), authorizer }), tasks: [whoami] });
    }

    it('lets others queue meanwhile', async () => {
      const decision = deferred<boolean>();
      const { async } = await thinking(({ id }) => (id === 'ann' ? decision.promise : true));
      const hers = async.runAs(KNOWN_ANN, () => async.queueJob(whoami));
      await async.queueJob(whoami);
      await async.runAs(BOB, () => async.queueJob(whoami));
      decision.resolve(true);
      await hers;
    });

    it('and never answers, keeps nobody waiting after `stop`', async () => {
      const { async, stop } = await thinking(({ id }) => (id === 'ann' ? new Promise(() => {}) : true));
      const job = await async.queueJob(makeJob(whoami).with({ delayMs: 60_000 }));
      const batch = await async.queueJob(parallel(makeJob(whoami).with({ delayMs: 60_000 })));
      const waiting = async.runAs(KNOWN_ANN, () => [
        async.queueJob(whoami),
        async.queueJobs([makeJob(whoami)]),
        async.extendBatch(batch, makeJob(whoami)),
        job.addCallback(makeJob(whoami)),
        async.transaction(() => async.queueJob(whoami)),
      ]);
      const failures = Promise.all(waiting.map(failureOf));
      await stop();
      for (const failure of await failures) expect(failure).toMatchObject({ code: 'MILLRACE_NOT_RUNNING' });
      expect(async).toMatchObject({ isIdle: true });
    });

    it('may queue jobs itself', async () => {
      const audit = task('audit', { quotas: [] }, who);
      const container = containerOf({ users: new Users() });
      let async: IAsyncService | undefined;
      const authorize = async (): Promise<boolean> => {
        await Promise.resolve();
        await async?.queueJob(audit);
        return true;
      };
      container.bind(Authorizer).toConstantValue({ authorize });
      const process = await stage.start({ container, tasks: [whoami, audit] });
      async = process.async;
      await process.async.runAs(KNOWN_ANN, () => process.async.queueJob(whoami));
      expect(await process.async.getJobs({ task: audit })).toHaveLength(1);
    });
  });

  it('`mayActAs` has to answer at once, and an answer that fails later does not fail the process', async () => {
    const mayActAs = (async () => Promise.reject(new Error('the directory is down'))) as never;
    const { async } = await stage.start({ container: containerOf({ authorizer: { authorize: () => true, mayActAs } }) });
    expect(() => async.runAs(BOB, () => async.runAs(ANN, () => {}))).toThrow(
      '`mayActAs` of the Authorizer must answer at once, but has returned a promise',
    );
  });

  it.each<[string, unknown, string]>([
    ['a name', 'ann', 'the string "ann", which is not a principal'],
    ['false', false, 'the boolean false, which is not a principal'],
    ['somebody without a realm', { id: 'ann' }, 'an object, which is not a principal'],
    ['a realm that is not a text', { realm: Symbol('staff'), id: 'ann' }, 'an object, which is not a principal'],
  ])('a resolver that answers with %s has named nobody', async (_what, answer, said) => {
    const { async, drain } = await stage.start({
      container: containerOf({ users: { resolve: () => answer as never } }),
      tasks: [whoami],
    });
    const job = await async.runAs(ANN, () => async.queueJob(whoami));
    await drain();
    expect(await job.waitForOutcome()).toMatchObject({
      error: {
        code: 'MILLRACE_UNAUTHORIZED',
        message: `the PrincipalResolver was asked for ann of staff, but answered with ${said}`,
      },
    });
  });

  it('a job that was cancelled is not tried again, nor said to be, when its resolver throws', async () => {
    const answer = deferred<undefined>();
    const log = new Log();
    const container = containerOf({ users: { resolve: () => answer.promise } });
    const { async, drain } = await stage.start({ container, tasks: [whoami], logger: log });
    const job = await async.runAs(ANN, () => async.queueJob(whoami));
    await drain();
    await job.cancel();
    answer.reject(new Error('the directory is down'));
    await drain();
    expect(await job.waitForOutcome()).toMatchObject({ status: 'cancelled' });
    expect(log.of('warn')).toEqual([]);
  });

  it('a job is tried again later, whatever a resolver throws', async () => {
    const untouchable = new Proxy(
      {},
      {
        has: () => {
          throw new Error('not to be touched');
        },
      },
    );
    const thrown = [undefined, null, 1, untouchable];
    const users = new Users();
    const resolve = users.resolve.bind(users);
    users.resolve = (reference) => {
      if (thrown.length > 0) throw thrown.pop();
      return resolve(reference);
    };
    const log = new Log();
    const { async, advance } = await stage.start({ container: containerOf({ users }), tasks: [whoami], logger: log });
    const job = await async.runAs(ANN, () => async.queueJob(whoami));
    await advance(60_000);
    expect(await job.waitForResult()).toBe('ann');
    expect(log.of('warn')).toHaveLength(4);
  });
});
