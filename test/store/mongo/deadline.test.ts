/** The store waits 35 s for an answer that never comes: to commands, to the first of all, and to the ends of transactions. */

import { type ClientSession, type Document, MongoError } from 'mongodb';
import { firstValueFrom } from 'rxjs';
import { beforeEach, describe, expect, it } from 'vitest';
import { nextTurn } from '../../../src/clock.js';
import { CommandDeadline } from '../../../src/store/mongo/driver/command-deadline.js';
import { SessionTransactions } from '../../../src/store/mongo/driver/session-transactions.js';
import { openCollections } from '../../../src/store/mongo/schema/collections.js';
import { checkStore } from '../../../src/store/mongo/schema/store-check.js';
import { VirtualClock } from '../../../src/testing/index.js';
import { type OwnStandIn, ownStandIn } from '../../replica-set/own-stand-in.js';
import { type Deferred, deferred } from '../../support/deferred.js';

const DEADLINE_MS = 35_000;
const HOUR_MS = 3_600_000;

let clock: VirtualClock;
let own: OwnStandIn;
let transactions: SessionTransactions;

beforeEach(async () => {
  clock = new VirtualClock();
  own = await ownStandIn();
  await own.client.connect();
  transactions = new SessionTransactions(own.client, new CommandDeadline(clock), clock);
});

/** Lets time pass; nothing has to be waited for on the way. */
function pass(ms: number): Promise<void> {
  return clock.advance(ms, async () => {
    await firstValueFrom(nextTurn());
  });
}

/** From now on a command is not answered. @returns resolves when it has been sent */
function neverAnswer(command: string): Promise<void> {
  const sent: Deferred<void> = deferred();
  own.standIn.faults.intercept = (asked: Document) => {
    if (Object.keys(asked)[0] !== command) return undefined;
    sent.resolve();
    return new Promise(() => {});
  };
  return sent.promise;
}

/** Its outcome, watched from now on, so that it may fail before the test reads it. */
function outcomeOf(work: Promise<unknown>): Outcome {
  const outcome: Outcome = {
    isSettled: false,
    settled: work.catch((error: unknown) => error).finally(() => Object.assign(outcome, { isSettled: true })),
  };
  return outcome;
}

interface Outcome {
  readonly isSettled: boolean;
  readonly settled: Promise<unknown>;
}

describe('the end of a transaction', () => {
  it('that is not answered is uncertain after 35 s', async () => {
    const sent = neverAnswer('commitTransaction');
    const outcome = outcomeOf(transactions.run((session) => own.things.insertOne({}, { session })));
    await sent;
    await pass(DEADLINE_MS - 1);
    expect(outcome.isSettled).toBe(false);
    await pass(1);
    expect(await outcome.settled).toMatchObject({
      name: 'UncertainError',
      message: expect.stringContaining('the commit of a transaction'),
    });
  });

  it('of which the answer is lost is asked for again, until there is one', async () => {
    own.standIn.faults.loseAnswer('commitTransaction', 3);
    await transactions.run((session) => own.things.insertOne({}, { session }));
    expect(await own.things.countDocuments()).toBe(1);
  });

  it('is asked for no more once nobody waits for it', async () => {
    own.standIn.faults.loseAnswer('commitTransaction', Number.POSITIVE_INFINITY);
    const ended: Deferred<void> = deferred();
    const outcome = outcomeOf(
      transactions.run(async (session) => {
        session.once('ended', () => ended.resolve());
        await own.things.insertOne({}, { session });
        void pass(DEADLINE_MS);
      }),
    );
    expect(await outcome.settled).toMatchObject({ name: 'UncertainError' });
    await ended.promise;
  });

  it('that is to undo what has failed fails as the code did, though nothing is answered', async () => {
    const sent = neverAnswer('abortTransaction');
    const failed = new Error('no');
    const code = async (session: ClientSession) => {
      await own.things.insertOne({}, { session });
      throw failed;
    };
    const outcome = outcomeOf(transactions.run(code));
    await sent;
    await pass(DEADLINE_MS);
    expect(await outcome.settled).toBe(failed);
  });

  it('is waited for from the end of the code, which takes what time it likes', async () => {
    const outcome = transactions.run(async (session) => {
      await own.things.insertOne({}, { session });
      await pass(HOUR_MS);
      return 'done';
    });
    expect(await outcome).toBe('done');
    expect(clock.scheduler.actions).toEqual([]);
  });

  it('is not waited for while the driver runs the code once more', async () => {
    const conflict = new MongoError('a conflict');
    conflict.addErrorLabel('TransientTransactionError');
    let runs = 0;
    const outcome = transactions.run(async (session) => {
      await own.things.insertOne({}, { session });
      if (runs++ === 0) throw conflict;
      await pass(HOUR_MS);
      return runs;
    });
    expect(await outcome).toBe(2);
  });

  it('that came too late lets the driver begin nothing more, for the one who waited has been answered', async () => {
    const conflict = new MongoError('a conflict');
    conflict.addErrorLabel('TransientTransactionError');
    const sent: Deferred<void> = deferred();
    const answered: Deferred<void> = deferred();
    own.standIn.faults.intercept = (asked: Document) => {
      if (Object.keys(asked)[0] !== 'abortTransaction') return undefined;
      sent.resolve();
      return answered.promise;
    };
    let runs = 0;
    const ended: Deferred<void> = deferred();
    const outcome = outcomeOf(
      transactions.run(async (session) => {
        session.once('ended', () => ended.resolve());
        await own.things.insertOne({ run: ++runs }, { session });
        if (runs === 1) throw conflict;
      }),
    );
    await sent.promise;
    await pass(DEADLINE_MS);
    expect(await outcome.settled).toBe(conflict);
    answered.resolve();
    await ended.promise;
    expect(await own.things.find().toArray()).toEqual([]);
    expect(runs).toBe(1);
  });
});

it('the first command of all is waited for no longer than others', async () => {
  const deadline = new CommandDeadline(clock);
  const sent = neverAnswer('hello');
  const outcome = outcomeOf(checkStore(openCollections(own.client, { database: 'd', prefix: '', deadline })));
  await sent;
  await pass(DEADLINE_MS);
  expect(await outcome.settled).toMatchObject({ name: 'UncertainError', message: expect.stringContaining('hello') });
});
