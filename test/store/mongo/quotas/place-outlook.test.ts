/** A dispatcher's reaction to lanes whose places others hold. */

import { describe, expect, it } from 'vitest';
import type { Places } from '../../../../src/job/places.js';
import { ServerTime } from '../../../../src/store/mongo/driver/server-time.js';
import { LocalPlaces } from '../../../../src/store/mongo/quotas/dispatcher-places.js';
import { PlaceOutlook } from '../../../../src/store/mongo/quotas/place-outlook.js';
import { QuotaCache, type QuotaCacheSources } from '../../../../src/store/mongo/quotas/quota-cache.js';
import { SAVES_AFTER_MS } from '../../../../src/store/place-savers.js';
import { VirtualClock } from '../../../../src/testing/index.js';

const LANE = 'lane';

/** Two quotas of one place, both held by another dispatcher; this one waits for `a`, or not. */
async function outlook(waits: boolean) {
  const clock = new VirtualClock();
  const time = new ServerTime(clock, 0);
  const quotas = new QuotaCache({ time, onControl: () => {}, onSized: () => {} } as object as QuotaCacheSources);
  const waiting = waits
    ? [{ dispatcher: 'here', places: 1, since: time.estimate(), until: new Date(time.estimate().getTime() + 60_000) }]
    : [];
  for (const _id of ['a', 'b'])
    quotas.notice({
      _id,
      size: 1,
      configured: 1,
      holders: [{ dispatcher: 'other', places: 1, version: 1 }],
      waiting: _id === 'a' ? waiting : [],
      revision: 1,
    });
  const localPlaces = new LocalPlaces();
  const placeOutlook = new PlaceOutlook({ localPlaces, quotas, time });
  return {
    /** @param foundTooFewMs - for how long the lane has found too few places, if it has */
    async mayAsk(places: Places, foundTooFewMs?: number): Promise<boolean> {
      if (foundTooFewMs !== undefined) {
        localPlaces.of('here').savers.save(LANE, places, time.estimate().getTime());
        await clock.advance(foundTooFewMs, async () => {});
      }
      return placeOutlook.prospectOf('here', { lane: LANE, places }).mayAsk;
    },
  };
}

const one = { a: 1 };
const two = { a: 1, b: 1 };

describe('a lane whose places another dispatcher holds', () => {
  it.each<readonly [fact: string, waits: boolean, places: Places, foundTooFewMs: number | undefined, mayAsk: boolean]>([
    ['asks', false, one, undefined, true],
    ['does not ask while the dispatcher waits for them', true, one, undefined, false],
    ['of several quotas asks', false, two, undefined, true],
    ['of several quotas asks once of its own, though the dispatcher waits for other jobs', true, two, undefined, true],
    ['of several quotas leaves the places alone once it has asked', false, two, 0, false],
    ['of several quotas asks again after a while, so that places are saved for it', false, two, SAVES_AFTER_MS, true],
    ['of several quotas that are saved does not ask while the dispatcher waits', true, two, SAVES_AFTER_MS, false],
  ])('%s', async (_fact, waits, places, foundTooFewMs, mayAsk) => {
    const { mayAsk: asks } = await outlook(waits);
    expect(await asks(places, foundTooFewMs)).toBe(mayAsk);
  });
});
