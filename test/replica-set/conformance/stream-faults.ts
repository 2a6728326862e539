/** Facts about change streams under faults of the stand-in: a cut oplog, events late, twice, or missing. */

import { expect } from 'vitest';
import { type Draft, fact, group } from './fact.js';
import { codeOf } from './refusal.js';
import { brief, resumed, take, watch } from './watching.js';

const only = (title: string, show: Draft['show']): Draft => fact(title, show, { needs: ['stand-in'] });

export const streamFaults = group('stand-in faults', 'manual: changeStreams', [
  only('can not resume from before the oplog begins: 286 ChangeStreamHistoryLost', async (bench) => {
    const stream = await watch(bench);
    await bench.things.insertMany([{ _id: 1 }, { _id: 2 }]);
    const [first] = await take(stream, 1);
    bench.faults.cutOplog();
    expect(await codeOf(resumed(bench, { options: { resumeAfter: first?.['_id'] } }).next())).toBe(286);
    const startAtOperationTime = first?.['clusterTime'];
    expect(await codeOf(resumed(bench, { options: { startAtOperationTime } }).next())).toBe(286);
  }),
  only('shows what comes after a cut to new streams', async (bench) => {
    await bench.things.insertOne({ _id: 1 });
    bench.faults.cutOplog();
    const stream = await watch(bench);
    await bench.things.insertOne({ _id: 2 });
    expect(brief(await take(stream, 1))).toEqual(['insert 2']);
  }),
  only('shows events late and in order', async (bench) => {
    const stream = await watch(bench);
    bench.faults.changeEvents.delay();
    await bench.things.insertMany([{ _id: 1 }, { _id: 2 }]);
    expect(await stream.tryNext()).toBeNull();
    bench.faults.changeEvents.release();
    expect(brief(await take(stream, 2))).toEqual(['insert 1', 'insert 2']);
  }),
  only('shows an event twice under one token', async (bench) => {
    const stream = await watch(bench);
    bench.faults.changeEvents.repeat(1);
    await bench.things.insertMany([{ _id: 1 }, { _id: 2 }]);
    const events = await take(stream, 3);
    expect(brief(events)).toEqual(['insert 1', 'insert 1', 'insert 2']);
    expect(events[0]?.['_id']).toEqual(events[1]?.['_id']);
  }),
  only('misses an event', async (bench) => {
    const stream = await watch(bench);
    bench.faults.changeEvents.drop(1);
    await bench.things.insertMany([{ _id: 1 }, { _id: 2 }]);
    expect(brief(await take(stream, 1))).toEqual(['insert 2']);
  }),
]);
