/** The state that parts of the store keep while a command is under way, or was never answered. */

import { EventEmitter } from 'node:events';
import { type ChangeStream, type Document, MongoClient, ObjectId } from 'mongodb';
import { firstValueFrom } from 'rxjs';
import { afterAll, describe, expect, it } from 'vitest';
import { nextTurn } from '../../../src/clock.js';
import { Payload } from '../../../src/job/payload.js';
import { BackgroundRetry } from '../../../src/store/async/background-retry.js';
import { ResumableStream } from '../../../src/store/mongo/driver/resumable-stream.js';
import { ServerTime } from '../../../src/store/mongo/driver/server-time.js';
import { ClaimWrites, type ClaimWritesSources } from '../../../src/store/mongo/local/claim-writes.js';
import { LocalQueue, type LocalQueueSources } from '../../../src/store/mongo/local/local-queue.js';
import { RunningAttempts } from '../../../src/store/mongo/local/running-attempts.js';
import { PlaceLease } from '../../../src/store/mongo/quotas/place-lease.js';
import { requestPlaces } from '../../../src/store/mongo/quotas/quota-pipelines.js';
import type { JobDocument } from '../../../src/store/mongo/schema/documents.js';
import { toBytes } from '../../../src/store/mongo/schema/payload-codec.js';
import { VirtualClock } from '../../../src/testing/index.js';
import { findReplicaSet } from '../../replica-set/find-replica-set.js';

const set = await findReplicaSet();
afterAll(() => set.stop());

/** As much of a part as the test needs. */
function only<T>(parts: object): T {
  return parts as T;
}

function jobOf(status: 'assigned' | 'active', queue = ''): JobDocument {
  const interruptionPolicy = { limit: 1, delayMs: 0 };
  const args = toBytes(Payload.of([], 'arguments'));
  const order = { compare: () => 0 };
  return only({
    _id: new ObjectId(),
    kind: 'task',
    taskName: 't',
    queue,
    lane: `["${queue}","t",[]]`,
    token: 'k',
    owner: 'd',
    status,
    attempts: 0,
    interruptionPolicy,
    args,
    callbackInput: 'none',
    places: {},
    priority: 0,
    order,
  });
}

const nothing = async (): Promise<void> => {};

describe('what a write took that was not answered', () => {
  it('goes back by a write that is sent until it is answered, and is open until then', async () => {
    const clock = new VirtualClock();
    let sent = 0;
    const updateMany = async (): Promise<Document> => (++sent === 1 ? Promise.reject(new Error('the network')) : { modifiedCount: 1 });
    const freed: string[] = [];
    const found: string[] = [];
    const claimWrites = new ClaimWrites(
      only<ClaimWritesSources>({
        collections: { jobs: { updateMany } },
        notifier: { found: (lane: string) => found.push(lane) },
        backgroundRetry: new BackgroundRetry({ clock, onBackground: () => {} }),
        placeUsage: { freeSoon: (attempt: string) => freed.push(attempt) },
      }),
    );
    const job = jobOf('active');
    const lost = claimWrites.under('d', { now: [job], forLater: [], token: 'k' }, () => Promise.reject(new Error('lost')));
    await expect(lost).rejects.toThrow('lost');
    const seen: unknown[] = [];
    for (let halves = 0; halves < 3; halves++) {
      await clock.advance(halves * 500, () => firstValueFrom(nextTurn()));
      seen.push([sent, claimWrites.isOpen('k'), freed.length]);
    }
    expect(seen).toEqual([
      [1, true, 0],
      [1, true, 0],
      [2, false, 1],
    ]);
    expect([freed, found]).toEqual([[`${job._id.toHexString()} k`], [job.lane]]);
  });
});

describe('claimed jobs', () => {
  function hand(updateMany: () => Promise<Document>) {
    const clock = new VirtualClock();
    const collections = { jobs: { updateMany } };
    const notifier = { track: () => {}, found: () => {} };
    const localQueue = new LocalQueue(
      only<LocalQueueSources>({ clock, collections, notifier, time: new ServerTime(clock, 0), running: new RunningAttempts() }),
    );
    return { clock, localQueue };
  }

  it('goes back when nobody asks for its queue, though another queue is claimed from', async () => {
    let back = 0;
    const { clock, localQueue } = hand(async () => ({ modifiedCount: ++back }));
    localQueue.add('d', [jobOf('assigned', 'y')]);
    for (let passed = 0; passed < 2_000; passed += 500) {
      await clock.advance(500, nothing);
      localQueue.queued('d', 'x', new Set(['t']));
    }
    expect(back).toBe(1);
  });

  it('is recorded as begun, however long the others of its claim take, and again if that fails', async () => {
    let tries = 0;
    const { clock, localQueue } = hand(async () => (++tries === 1 ? Promise.reject(new Error('the network')) : { modifiedCount: 1 }));
    const job = jobOf('assigned');
    localQueue.add('d', [job]);
    localQueue.begin('d', job);
    for (let second = 0; second < 5; second++) await clock.advance(1_000, () => firstValueFrom(nextTurn()));
    expect(tries).toBe(2);
    localQueue.close();
  });
});

describe('a share', () => {
  it('is in doubt after a command that changed nothing, and counts only what is certain', async () => {
    const placeLease = new PlaceLease();
    await placeLease.change(async () => 3);
    placeLease.inUse = 1;
    expect(await placeLease.change(async () => undefined)).toBe(false);
    expect([placeLease.places, placeLease.free, placeLease.isInDoubt]).toEqual([1, 0, true]);
    await placeLease.change(async () => 2);
    expect([placeLease.places, placeLease.free, placeLease.isInDoubt]).toEqual([2, 1, false]);
  });

  it('is left alone by commands that come late, and so is the line', async () => {
    const client = await new MongoClient(set.uri).connect();
    const quotas = client.db(`late-${process.pid}`).collection('quotas');
    const time = new ServerTime(new VirtualClock(), 0);
    const before = { _id: 'q' as never, size: 2, holders: [{ dispatcher: 'd', places: 2, version: 6 }], waiting: [] };
    await quotas.insertOne(before);
    const late = { dispatcher: 'd', want: 0, least: 0, isModest: false, inUse: 0 };
    await quotas.updateOne({}, requestPlaces({ ...late, need: 3, version: 4 }, time));
    await quotas.updateOne({}, requestPlaces({ ...late, need: undefined, version: 5 }, time));
    expect(await quotas.findOne()).toEqual({ ...before, revision: 2 });
    await client.db(`late-${process.pid}`).dropDatabase();
    await client.close();
  });
});

describe('a stream', () => {
  it('that is renewed before its first answer says that it was opened', async () => {
    const resumed: unknown[] = [];
    const streams: EventEmitter[] = [];
    let opened = 0;
    const stream = new ResumableStream({
      clock: new VirtualClock(),
      watch: ({ resumeAfter }) => {
        resumed.push(resumeAfter);
        const made = Object.assign(new EventEmitter(), { resumeToken: null, close: nothing });
        streams.push(made);
        return only<ChangeStream>(made);
      },
      onEvent: () => {},
      onOpened: () => opened++,
    });
    stream.open();
    stream.renew();
    streams.at(-1)?.emit('resumeTokenChanged', { _data: 'x' });
    await stream.close();
    expect([resumed, opened]).toEqual([[undefined, undefined], 1]);
  });
});
