/** Tasks that are transactional: what they write and queue, and how their jobs end, is there together, or never. */

import type { ClientSession } from 'mongodb';
import { NEVER, of } from 'rxjs';
import { describe, expect, it } from 'vitest';
import {
  CircularJobError,
  currentTask,
  fixedDelay,
  type Job,
  type JobStore,
  makeJob,
  NoCurrentTaskError,
  NoTransactionError,
  never,
  OptionError,
  RetryLater,
  serial,
  Task,
  TransactionError,
  task,
  tasks,
} from '../../src/index.js';
import type { DocumentCollection } from '../../src/testing/index.js';
import { DEATH_MS, MORTAL, onBothStores, type Process, type Stage } from '../support/both-stores.js';
import { deferred, failureOf, untilAborted } from '../support/deferred.js';

interface Account {
  readonly _id: string;
  readonly balance: number;
}

/** Of account `a`, which has 10 at first. */
async function accountsOf(stage: Stage): Promise<DocumentCollection<Account>> {
  const accounts = stage.documents<Account>('accounts');
  await accounts.put({ _id: 'a', balance: 10 });
  return accounts;
}

async function add(accounts: DocumentCollection<Account>, amount: number): Promise<number> {
  const { session } = currentTask();
  const balance = ((await accounts.get('a', session))?.balance ?? 0) + amount;
  await accounts.put({ _id: 'a', balance }, session);
  return balance;
}

const note = task('note', { quotas: [] }, (text: string) => text);

const NEVER_ENDS = new Promise<never>(() => {});

const TRANSACTIONAL = { quotas: [], transactional: true } as const;

async function balanceIn(accounts: DocumentCollection<Account>): Promise<number | undefined> {
  return (await accounts.get('a'))?.balance;
}

/** How many jobs of `note` there are. */
async function notesIn({ async }: Process): Promise<number> {
  return (await async.getJobs({ task: note })).length;
}

/** Moves time until a job has ended. */
async function untilOver(process: Process, job: Job<unknown>): Promise<void> {
  for (await job.refresh(); job.outcome === undefined; await job.refresh()) await process.advance(10_000);
}

onBothStores((stage, store) => {
  describe('a transactional task', () => {
    it('has what it wrote, the jobs that it queued and its result commit together, and its callbacks run after that', async () => {
      const accounts = await accountsOf(stage);
      const seen: unknown[] = [];
      const pay = task('pay', TRANSACTIONAL, async (amount: number) => {
        const balance = await add(accounts, amount);
        await process.async.queueJob(note, 'queued');
        await process.async.transaction(async (session) => {
          seen.push(session === currentTask().session);
          await process.async.queueJob(note, 'joined');
        });
        seen.push((await accounts.get('a'))?.balance, await notesIn(process));
        return balance;
      });
      const after = task('after', { quotas: [] }, async (balance: number) => {
        seen.push(balance, (await accounts.get('a'))?.balance, await notesIn(process));
      });
      const process = await stage.start({ tasks: [pay, after, note] });
      const job = await process.async.queueJob(makeJob(pay, 5).withCallbacks({ success: after }));
      expect(await job.waitForResult()).toBe(15);
      expect(seen).toEqual([true, 10, 0, 15, 15, 2]);
    });

    it('may be a method, and return an observable', async () => {
      const accounts = await accountsOf(stage);
      class Payments {
        @Task(TRANSACTIONAL)
        async pay(amount: number) {
          return of(0, await add(accounts, amount));
        }
      }
      const { async } = await stage.start({ tasks: [Payments] });
      expect(await (await async.queueJob(tasks(Payments).pay, 5)).waitForResult()).toBe(15);
    });

    it('leaves nothing when it throws, and fails as any other', async () => {
      const accounts = await accountsOf(stage);
      const failing = task('failing', TRANSACTIONAL, async () => {
        await add(accounts, 5);
        await process.async.queueJob(note, 'never');
        throw new RangeError('it broke');
      });
      const process = await stage.start({ tasks: [failing, note] });
      const job = await process.async.queueJob(failing);
      const error = await failureOf(job.waitForResult());
      expect(error.cause).toMatchObject({ name: 'RangeError', message: 'it broke' });
      expect([job.attempts, await balanceIn(accounts), await notesIn(process)]).toEqual([1, 10, 0]);
    });

    it('is tried again by its policy, with nothing left of its earlier effects', async () => {
      const accounts = await accountsOf(stage);
      const shaky = task('shaky', { ...TRANSACTIONAL, retry: fixedDelay({ attempts: 3, delayMs: 1_000 }) }, async () => {
        const balance = await add(accounts, 5);
        const { attempt } = currentTask();
        if (attempt === 1) throw new Error('not yet');
        if (attempt === 2) throw new RetryLater(1_000);
        return balance;
      });
      const process = await stage.start({ tasks: [shaky] });
      const job = await process.async.queueJob(shaky);
      while ((await job.refresh()).status !== 'completed') await process.advance(1_000);
      expect([job.result, job.attempts, await balanceIn(accounts)]).toEqual([15, 3, 15]);
    });

    it('runs again when it conflicts with another writer, and takes effect once', async () => {
      const accounts = await accountsOf(stage);
      let runs = 0;
      const pay = task('pay', TRANSACTIONAL, async () => {
        await process.async.queueJob(note, 'queued');
        await accounts.get('a', currentTask().session);
        if (runs++ === 0) await accounts.put({ _id: 'a', balance: 100 });
        return add(accounts, 5);
      });
      const process = await stage.start({ tasks: [pay, note] });
      const job = await process.async.queueJob(pay);
      expect(await job.waitForResult()).toBe(105);
      const { failures, lastError } = await process.stateOf(job);
      expect([runs, job.attempts, failures, lastError]).toEqual([2, 2, 0, undefined]);
      expect([await balanceIn(accounts), await notesIn(process)]).toEqual([105, 1]);
    });

    it('takes effect once for each of many jobs that write to one document, whatever they meet', async () => {
      const accounts = await accountsOf(stage);
      const pay = task('pay', TRANSACTIONAL, () => add(accounts, 1));
      const process = await stage.start({ tasks: [pay], dispatcher: { agents: [{ queue: '', concurrency: 20 }] } });
      const jobs = await process.async.queueJobs(Array.from({ length: 20 }, () => makeJob(pay)));
      for (const job of jobs) await untilOver(process, job);
      expect(jobs.map(({ status }) => status)).toEqual(jobs.map(() => 'completed'));
      expect(await balanceIn(accounts)).toBe(30);
    });

    it('has all its attempts left for errors of its own, however often it has met a conflict', async () => {
      const accounts = await accountsOf(stage);
      let runs = 0;
      const pay = task('pay', { ...TRANSACTIONAL, retry: fixedDelay({ attempts: 2, delayMs: 0 }) }, async () => {
        await accounts.get('a', currentTask().session);
        if (++runs === 20) throw new Error('of its own');
        if (runs < 40) await accounts.put({ _id: 'a', balance: runs });
        return add(accounts, 5);
      });
      const process = await stage.start({ tasks: [pay] });
      const job = await process.async.queueJob(pay);
      await untilOver(process, job);
      expect([runs, job.result]).toEqual([40, 44]);
      expect((await process.stateOf(job)).failures).toBe(1);
    });

    it('fails when its conflicts go on for two minutes in each of the attempts that its policy has', async () => {
      const accounts = await accountsOf(stage);
      let runs = 0;
      const pay = task('pay', { ...TRANSACTIONAL, retry: { attempts: 2 } }, async () => {
        await accounts.get('a', currentTask().session);
        await accounts.put({ _id: 'a', balance: ++runs });
        return add(accounts, 5);
      });
      const process = await stage.start({ tasks: [pay] });
      const job = await process.async.queueJob(pay);
      const begunAt = process.clock.now();
      await untilOver(process, job);
      expect(job.status).toBe('failed');
      expect(process.clock.now() - begunAt).toBeGreaterThanOrEqual(240_000);
      expect([await balanceIn(accounts), runs < 200]).toEqual([runs, true]);
    });

    it('is run once where its policy retries nothing, also after a conflict', async () => {
      const accounts = await accountsOf(stage);
      let runs = 0;
      const pay = task('pay', { ...TRANSACTIONAL, retry: never }, async () => {
        await accounts.get('a', currentTask().session);
        await accounts.put({ _id: 'a', balance: ++runs });
        return add(accounts, 5);
      });
      const { async } = await stage.start({ tasks: [pay] });
      expect((await (await async.queueJob(pay)).waitForOutcome()).status).toBe('failed');
      expect(runs).toBe(1);
    });

    it('is cancelled at once while it waits for the end of a conflict', async () => {
      const accounts = await accountsOf(stage);
      let runs = 0;
      const pay = task('pay', TRANSACTIONAL, async () => {
        await accounts.get('a', currentTask().session);
        await accounts.put({ _id: 'a', balance: ++runs });
        return add(accounts, 5);
      });
      const process = await stage.start({ tasks: [pay] });
      const job = await process.async.queueJob(pay);
      while (runs < 15) await process.advance(1_000);
      await job.cancel('enough');
      expect(await job.waitForOutcome()).toEqual({ status: 'cancelled', reason: 'enough' });
    });

    it('that cannot have its result stored fails, and leaves nothing', async () => {
      const accounts = await accountsOf(stage);
      const bad = task('bad', { ...TRANSACTIONAL, retry: fixedDelay({ attempts: 3, delayMs: 0 }) }, async () => {
        await add(accounts, 5);
        return () => 1;
      });
      const { async } = await stage.start({ tasks: [bad] });
      const job = await async.queueJob(bad);
      expect((await failureOf(job.waitForResult())).cause).toMatchObject({ code: 'MILLRACE_UNSTORABLE' });
      expect([job.attempts, await balanceIn(accounts)]).toEqual([1, 10]);
    });

    it('that returns a draft has it queued with its writes, and takes its outcome', async () => {
      const accounts = await accountsOf(stage);
      let isBroken = true;
      const drafting = task('drafting', { ...TRANSACTIONAL, retry: fixedDelay({ attempts: 2, delayMs: 0 }) }, async () => {
        await add(accounts, 5);
        if (isBroken) {
          isBroken = false;
          await process.async.queueJob(note, 'never');
          throw new Error('not yet');
        }
        return makeJob(note, 'drafted');
      });
      const process = await stage.start({ tasks: [drafting, note] });
      expect(await (await process.async.queueJob(drafting)).waitForResult()).toBe('drafted');
      expect([await balanceIn(accounts), await notesIn(process)]).toEqual([15, 1]);
    });

    it('may return a job that it queued, but none that waits for itself', async () => {
      const returning = task('returning', TRANSACTIONAL, () => process.async.queueJob(note, 'returned'));
      const circular = task('circular', TRANSACTIONAL, async () => {
        const own = await process.async.getJob(currentTask().job.id);
        return own?.addCallback(makeJob(note, 'never'));
      });
      const process = await stage.start({ tasks: [returning, circular, note] });
      expect(await (await process.async.queueJob(returning)).waitForResult()).toBe('returned');
      const error = await failureOf((await process.async.queueJob(circular)).waitForResult());
      expect(error.cause).toMatchObject({ name: CircularJobError.name });
      expect(await notesIn(process)).toBe(1);
    });

    it('may be the last step of a batch, which ends with it', async () => {
      const accounts = await accountsOf(stage);
      const pay = task('pay', TRANSACTIONAL, (amount: number) => add(accounts, amount));
      const { async } = await stage.start({ tasks: [pay] });
      const batch = await async.queueJob(serial(makeJob(pay, 1), makeJob(pay, 2)));
      expect((await batch.waitForResult()).map((step) => step.result)).toEqual([11, 13]);
    });

    it('takes a callback while it runs, which runs once, as the job does', async () => {
      const accounts = await accountsOf(stage);
      const [begun, gate] = [deferred(), deferred()];
      const pay = task('pay', TRANSACTIONAL, async () => {
        const balance = await add(accounts, 5);
        begun.resolve();
        await gate.promise;
        return balance;
      });
      const process = await stage.start({ tasks: [pay, note] });
      const job = await process.async.queueJob(pay);
      await begun.promise;
      const callback = await job.addCallback(makeJob(note, 'added'));
      gate.resolve();
      expect([await job.waitForResult(), await callback.waitForResult()]).toEqual([15, 'added']);
      expect([await balanceIn(accounts), await notesIn(process)]).toEqual([15, 1]);
    });

    it('reports while it runs, which is seen at once and no conflict, and kept whatever becomes of the attempt', async () => {
      const accounts = await accountsOf(stage);
      const [begun, gate] = [deferred(), deferred()];
      const pay = task('pay', { ...TRANSACTIONAL, retry: fixedDelay({ attempts: 2, delayMs: 0 }) }, async () => {
        const { attempt, progress, annotate } = currentTask();
        const balance = await add(accounts, 5);
        progress(attempt / 4);
        annotate(`attempt.${attempt}`, 'begun');
        if (attempt === 1) throw new Error('not yet');
        begun.resolve();
        await gate.promise;
        progress(1);
        return balance;
      });
      const process = await stage.start({ tasks: [pay] });
      const job = await process.async.queueJob(pay);
      const seen: unknown[] = [];
      job.changes.subscribe(({ progress }) => seen.push(progress));
      await begun.promise;
      await process.drain();
      const annotations = { 'attempt.1': 'begun', 'attempt.2': 'begun' };
      expect(seen).toContain(0.5);
      const [listed] = await process.async.getJobs({ statuses: ['active'] });
      for (const one of [await job.refresh(), listed]) expect([one?.progress, one?.annotations]).toEqual([0.5, annotations]);
      gate.resolve();
      expect(await job.waitForResult()).toBe(15);
      await job.refresh();
      expect([job.progress, job.annotations, job.attempts, await balanceIn(accounts)]).toEqual([1, annotations, 2, 15]);
    });

    it('that fails has what it reported', async () => {
      const failing = task('failing', TRANSACTIONAL, () => {
        currentTask().annotate('why', 'because');
        throw new Error('no');
      });
      const { async } = await stage.start({ tasks: [failing] });
      const job = await async.queueJob(failing);
      await job.waitForOutcome();
      expect((await job.refresh()).annotations).toEqual({ why: 'because' });
    });

    it('has a unique key that it queues under in the same transaction', async () => {
      const keyed = task('keyed', { quotas: [], uniqueKey: (key: string) => key }, (key: string) => key);
      const queueing = task('queueing', TRANSACTIONAL, async () => {
        const jobs = [await process.async.queueJob(keyed, 'k'), await process.async.queueJob(keyed, 'k')];
        if (currentTask().attempt === 1) throw new RetryLater(0);
        return jobs.map(({ isExisting }) => isExisting);
      });
      const process = await stage.start({ tasks: [keyed, queueing] });
      expect(await (await process.async.queueJob(queueing)).waitForResult()).toEqual([false, true]);
      await process.drain();
      expect(await process.async.getJobs({ task: keyed })).toHaveLength(1);
    });

    it('must leave the end of its transaction to Millrace', async () => {
      const ending = task('ending', TRANSACTIONAL, async () => {
        const { session } = currentTask();
        await (store === 'memory' ? (session as never as { commit(): void }).commit() : session.commitTransaction());
      });
      const { async } = await stage.start({ tasks: [ending] });
      const error = await failureOf((await async.queueJob(ending)).waitForResult());
      expect(error.cause).toMatchObject({ name: TransactionError.name });
      expect(error.message).toContain('leave that to Millrace');
    });
  });

  describe('nothing is left of a transactional task', () => {
    it('that is cancelled while it runs, also where it returns a value', async () => {
      const accounts = await accountsOf(stage);
      const begun = deferred();
      const deaf = task('deaf', TRANSACTIONAL, async () => {
        await add(accounts, 5);
        begun.resolve();
        await untilAborted().catch(() => {});
        return 'late';
      });
      const process = await stage.start({ tasks: [deaf] });
      const job = await process.async.queueJob(deaf);
      await begun.promise;
      await job.cancel('enough');
      expect(await job.waitForOutcome()).toEqual({ status: 'cancelled', reason: 'enough' });
      expect([job.attempts, await balanceIn(accounts)]).toEqual([1, 10]);
    });

    it('that is cancelled by another process, of which its own does not hear', async () => {
      const accounts = await accountsOf(stage);
      const [begun, gate] = [deferred(), deferred()];
      const pay = task('pay', TRANSACTIONAL, async () => {
        begun.resolve();
        await gate.promise;
        return add(accounts, 5);
      });
      const faults = (shared: JobStore): Partial<JobStore> => ({
        changes: (interest) => ('cancelsOf' in interest ? NEVER : shared.changes(interest)),
      });
      const process = await stage.start({ tasks: [pay], faults });
      const job = await process.async.queueJob(pay);
      await begun.promise;
      await process.store.cancel([job.id], 'enough');
      gate.resolve();
      expect(await job.waitForOutcome()).toEqual({ status: 'cancelled', reason: 'enough' });
      expect(await balanceIn(accounts)).toBe(10);
    });

    it('that runs into its timeout', async () => {
      const accounts = await accountsOf(stage);
      const begun = deferred();
      const slow = task('slow', { ...TRANSACTIONAL, timeoutMs: 1_000 }, async () => {
        await add(accounts, 5);
        begun.resolve();
        await untilAborted().catch(() => {});
        return 'late';
      });
      const process = await stage.start({ tasks: [slow] });
      const job = await process.async.queueJob(slow);
      await begun.promise;
      await process.advance(1_000);
      expect((await failureOf(job.waitForResult())).cause).toMatchObject({ code: 'MILLRACE_TASK_TIMEOUT' });
      await process.drain();
      expect(await balanceIn(accounts)).toBe(10);
    });

    it('whose process stops, until another one runs it', async () => {
      const accounts = await accountsOf(stage);
      const begun = deferred();
      const pay = task('pay', TRANSACTIONAL, async () => {
        const balance = await add(accounts, 5);
        begun.resolve();
        if (currentTask().attempt === 1) await untilAborted().catch(() => {});
        return balance;
      });
      const first = await stage.start({ tasks: [pay] });
      const job = await first.async.queueJob(pay);
      await begun.promise;
      await first.stop();
      const second = await stage.start({ tasks: [pay] });
      expect(await balanceIn(accounts)).toBe(10);
      expect(await (await second.async.getJob(job.id, pay))?.waitForResult()).toBe(15);
      expect((await second.stateOf(job)).interruptions).toBe(1);
    });

    it('whose process was killed with the transaction open, and the next attempt waits until the server has dropped that', async () => {
      const accounts = await accountsOf(stage);
      const begun = deferred<unknown>();
      const ran: string[] = [];
      const other = task('other', { quotas: [] }, (name: string) => void ran.push(name));
      const pay = task('pay', TRANSACTIONAL, async () => {
        const balance = await add(accounts, 5);
        if (ran.length === 1) {
          begun.resolve(currentTask().session);
          await NEVER_ENDS;
        }
        ran.push('pay');
        return balance;
      });
      const options = { tasks: [other, pay], dispatcher: MORTAL };
      const killed = await stage.start(options);
      const batch = await killed.async.queueJob(serial(makeJob(other, 'before'), makeJob(pay), makeJob(other, 'after')));
      const left = await begun.promise;
      ran.push('killed');
      const heir = await stage.succeed(killed, options);
      await heir.advance(30_000);
      if (store === 'MongoDB') {
        expect(ran).toEqual(['before', 'killed']);
        // As the server does when its transactionLifetimeLimitSeconds are over.
        await (left as ClientSession).abortTransaction();
        await heir.advance(10_000);
      }
      expect(ran).toEqual(['before', 'killed', 'pay', 'after']);
      expect(await balanceIn(accounts)).toBe(15);
      const [job] = await heir.async.getJobs({ task: pay });
      if (job === undefined) throw new Error('the job is gone');
      const { failures, interruptions } = await heir.stateOf(job);
      expect([job.status, failures, interruptions]).toEqual(['completed', 0, 1]);
      expect((await heir.async.getJob(batch.id))?.status).toBe('completed');
    });

    it('whose process lost its lease, and comes to its end later: who took its job over runs it', async () => {
      const accounts = await accountsOf(stage);
      const [begun, gate] = [deferred(), deferred()];
      const pay = task('pay', TRANSACTIONAL, async () => {
        begun.resolve();
        if (currentTask().attempt === 1) await gate.promise;
        return add(accounts, 5);
      });
      let isCutOff = false;
      const faults = (shared: JobStore): Partial<JobStore> => ({
        heartbeat: (...args) => (isCutOff ? Promise.reject(new Error('the network')) : shared.heartbeat(...args)),
      });
      const first = await stage.start({ tasks: [pay], dispatcher: MORTAL, faults });
      const job = await first.async.queueJob(pay);
      await begun.promise;
      isCutOff = true;
      const second = await stage.start({ tasks: [pay], dispatcher: MORTAL });
      await second.advance(DEATH_MS);
      gate.resolve();
      expect(await (await second.async.getJob(job.id, pay))?.waitForResult()).toBe(15);
      await second.drain();
      expect([await balanceIn(accounts), (await second.stateOf(job)).interruptions]).toEqual([15, 1]);
      isCutOff = false;
    });
  });

  describe('the session of a task', () => {
    it('is there while the method of a transactional task runs, and nowhere else', async () => {
      const problems: unknown[] = [];
      const note = (): void => {
        try {
          void currentTask().session;
        } catch (error) {
          problems.push(error);
        }
      };
      const plain = task('plain', { quotas: [] }, note);
      const clean = task('clean', TRANSACTIONAL, () => {
        const { session } = currentTask();
        currentTask().onEnd(note);
        return session === undefined;
      });
      const { async } = await stage.start({ tasks: [plain, clean] });
      await (await async.queueJob(plain)).waitForResult();
      expect(await (await async.queueJob(clean)).waitForResult()).toBe(false);
      note();
      expect(problems).toEqual([expect.any(NoTransactionError), expect.any(NoTransactionError), expect.any(NoCurrentTaskError)]);
    });

    it('is there for the set-up as well', async () => {
      const accounts = await accountsOf(stage);
      const setUp = async (): Promise<void> => {
        await add(accounts, 1);
      };
      const pay = task('pay', { ...TRANSACTIONAL, setUp }, () => add(accounts, 5));
      const { async } = await stage.start({ tasks: [pay] });
      expect(await (await async.queueJob(pay)).waitForResult()).toBe(16);
    });
  });
});

describe('`transactional`', () => {
  it('is true or false', () => {
    expect(() => task('bad', { transactional: 'yes' as never }, () => {})).toThrow(OptionError);
    expect(() => Task({ transactional: 1 as never })({} as never, 'bad', { value: () => {} })).toThrow('a boolean');
  });
});
