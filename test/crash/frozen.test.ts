/** A process that was frozen for longer than its lease wakes up when others have done its work: it can change nothing. */

import { setTimeout as sleep } from 'node:timers/promises';
import { ObjectId } from 'mongodb';
import { expect, it } from 'vitest';
import { type Scene, setTheScene } from './scene.js';

const WAIT_MS = 60_000;
const patiently = { timeout: WAIT_MS, interval: 50 };

function ledger({ database }: Scene, entry: { readonly what: 'start' | 'end'; readonly by: string }): Promise<number> {
  return database.collection('ledger').countDocuments(entry);
}

it(
  'refuses what one that slept records, and lets it work anew',
  async () => {
    const scene = await setTheScene();
    const { async, crew, collection, database, tasks } = scene;
    const sleeper = await crew.start(0);
    const job = await async.queueJob(tasks.waits, 'first');
    await expect.poll(() => ledger(scene, { what: 'start', by: sleeper }), patiently).toBe(1);
    const before = await collection('jobs').findOne({ _id: new ObjectId(job.id) });

    crew.freeze(0);
    const other = await crew.start(1);
    await expect.poll(() => ledger(scene, { what: 'start', by: other }), patiently).toBe(1);
    await database.collection<{ _id: string }>('gates').insertOne({ _id: 'first' });
    expect(await job.waitForResult({ timeoutMs: WAIT_MS })).toBe(other);
    const after = async (): Promise<unknown> => [
      await collection('jobs').findOne({ _id: new ObjectId(job.id) }),
      await collection('dispatchers').findOne({ _id: before?.['owner'] }),
    ];
    await expect.poll(() => collection('jobs').countDocuments({ owner: { $exists: true } }), patiently).toBe(0);
    await expect.poll(() => collection('dispatchers').countDocuments({ state: 'dead', expireAt: { $exists: true } }), patiently).toBe(1);
    const settled = await after();

    crew.thaw(0);
    // It finds the gate open, and returns; then it lives again under another id.
    await expect.poll(() => ledger(scene, { what: 'end', by: sleeper }), patiently).toBe(1);
    await expect.poll(() => collection('dispatchers').countDocuments({ state: 'alive' }), patiently).toBe(2);
    await sleep(500);
    expect(await after()).toEqual(settled);

    await crew.kill(1);
    const again = await async.queueJob(tasks.waits, 'first');
    expect(await again.waitForResult({ timeoutMs: WAIT_MS })).toBe(sleeper);
    await crew.stop();
  },
  4 * WAIT_MS,
);
