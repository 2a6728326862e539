/** The pipeline by which places are asked for does what its rule says, whatever the quota and the request. */

import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ServerTime } from '../../../../src/store/mongo/driver/server-time.js';
import { type PlacesRequest, requestPlaces } from '../../../../src/store/mongo/quotas/quota-pipelines.js';
import type { Holder, QuotaDocument, WaitingDispatcher } from '../../../../src/store/mongo/schema/documents.js';
import { VirtualClock } from '../../../../src/testing/index.js';
import { seededRandom } from '../../../../src/testing/seeded-random.js';
import { findReplicaSet } from '../../../replica-set/find-replica-set.js';
import { grantedPlaces } from './granted-places.js';

const COUNT = 200;
const DISPATCHERS = ['a', 'b', 'c', 'd'] as const;
const HOUR_MS = 3_600_000;

let client: MongoClient;
beforeAll(async () => {
  client = await new MongoClient((await findReplicaSet()).uri).connect();
});
afterAll(() => client.close());

/** All times are hours away from now, so that the moment of the command does not matter. */
function drawn(random: () => number): { readonly quota: Omit<QuotaDocument, '_id' | 'configured'>; readonly request: PlacesRequest } {
  const upTo = (most: number): number => Math.floor(random() * (most + 1));
  const some = () => DISPATCHERS.filter(() => random() < 0.5);
  const hours = (count: number): Date => new Date(Date.now() + count * HOUR_MS);
  const shares: Holder[] = some().map((dispatcher) => ({ dispatcher, places: upTo(3), version: upTo(4) }));
  const reserved: Holder[] = random() < 0.3 ? [{ job: 'j', places: 1 + upTo(1), attempt: 't' }] : [];
  const waiting: WaitingDispatcher[] = some()
    .toSorted(() => random() - 0.5)
    .map((dispatcher) => ({
      dispatcher,
      places: upTo(3),
      since: hours(random() < 0.7 ? -1 : 1),
      until: hours(random() < 0.7 ? 2 : -1),
    }));
  const want = upTo(5);
  const request = {
    dispatcher: 'a',
    want,
    least: upTo(want),
    need: random() < 0.3 ? undefined : upTo(want),
    isModest: random() < 0.3,
    inUse: upTo(3),
    version: upTo(5),
  };
  return { quota: { size: upTo(8), holders: [...shares, ...reserved], waiting, revision: 1 }, request };
}

it(`grants what its rule grants, for ${COUNT} random quotas and requests`, async () => {
  const random = seededRandom(7);
  const cases = Array.from({ length: COUNT }, (_, index) => ({ _id: String(index), ...drawn(random) }));
  const name = `request-places-${process.pid}`;
  const quotas = client.db(name).collection<QuotaDocument>('quotas');
  const time = new ServerTime(new VirtualClock(), 0);
  await quotas.insertMany(cases.map(({ _id, quota }) => ({ _id, configured: quota.size, ...quota })));
  const before = Date.now();
  await quotas.bulkWrite(cases.map(({ _id, request }) => ({ updateOne: { filter: { _id }, update: [...requestPlaces(request, time)] } })));
  const found = new Map((await quotas.find().toArray()).map((quota) => [quota._id, quota]));
  await client.db(name).dropDatabase();
  for (const { _id, quota, request } of cases) {
    const { size, holders, waiting, revision } = found.get(_id) as QuotaDocument;
    const isNew = (date: Date): boolean => Math.abs(date.getTime() - before) < HOUR_MS / 2;
    const rough = (entries: readonly WaitingDispatcher[]) =>
      entries.map(({ since, until, ...entry }) => ({ ...entry, since: isNew(since) || since, until: isNew(until) || until }));
    const granted = grantedPlaces(quota, request, before);
    const expected = { size: granted.size, holders: granted.holders, waiting: rough(granted.waiting) };
    const shown = { _id, quota, request };
    expect({ ...shown, size, holders, waiting: rough(waiting) }).toEqual({ ...shown, ...expected });
    expect(revision).toBe(2);
  }
});
