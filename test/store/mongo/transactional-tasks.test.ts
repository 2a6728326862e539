/**
 * Transactional tasks on MongoDB: commits that are not answered, primaries that step down, limits of the server, other processes that
 * watch.
 */

import { type Document, MongoServerError } from 'mongodb';
import { firstValueFrom, filter as where } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { nextTurn } from '../../../src/clock.js';
import { currentTask, fixedDelay, type Job, makeJob, TransactionError, task } from '../../../src/index.js';
import { withTransactionLimitExplained } from '../../../src/store/mongo/driver/driver-errors.js';
import { VirtualClock } from '../../../src/testing/index.js';
import { deferred } from '../../support/deferred.js';
import { Processes } from './processes.js';

const processes = await Processes.forTests('transactional');

const TRANSACTIONAL = { quotas: [], transactional: true } as const;
/** Rare, so that virtual time can be moved while commands are held back. */
const RARE_SIGNS = { leaseMs: 86_400_000, heartbeatMs: 21_600_000, pollMs: 21_600_000 } as const;
/** Longer than an answer is waited for. */
const LONG_MS = 40_000;

interface Counter {
  readonly _id: string;
  readonly n: number;
}

const counters = () => processes.database.collection<Counter>('counters');
const note = task('note', { quotas: [] }, (n: number) => `${n} noted`);

/** A process with a task that counts, and queues a note, in its transaction; and one job of it, whose end has a callback. */
async function counting() {
  const clock = new VirtualClock();
  let runs = 0;
  const count = task('count', TRANSACTIONAL, async () => {
    runs++;
    const { session } = currentTask();
    const after = await counters().findOneAndUpdate({ _id: 'c' }, { $inc: { n: 1 } }, { session, returnDocument: 'after' });
    await async.queueJob(note, 0);
    return after?.n ?? 0;
  });
  const { async } = await processes.start({ tasks: [count, note], clock, dispatcher: RARE_SIGNS });
  await counters().insertOne({ _id: 'c', n: 0 });
  return {
    clock,
    queue: () => async.queueJob(makeJob(count).withCallbacks({ success: note })),
    /** All effects of the task and its follow-ups happened once; it may have run as often as this. */
    expectOnce: async (job: Job<number>, times: number): Promise<void> => {
      expect(await job.waitForResult()).toBe(1);
      await processes.until(async () => (await async.getJobs({ task: note, statuses: ['completed'] })).length === 2);
      const state = await processes.collection('jobs').findOne({ taskName: 'count' });
      expect([(await counters().findOne({}))?.n, runs, state?.['attempts'], state?.['status']]).toEqual([1, times, times, 'completed']);
    },
  };
}

/** Lets time pass while commands are held back. */
function pass(clock: VirtualClock, ms: number): Promise<void> {
  return clock.advance(ms, async () => {
    for (let turns = 0; turns < 50; turns++) await firstValueFrom(nextTurn());
  });
}

const isSettle = ({ findAndModify, autocommit }: Document): boolean => findAndModify === 'millrace.jobs' && autocommit === false;

/** Recognises the commit of a transaction in which an end was written, and none of one that only queues. */
function isCommitOfEnd(): (command: Document) => boolean {
  let ends = '';
  return (command) => {
    const transaction = `${command['lsid']?.id?.toString('hex')} ${command['txnNumber']}`;
    if (isSettle(command)) ends = transaction;
    return command['commitTransaction'] !== undefined && transaction === ends;
  };
}

describe.skipIf(processes.faults === undefined)('what a transactional task does is done once', () => {
  it.each([
    ['where the answer to the commit is lost', isCommitOfEnd, 'lose answer', 1],
    ['where the commit does not arrive, and the connection is closed', isCommitOfEnd, 'close', 1],
    [
      'where the answer to the writing of the end is lost: the transaction is aborted, and the task runs again',
      () => isSettle,
      'lose answer',
      2,
    ],
  ] as const)('%s', async (_title, passing, how, attempts) => {
    const { queue, expectOnce } = await counting();
    const struck = processes.strike(passing(), how);
    const job = await queue();
    await struck;
    await expectOnce(job, attempts);
  });

  it('if the answers to the commit are lost three times, and so those to the repeats of the driver', async () => {
    const { queue, expectOnce } = await counting();
    const struck = processes.strike(isSettle, undefined);
    const job = queue();
    await struck;
    processes.faults?.loseAnswer('commitTransaction', 3);
    await expectOnce(await job, 1);
  });

  it('where the primary steps down before the commit, so that the task runs again', async () => {
    const { queue, expectOnce } = await counting();
    const gate = deferred();
    const struck = processes.strike(isCommitOfEnd(), gate.promise);
    const job = await queue();
    await struck;
    processes.faults?.stepDown();
    gate.resolve();
    await expectOnce(job, 2);
  });

  it('where the commit is given up and comes late: it was aborted, and the task runs again', async () => {
    const { clock, queue, expectOnce } = await counting();
    const gate = deferred();
    const struck = processes.strike(isCommitOfEnd(), gate.promise);
    const job = await queue();
    await struck;
    await pass(clock, LONG_MS);
    await expectOnce(job, 2);
    gate.resolve();
    await processes.quiet();
    await expectOnce(job, 2);
  });

  it('if the commit is done, and never answered: the next write shows that, and the follow-ups of the end are done', async () => {
    const { clock, queue, expectOnce } = await counting();
    const isStruck = isCommitOfEnd();
    if (processes.faults !== undefined) processes.faults.intercept = (command) => (isStruck(command) ? 'lose answer' : undefined);
    const job = await queue();
    await processes.until(async () => (await processes.collection('jobs').countDocuments({ settledToken: { $exists: true } })) === 1);
    await pass(clock, LONG_MS);
    await expectOnce(job, 1);
  });

  it('where the commit is given up, and the primary steps down: the task runs again, and a commit that comes later does nothing', async () => {
    const { clock, queue, expectOnce } = await counting();
    const gate = deferred();
    const struck = processes.strike(isCommitOfEnd(), gate.promise);
    const job = await queue();
    await struck;
    await pass(clock, LONG_MS);
    processes.faults?.stepDown();
    await processes.until(async () => {
      await pass(clock, 1_000);
      return (await job.refresh()).status === 'completed';
    });
    gate.resolve();
    await processes.quiet();
    await expectOnce(job, 2);
  });
});

describe('a transactional task', () => {
  it('takes 6 commands: insert, find, claim, its own write, its end, and the commit; and 4 writes of a document', async () => {
    const own = task('own', TRANSACTIONAL, async () => {
      await counters().updateOne({ _id: 'c' }, { $inc: { n: 1 } }, { session: currentTask().session });
    });
    const { async } = await processes.start({ tasks: [own] });
    await counters().insertOne({ _id: 'c', n: 0 });
    await (await async.queueJob(own)).waitForResult();
    const { names, documents } = await processes.costOf(async () => (await async.queueJob(own)).waitForResult());
    expect({ names, documents }).toEqual({
      names: ['insert', 'find', 'update', 'update', 'findAndModify', 'commitTransaction'],
      documents: 4,
    });
  });

  it('is never claimed ahead, though it waits for a quota, and nothing is written to its job between its claim and its end', async () => {
    const inTurn = task('inTurn', { transactional: true }, () => currentTask().progress(1));
    const queuer = (await processes.start({ tasks: [inTurn], dispatcher: false })).async;
    const jobs = await queuer.queueJobs(Array.from({ length: 30 }, () => makeJob(inTurn)));
    const { commands } = await processes.costOf(async () => {
      await processes.start({ tasks: [inTurn] });
      await Promise.all(jobs.map((job) => job.waitForResult()));
    });
    const written = commands.filter(({ update, findAndModify }) => update === 'millrace.jobs' || findAndModify === 'millrace.jobs');
    expect(written.filter(({ updates }) => updates?.[0]?.q.status === 'assigned')).toEqual([]);
    expect(written.filter(({ findAndModify }) => findAndModify !== undefined)).toHaveLength(30);
    expect(await processes.collection('jobs').distinct('attempts')).toEqual([1]);
  });

  it('is seen to progress by other processes while it runs', async () => {
    const gate = deferred();
    const slow = task('slow', TRANSACTIONAL, async () => {
      currentTask().progress({ done: 1, total: 2 });
      await gate.promise;
    });
    const queuer = (await processes.start({ tasks: [slow], dispatcher: false })).async;
    const job = await queuer.queueJob(slow);
    const seen = firstValueFrom(job.changes.pipe(where(({ progress }) => progress !== undefined)));
    await processes.start({ tasks: [slow] });
    expect((await seen).progress).toEqual({ done: 1, total: 2 });
    gate.resolve();
    await job.waitForResult();
    expect([job.progress, job.attempts]).toEqual([{ done: 1, total: 2 }, 1]);
  });

  it('that met a limit of the server says which, and is not tried again for it', async () => {
    const limited = task('limited', { ...TRANSACTIONAL, retry: fixedDelay({ attempts: 1, delayMs: 0 }) }, async () => {
      throw new MongoServerError({ message: 'Transaction 1 has been aborted.', code: 290, errorLabels: ['TransientTransactionError'] });
    });
    const { async } = await processes.start({ tasks: [limited] });
    const outcome = await (await async.queueJob(limited)).waitForOutcome();
    expect(outcome).toMatchObject({ status: 'failed', error: { name: TransactionError.name } });
    expect(JSON.stringify(outcome)).toContain('transactionLifetimeLimitSeconds');
  });
});

describe('an error of a transaction', () => {
  const of = (code: number) => new MongoServerError({ message: 'no', code, errorLabels: ['TransientTransactionError'] });

  it.each([
    [290, 1_000, undefined, 'open for 1 s'],
    [251, 61_000, undefined, '60 s, unless the server is configured otherwise'],
    [251, 5_000, 5_000, '`transactionLifetimeLimitSeconds`: 5 s'],
    [257, 0, undefined, '16 MB'],
    [10_334, 0, undefined, '16 MB'],
  ])('%i after %i ms, of %s allowed, is explained', (code, openMs, limitMs, said) => {
    const error = withTransactionLimitExplained(of(code), { openMs, limitMs });
    expect(error).toBeInstanceOf(TransactionError);
    expect((error as Error).message).toContain(said);
    expect((error as Error).cause).toMatchObject({ code });
  });

  it('is passed on as it is where it is none of these', () => {
    for (const error of [of(112), new Error('no'), null])
      expect(withTransactionLimitExplained(error, { openMs: 61_000, limitMs: 60_000 })).toBe(error);
    const early = of(251);
    expect(withTransactionLimitExplained(early, { openMs: 59_000, limitMs: undefined })).toBe(early);
    expect(withTransactionLimitExplained(early, { openMs: 61_000, limitMs: 120_000 })).toBe(early);
  });
});
