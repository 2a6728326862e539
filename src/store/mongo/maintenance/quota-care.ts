/** Replaces a damaged field of a quota by the value that this process knows, or that follows from the jobs. */

import type { Document } from 'mongodb';
import { is } from '../../../check.js';
import { weightOf } from '../../../job/places.js';
import type { ServerTime } from '../driver/server-time.js';
import type { QuotaCache } from '../quotas/quota-cache.js';
import type { Collections } from '../schema/collections.js';
import type { Holder, Reservation } from '../schema/documents.js';

export interface QuotaCareSources {
  readonly collections: Pick<Collections, 'jobs'>;
  readonly quotas: QuotaCache;
  readonly time: ServerTime;
}

export function insteadOfQuotaField(field: string, { _id: name, size, configured }: Document, sources: QuotaCareSources): unknown {
  const { quotas, time } = sources;
  const seen = quotas.seen(name);
  switch (field) {
    case 'size':
    case 'configured':
      return [configured, size, quotas.book.get(name)].find(is.count.holds) ?? 1;
    case 'holders':
      return seen?.holders ?? holdersOf(name, sources);
    case 'waiting':
      return [];
    case 'rate':
      return seen?.rate;
    case 'revision':
      // Larger than any revision that a process has seen.
      return time.estimate().getTime();
    default:
      return undefined;
  }
}

/** The holders of places, found by the jobs that take them. */
async function holdersOf(name: string, { collections }: QuotaCareSources): Promise<readonly Holder[]> {
  const found = await collections.jobs.find({ $or: [{ owner: { $gt: '' } }, { reservation: { $exists: true } }], isOpen: true });
  const shares = new Map<string, number>();
  const held: Reservation[] = [];
  for (const { _id, places, reservation: attempt, owner, status, waitsFor } of found) {
    const n = weightOf(places, name);
    if (n > 0 && attempt !== undefined) held.push({ job: _id.toHexString(), places: n, attempt });
    else if (n > 0 && owner !== undefined && status === 'active' && waitsFor === undefined) shares.set(owner, (shares.get(owner) ?? 0) + n);
  }
  return [...[...shares].map(([dispatcher, places]) => ({ dispatcher, places, version: 0 })), ...held];
}
