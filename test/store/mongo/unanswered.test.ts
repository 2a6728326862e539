/** What parts of the store remember while a command is under way, or was never answered. */

import { EventEmitter } from 'node:events';
import { type ChangeStream, type Document, MongoClient, ObjectId } from 'mongodb';
import { firstValueFrom } from 'rxjs';
import { afterAll, describe, expect, it } from 'vitest';
import { nextTurn } from '../../../src/clock.js';
import { Payload } from '../../../src/job/payload.js';
import { Unfinished } from '../../../src/store/async/background-retry.js';
import { ResumedStream } from '../../../src/store/mongo/driver/resumable-stream.js';
import { ServerTime } from '../../../src/store/mongo/driver/server-time.js';
import { type TakeSources, Takes } from '../../../src/store/mongo/local/claim-writes.js';
import { Ahead, type AheadSources } from '../../../src/store/mongo/local/local-queue.js';
import { Running } from '../../../src/store/mongo/local/running-attempts.js';
import { Share } from '../../../src/store/mongo/quotas/place-lease.js';
import { askPipeline } from '../../../src/store/mongo/quotas/quota-pipelines.js';
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
  const limits = { interruptions: 1, delayMs: 0 };
  const args = toBytes(Payload.of([], 'arguments'));
  const order = { compare: () => 0 };
  return only({
    _id: new ObjectId(),
    kind: 'task',
    task: 't',
    queue,
    lane: `["${queue}","t",[]]`,
    token: 'k',
    owner: 'd',
    status,
    attempts: 0,
    limits,
    args,
    input: 'none',
    quotas: {},
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
    const takes = new Takes(
      only<TakeSources>({
        collections: { jobs: { updateMany } },
        news: { found: (lane: string) => found.push(lane) },
        unfinished: new Unfinished({ clock, onBackground: () => {} }),
        uses: { freeSoon: (attempt: string) => freed.push(attempt) },
      }),
    );
    const job = jobOf('active');
    const lost = takes.under('d', { now: [job], forLater: [], token: 'k' }, () => Promise.reject(new Error('lost')));
    await expect(lost).rejects.toThrow('lost');
    const seen: unknown[] = [];
    for (let halves = 0; halves < 3; halves++) {
      await clock.advance(halves * 500, () => firstValueFrom(nextTurn()));
      seen.push([sent, takes.isOpen('k'), freed.length]);
    }
    expect(seen).toEqual([
      [1, true, 0],
      [1, true, 0],
      [2, false, 1],
    ]);
    expect([freed, found]).toEqual([[`${job._id.toHexString()} k`], [job.lane]]);
  });
});

describe('what is at hand', () => {
  function hand(updateMany: () => Promise<Document>) {
    const clock = new VirtualClock();
    const collections = { jobs: { updateMany } };
    const news = { track: () => {}, found: () => {} };
    const ahead = new Ahead(only<AheadSources>({ clock, collections, news, time: new ServerTime(clock, 0), running: new Running() }));
    return { clock, ahead };
  }

  it('goes back when nobody asks for its queue, though another queue is claimed from', async () => {
    let back = 0;
    const { clock, ahead } = hand(async () => ({ modifiedCount: ++back }));
    ahead.add('d', [jobOf('assigned', 'y')]);
    for (let passed = 0; passed < 2_000; passed += 500) {
      await clock.advance(500, nothing);
      ahead.of('d', 'x', new Set(['t']));
    }
    expect(back).toBe(1);
  });

  it('is recorded as begun, however long the others of its claim take, and again if that fails', async () => {
    let tries = 0;
    const { clock, ahead } = hand(async () => (++tries === 1 ? Promise.reject(new Error('the network')) : { modifiedCount: 1 }));
    const job = jobOf('assigned');
    ahead.add('d', [job]);
    ahead.begin('d', job);
    for (let second = 0; second < 5; second++) await clock.advance(1_000, () => firstValueFrom(nextTurn()));
    expect(tries).toBe(2);
    ahead.close();
  });
});

describe('a share', () => {
  it('is in doubt after a command that changed nothing, and counts only what is certain', async () => {
    const share = new Share();
    await share.change(async () => 3);
    share.inUse = 1;
    expect(await share.change(async () => undefined)).toBe(false);
    expect([share.n, share.free, share.isInDoubt]).toEqual([1, 0, true]);
    await share.change(async () => 2);
    expect([share.n, share.free, share.isInDoubt]).toEqual([2, 1, false]);
  });

  it('is left alone by commands that come late, and so is the line', async () => {
    const client = await new MongoClient(set.uri).connect();
    const quotas = client.db(`late-${process.pid}`).collection('quotas');
    const time = new ServerTime(new VirtualClock(), 0);
    const before = { _id: 'q' as never, size: 2, holders: [{ by: 'd', n: 2, v: 6 }], waiting: [] };
    await quotas.insertOne(before);
    const late = { dispatcher: 'd', want: 0, least: 0, isModest: false, inUse: 0 };
    await quotas.updateOne({}, askPipeline({ ...late, need: 3, v: 4 }, time));
    await quotas.updateOne({}, askPipeline({ ...late, need: undefined, v: 5 }, time));
    expect(await quotas.findOne()).toEqual({ ...before, rev: 2 });
    await client.db(`late-${process.pid}`).dropDatabase();
    await client.close();
  });
});

describe('a stream', () => {
  it('that is renewed before its first answer says that it was opened', async () => {
    const resumed: unknown[] = [];
    const streams: EventEmitter[] = [];
    let opened = 0;
    const stream = new ResumedStream({
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
