/** A late server shows changes after the answer, and its majority comes after a write with `w: 1`. */

import type { Document } from 'mongodb';
import { expect, it } from 'vitest';
import { type OwnServer, ownServer } from './own-server.js';
import { ownStandIn } from './own-stand-in.js';
import { laterBy, type Timing } from './timing.js';

const LATE: Timing = { kind: 'late', seed: 3 };
const W1 = { writeConcern: { w: 1 } } as const;
const MAJORITY = { readConcern: { level: 'majority' } } as const;

const idsOf = ({ cursor }: Document): unknown[] =>
  [...(cursor.firstBatch ?? cursor.nextBatch)].map(({ _id, documentKey }) => Number(documentKey?._id ?? _id));

/** Waits for the next change; the answer has its key. */
async function nextChange({ run }: OwnServer): Promise<() => Promise<unknown[]>> {
  const { cursor } = await run({ aggregate: 'things', pipeline: [{ $changeStream: {} }], cursor: {} });
  return async () => idsOf(await run({ getMore: cursor.id, collection: 'things', maxTimeMS: 5_000 }));
}

it.each([
  ['prompt', { kind: 'prompt' }, true],
  ['late', LATE, false],
  ['hasty', { kind: 'hasty', seed: 3 }, true],
] as const)('shows a change before the answer, or after it if the server is late: %s', async (_kind, timing, isTold) => {
  const own = ownServer(timing);
  const { history } = own.server;
  const change = await nextChange(own);
  const told = change();
  await own.run({ insert: 'things', documents: [{ _id: 1 }] });
  expect(history.told >= history.applied).toBe(isTold);
  expect(await told).toEqual([1]);
  expect(history.told).toBe(history.applied);
});

it('answers a write milliseconds after streams have reported it where it is hasty', async () => {
  const own = ownServer({ kind: 'hasty', seed: 3 });
  const change = await nextChange(own);
  const writing = own.run({ insert: 'things', documents: [{ _id: 1 }] });
  const first = await Promise.race([change().then(() => 'change'), writing.then(() => 'answer')]);
  expect(first).toBe('change');
  await writing;
});

it('hides what was written with `w: 1` from majority reads at first, but from none that comes after its time', async () => {
  const { run } = ownServer(LATE);
  for (let _id = 1; _id <= 5; _id++) {
    const { operationTime } = await run({ insert: 'things', documents: [{ _id }], ...W1 });
    expect(idsOf(await run({ find: 'things', filter: { _id } }))).toEqual([_id]);
    expect(idsOf(await run({ find: 'things', filter: { _id }, ...MAJORITY }))).toEqual([]);
    const after = { readConcern: { level: 'majority', afterClusterTime: operationTime } };
    expect(idsOf(await run({ find: 'things', filter: { _id }, ...after }))).toEqual([_id]);
  }
});

it('answers a majority write once majority reads have it, what was written before included', async () => {
  const { run } = ownServer(LATE);
  await run({ insert: 'things', documents: [{ _id: 1 }], ...W1 });
  await run({ insert: 'things', documents: [{ _id: 2 }], writeConcern: { w: 'majority' } });
  expect(idsOf(await run({ find: 'things', ...MAJORITY }))).toEqual([1, 2]);
});

it('hides a transaction that was committed with `w: 1` likewise', async () => {
  const { client, things } = await ownStandIn({ timing: LATE });
  await things.insertOne({ n: 0 });
  const session = client.startSession();
  session.startTransaction({ writeConcern: { w: 1 } });
  await things.insertOne({ n: 1 }, { session });
  await session.commitTransaction();
  expect(await things.findOne({ n: 1 }, { session, ...MAJORITY })).toMatchObject({ n: 1 });
  await session.endSession();
});

it('keeps what the majority did not have yet when its primary steps down, unless a test holds the majority', async () => {
  const { standIn, things } = await ownStandIn({ timing: LATE });
  await things.insertOne({ n: 1 }, W1);
  standIn.faults.stepDown();
  expect(await things.countDocuments({ n: 1 }, MAJORITY)).toBe(1);
});

it('is as late again with the same seed', () => {
  const delays = (timing: Timing): number[] => {
    const all: number[] = [];
    const later = laterBy(timing, (ms) => all.push(ms));
    for (let i = 0; i < 5; i++) later(() => {});
    return all;
  };
  expect(delays(LATE)).toEqual(delays(LATE));
  expect(delays(LATE)).not.toEqual(delays({ kind: 'late', seed: 4 }));
  for (const timing of [{ kind: 'prompt' }, { kind: 'hasty', seed: 3 }] as const) expect(delays(timing)).toEqual([]);
});
