/** The rule of `requestPlaces` once more, in TypeScript, to compare the two: how a request for places changes a quota. */

import type { PlacesRequest } from '../../../../src/store/mongo/quotas/quota-pipelines.js';
import type { Holder, QuotaDocument, ShareDocument, WaitingDispatcher } from '../../../../src/store/mongo/schema/documents.js';
import { SAVES_AFTER_MS } from '../../../../src/store/place-savers.js';

const WAITS_FOR_MS = 45_000;

type Quota = Pick<QuotaDocument, 'size' | 'holders' | 'waiting'>;

/** @param now - the time of the server */
export function grantedPlaces(quota: Quota, request: PlacesRequest, now: number): Quota {
  const mine = quota.holders.find((holder): holder is ShareDocument => isOf(holder, request.dispatcher));
  if (mine !== undefined && mine.version >= request.version) return quota;
  const had = mine?.places ?? 0;
  const free = quota.size - sumOf(quota.holders.filter((holder) => !isOf(holder, request.dispatcher))) - sumOf(ahead(quota, request, now));
  const there = Math.min(request.want, free);
  const useful = there >= request.least ? there : Math.min(there, had);
  const places = Math.max(Math.min(request.inUse, had), useful, 0);
  const { dispatcher, version } = request;
  return {
    size: quota.size,
    holders: [...quota.holders.filter((holder) => !isOf(holder, dispatcher)), { dispatcher, places, version }],
    waiting: waitingAfter(quota.waiting, request, { places, had, now }),
  };
}

/** Those that come before the dispatcher and have waited for long: what they lack is kept for them. */
function ahead({ waiting }: Quota, { dispatcher }: PlacesRequest, now: number): readonly WaitingDispatcher[] {
  const own = waiting.findIndex((one) => one.dispatcher === dispatcher);
  return waiting
    .slice(0, own < 0 ? undefined : own)
    .filter(({ until, since }) => until.getTime() > now && since.getTime() <= now - SAVES_AFTER_MS);
}

function waitingAfter(
  waiting: readonly WaitingDispatcher[],
  { dispatcher, need, isModest }: PlacesRequest,
  { places, had, now }: { readonly places: number; readonly had: number; readonly now: number },
): readonly WaitingDispatcher[] {
  const own = waiting.find((one) => one.dispatcher === dispatcher);
  const replaced = (entry: WaitingDispatcher) => waiting.map((one) => (one.dispatcher === dispatcher ? entry : one));
  // It only gives places up: what it gives up, it lacks in addition, if it lacks any.
  if (need === undefined) return own === undefined ? waiting : replaced({ ...own, places: own.places > 0 ? own.places + had - places : 0 });
  if (places >= need) return waiting.filter((one) => one.dispatcher !== dispatcher);
  const until = new Date(now + WAITS_FOR_MS);
  const entry = { dispatcher, places: isModest ? 0 : need - places, since: own?.since ?? new Date(now), until };
  return own === undefined ? [...waiting, entry] : replaced(entry);
}

function isOf(holder: Holder, dispatcher: string): boolean {
  return 'dispatcher' in holder && holder.dispatcher === dispatcher;
}

function sumOf(entries: readonly { readonly places: number }[]): number {
  return entries.reduce((sum, { places }) => sum + places, 0);
}
