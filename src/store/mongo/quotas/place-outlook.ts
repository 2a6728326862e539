/** The places that a dispatcher can expect, as far as this process knows: nothing here asks the server. */

import { couldEverFit, type Places, weightOf } from '../../../job/places.js';
import type { ServerTime } from '../driver/server-time.js';
import type { Claimant } from './allocation.js';
import type { LocalPlaces } from './dispatcher-places.js';
import { isNextOwn, type PlacesView } from './places-view.js';
import type { QuotaCache } from './quota-cache.js';

export interface PlaceOutlookSources {
  readonly localPlaces: LocalPlaces;
  readonly quotas: QuotaCache;
  readonly time: ServerTime;
}

/** The chances of jobs of a lane to get the places that they need. */
export interface Prospect {
  /** The places seem to be there. */
  readonly isOpen: boolean;
  /** The dispatcher holds them, and they are in use: its jobs follow one another. */
  readonly isNext: boolean;
  /** Other dispatchers have them, and have not been asked yet. */
  readonly mayAsk: boolean;
}

export class PlaceOutlook {
  constructor(private readonly sources: PlaceOutlookSources) {}

  /** The places that a dispatcher has now. */
  view(dispatcher: string): PlacesView {
    const { quotas, localPlaces, time } = this.sources;
    const places = localPlaces.of(dispatcher);
    return {
      book: quotas.book,
      savers: places.savers,
      nowMs: time.estimate().getTime(),
      held: (name) => places.lease(name),
      isOverbooked: (name) => quotas.excessOf(name) > 0,
      doOthersWait: (name) => quotas.doOthersWait(dispatcher, name),
    };
  }

  /** Whether the quotas are large enough for these places. */
  couldEverFit(places: Places): boolean {
    return couldEverFit(places, this.sources.quotas.book);
  }

  /** How many places of a quota a dispatcher could be given. */
  room(dispatcher: string, name: string): number {
    return Math.max(0, this.sources.quotas.roomFor(dispatcher, name));
  }

  /** How many places of a quota a dispatcher has idle, or could be given. */
  reach(dispatcher: string, name: string): number {
    return this.sources.localPlaces.lease(dispatcher, name).free + this.room(dispatcher, name);
  }

  /** Whether a dispatcher has these places, or could be given them. */
  mightFit(dispatcher: string, places: Places): boolean {
    return this.#tooFew(dispatcher, places).length === 0;
  }

  /** A job that needs several quotas, but has not waited for long, leaves the one alone while the other has no room. */
  isWorthAsking(dispatcher: string, wanted: Claimant): boolean {
    return !this.#isNew(dispatcher, wanted) || this.mightFit(dispatcher, wanted.places);
  }

  prospectOf(dispatcher: string, wanted: Claimant): Prospect {
    const { quotas } = this.sources;
    const tooFew = this.#tooFew(dispatcher, wanted.places);
    if (tooFew.length === 0) return { isOpen: true, isNext: false, mayAsk: false };
    const isNext = isNextOwn(wanted.places, this.view(dispatcher));
    const [short = ''] = quotas.inLockOrder(tooFew);
    const mayAsk = this.#isDueToAsk(dispatcher, wanted, short) && (!isNext || quotas.doOthersHold(dispatcher, short));
    return { isOpen: false, isNext, mayAsk };
  }

  /** The quotas of which a dispatcher cannot have enough places. */
  #tooFew(dispatcher: string, places: Places): readonly string[] {
    return Object.keys(places).filter((name) => this.reach(dispatcher, name) < weightOf(places, name));
  }

  /**
   * Whether a lane is to ask, if its places are short: not again while the dispatcher waits for them. A lane of several quotas
   * asks once of its own, though others of the dispatcher wait already: from then on its places are saved. Otherwise it would
   * take those of one quota, give them up since the other has no room, and take them again, without end.
   */
  #isDueToAsk(dispatcher: string, wanted: Claimant, short: string): boolean {
    if (this.#isNew(dispatcher, wanted)) return false;
    const { localPlaces, quotas } = this.sources;
    if (needsSeveral(wanted) && !localPlaces.of(dispatcher).savers.has(wanted.lane)) return true;
    return !(['for-idle', 'lacking'] as const).some((wait) => quotas.isWaiting(dispatcher, short, wait));
  }

  #isNew(dispatcher: string, wanted: Claimant): boolean {
    const { localPlaces, time } = this.sources;
    return needsSeveral(wanted) && localPlaces.of(dispatcher).savers.isNew(wanted.lane, time.estimate().getTime());
  }
}

function needsSeveral({ places }: Claimant): boolean {
  return Object.keys(places).length > 1;
}
