/** Conflicts with a transaction of a process that is gone, which the server leaves open for a while: no caller sees one. */

import { type ClientSession, MongoError } from 'mongodb';
import { firstValueFrom, timer } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { nextTurn } from '../../../src/clock.js';
import { CommandDeadline } from '../../../src/store/mongo/driver/command-deadline.js';
import { retryConflicts } from '../../../src/store/mongo/driver/conflict-retry.js';
import { SessionTransactions } from '../../../src/store/mongo/driver/session-transactions.js';
import { VirtualClock } from '../../../src/testing/index.js';
import { ownStandIn } from '../../replica-set/own-stand-in.js';
import { Traffic } from './faults/traffic.js';

const TRIED_FOR_MS = 120_000;
const LONGEST_PAUSE_MS = 500;

function conflict(): MongoError {
  const error = new MongoError('a conflict');
  error.addErrorLabel('TransientTransactionError');
  return error;
}

describe('what conflicts', () => {
  /** Tries for `ms` milliseconds. @returns the outcome, and the time of each try */
  async function tried(attempt: (tries: number) => unknown, ms = 2 * TRIED_FOR_MS) {
    const clock = new VirtualClock();
    const begunAt = clock.now();
    const at: number[] = [];
    const outcome = retryConflicts(clock, async () => attempt(at.push(clock.now() - begunAt))).catch((error: unknown) => error);
    await clock.advance(ms, async () => {
      // Tries that come at once come in turns of their own.
      for (let turn = 0; turn < 20; turn++) await firstValueFrom(nextTurn());
    });
    return { outcome: await outcome, at };
  }

  it('is tried again at once, while another transaction may soon be through', async () => {
    const { outcome, at } = await tried((tries) => (tries > 10 ? 'done' : Promise.reject(conflict())), 0);
    expect(outcome).toBe('done');
    expect(new Set(at)).toEqual(new Set([0]));
  });

  it('is tried again ever less often, and given up with the conflict after two minutes', async () => {
    const { outcome, at } = await tried(() => Promise.reject(conflict()));
    expect(outcome).toBeInstanceOf(MongoError);
    const pauses = at.slice(1).map((each, index) => each - (at[index] ?? 0));
    expect(Math.max(...pauses.slice(0, 10))).toBe(0);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(LONGEST_PAUSE_MS);
    expect(at.at(-1)).toBeGreaterThanOrEqual(TRIED_FOR_MS);
    expect(at.at(-1)).toBeLessThanOrEqual(TRIED_FOR_MS + LONGEST_PAUSE_MS);
  });

  it('is not tried again after anything else', async () => {
    const { outcome, at } = await tried(() => Promise.reject(new MongoError('no conflict')), 0);
    expect([outcome, at]).toEqual([new MongoError('no conflict'), [0]]);
  });
});

/** Makes the server end transactions by the time of the test. @param limitMs - their time limit, unless the server's parameter counts */
function byTimeOf(clock: VirtualClock, limitMs?: number) {
  return (ms: number, act: () => void) => {
    const watch = timer(limitMs ?? ms, clock.scheduler).subscribe(act);
    return { cancel: () => watch.unsubscribe() };
  };
}

describe('a transaction', () => {
  const ANOTHERS_LIFE_MS = 5_000;

  /** A document that a transaction has changed which nobody will end. */
  async function setUp() {
    const clock = new VirtualClock();
    const limit = byTimeOf(clock, ANOTHERS_LIFE_MS);
    const { client, things } = await ownStandIn({ now: () => clock.now(), limit }, { monitorCommands: true });
    const traffic = new Traffic(() => false);
    traffic.watch(client);
    const transactions = new SessionTransactions(client, new CommandDeadline(clock), clock);
    const count = (session: ClientSession) => things.updateOne({ name: 'wanted' }, { $inc: { n: 1 } }, { session });
    await things.insertOne({ name: 'wanted', n: 0 });
    const gone = client.startSession();
    gone.startTransaction();
    await count(gone);
    return { things, transactions, count, pass: (ms: number) => clock.advance(ms, () => traffic.quiet()) };
  }

  it('that conflicts with one that is left open is tried, by the time of the store, until the server has taken that one back', async () => {
    const { things, transactions, count, pass } = await setUp();
    let runs = 0;
    const done = transactions.run((session) => {
      runs++;
      return count(session);
    });
    done.catch(() => undefined);
    await pass(ANOTHERS_LIFE_MS - 1);
    const before = runs;
    expect(before).toBeGreaterThan(10 + ANOTHERS_LIFE_MS / LONGEST_PAUSE_MS);
    expect(await things.findOne()).toMatchObject({ n: 0 });
    await pass(LONGEST_PAUSE_MS + 1);
    await done;
    expect(await things.findOne()).toMatchObject({ n: 1 });
    expect(runs).toBe(before + 1);
  });
});

describe('a transaction that takes longer than the server allows', () => {
  it.each([5, 60, 300])('runs once, and fails by an error that names the limit of %i s', async (seconds) => {
    const clock = new VirtualClock();
    const { client, things } = await ownStandIn({ now: () => clock.now(), limit: byTimeOf(clock) }, {});
    await client.db('admin').command({ setParameter: 1, transactionLifetimeLimitSeconds: seconds });
    const transactions = new SessionTransactions(client, new CommandDeadline(clock), clock);
    for (const options of [{}, { isRunOnce: true }]) {
      let runs = 0;
      const done = transactions.run(async (session) => {
        runs++;
        await things.insertOne({}, { session });
        await clock.advance(seconds * 1_000 + 1_000, () => firstValueFrom(nextTurn()));
        await things.insertOne({}, { session });
      }, options);
      await expect(done).rejects.toMatchObject({
        name: 'TransactionError',
        code: 'MILLRACE_TRANSACTION',
        message: expect.stringContaining(`\`transactionLifetimeLimitSeconds\`: ${seconds} s`),
        cause: { code: 251 },
      });
      expect([runs, await things.countDocuments()]).toEqual([1, 0]);
    }
  });

  it('is known by the default limit where the user may not ask for the real one', async () => {
    const clock = new VirtualClock();
    const { client, things, standIn } = await ownStandIn({ now: () => clock.now(), limit: byTimeOf(clock) }, {});
    standIn.faults.intercept = (command) => ('getParameter' in command ? 'refuse' : undefined);
    const transactions = new SessionTransactions(client, new CommandDeadline(clock), clock);
    const done = transactions.run(async (session) => {
      await things.insertOne({}, { session });
      await clock.advance(61_000, () => firstValueFrom(nextTurn()));
    });
    await expect(done).rejects.toThrow('60 s, unless the server is configured otherwise');
  });

  it('runs again where another primary does not know it, however long it was open within the limit', async () => {
    const clock = new VirtualClock();
    const { client, things, standIn } = await ownStandIn({ now: () => clock.now(), limit: byTimeOf(clock) }, {});
    const transactions = new SessionTransactions(client, new CommandDeadline(clock), clock);
    let runs = 0;
    await transactions.run(async (session) => {
      await things.insertOne({}, { session });
      await clock.advance(30_000, () => firstValueFrom(nextTurn()));
      if (runs++ === 0) standIn.faults.stepDown();
      await things.insertOne({}, { session });
    });
    expect([runs, await things.countDocuments()]).toEqual([2, 2]);
  });
});
