/** Facts about what the majority does not have yet, and about what is lost with a primary. */

import type { Document } from 'mongodb';
import { expect } from 'vitest';
import type { Bench } from './bench.js';
import { eventually } from './eventually.js';
import { type Draft, fact, group } from './fact.js';
import { SNAPSHOT, transaction, twoThings } from './two-sessions.js';
import { brief, take, watch } from './watching.js';

const W1 = { writeConcern: { w: 1 } } as const;

/** From here to the end of the case nothing is majority-committed, unless it is released. */
function hold({ faults }: Bench): () => void {
  faults.holdMajority();
  return () => faults.releaseMajority();
}

const held = (title: string, source: string, show: Draft['show']): Draft => fact(title, show, { source, needs: ['stand-in'] });

const majorityIds = async ({ things }: Bench): Promise<unknown[]> => {
  const found = await things.find({}, { readConcern: { level: 'majority' }, sort: { _id: 1 } }).toArray();
  return found.map(({ _id }) => _id);
};

export const heldMajority = group('stand-in faults', 'manual: reference/read-concern-majority', [
  held('hides a write from majority reads until the majority has it', 'manual: reference/read-concern-majority', async (bench) => {
    await bench.things.insertOne({ _id: 1 });
    const release = hold(bench);
    await bench.things.insertOne({ _id: 2 }, W1);
    expect(await bench.things.countDocuments()).toBe(2);
    expect(await majorityIds(bench)).toEqual([1]);
    release();
    await eventually(async () => ((await majorityIds(bench)).length === 2 ? true : undefined), { what: 'the majority' });
  }),
  held('hides a change from streams until the majority has it', 'manual: changeStreams', async (bench) => {
    const stream = await watch(bench);
    const release = hold(bench);
    await bench.things.insertOne({ _id: 1 }, W1);
    expect(await stream.tryNext()).toBeNull();
    release();
    expect(brief(await take(stream, 1))).toEqual(['insert 1']);
  }),
  held('makes a majority write wait', 'manual: reference/write-concern', async (bench) => {
    await bench.things.insertOne({ _id: 1 });
    const release = hold(bench);
    const write = bench.things.insertOne({ _id: 2 }, { writeConcern: { w: 'majority' } });
    const seen = eventually(async () => (await bench.things.findOne({ _id: 2 })) ?? undefined, { what: 'the write' });
    expect(await Promise.race([write, seen])).toEqual({ _id: 2 });
    release();
    expect(await write).toMatchObject({ acknowledged: true });
  }),
  held('answers a majority write after its wtimeout with 64, and keeps it', 'manual: reference/write-concern (wtimeout)', async (bench) => {
    await bench.things.insertOne({ _id: 1 });
    hold(bench);
    const insert = { insert: 'things', documents: [{ _id: 2 }], writeConcern: { w: 'majority', wtimeout: 50 } };
    const answer: Document = await bench.db.command(insert).catch((error) => error.result ?? error.errorResponse);
    expect(answer).toMatchObject({ n: 1, writeConcernError: { code: 64, errInfo: { wtimeout: true } } });
    expect(await bench.things.countDocuments()).toBe(2);
  }),
  held(
    'lets a transaction begin before unconfirmed writes of its own client, unless its session knows of them',
    'manual: reference/read-concern-snapshot',
    async (bench) => {
      await twoThings(bench);
      const release = hold(bench);
      bench.faults.oldSnapshots = true;
      const seeing = bench.session();
      await bench.things.updateOne({ _id: 1 }, { $set: { n: 1 } }, { ...W1, session: seeing });
      const blind = transaction(bench);
      expect(await bench.things.findOne({ _id: 1 }, { session: blind })).toEqual({ _id: 1, n: 0 });
      seeing.startTransaction(SNAPSHOT);
      expect(await bench.things.findOne({ _id: 1 }, { session: seeing })).toEqual({ _id: 1, n: 1 });
      release();
      for (const session of [blind, seeing]) await session.commitTransaction();
    },
  ),
  held('rolls back what only the old primary had', 'manual: core/replica-set-rollbacks', async (bench) => {
    await bench.things.insertOne({ _id: 1 });
    hold(bench);
    await bench.things.insertOne({ _id: 2 }, W1);
    bench.faults.stepDown();
    bench.faults.releaseMajority();
    await eventually(async () => ((await bench.things.countDocuments()) === 1 ? true : undefined), { what: 'the rollback' });
    expect(await bench.things.distinct('_id')).toEqual([1]);
  }),
  held('shows no stream what is rolled back', 'manual: changeStreams', async (bench) => {
    await bench.things.insertOne({ _id: 1 });
    const stream = await watch(bench);
    hold(bench);
    await bench.things.insertOne({ _id: 2 }, W1);
    bench.faults.stepDown();
    bench.faults.releaseMajority();
    await bench.things.insertOne({ _id: 3 });
    expect(brief(await take(stream, 1))).toEqual(['insert 3']);
  }),
  held('elects with a new id after a step-down', 'spec: server-discovery-and-monitoring', async (bench) => {
    const hello = (): Promise<Document> => bench.client.db('admin').command({ hello: 1 });
    const { electionId } = await hello();
    bench.faults.stepDown();
    await bench.things.insertOne({ _id: 1 });
    const later = await hello();
    expect(later['isWritablePrimary']).toBe(true);
    expect(later['electionId'].toString() > electionId.toString()).toBe(true);
  }),
]);
