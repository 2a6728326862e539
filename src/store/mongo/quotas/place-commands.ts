/** The commands by which a dispatcher asks for places of a quota, or gives some up; none is sent once its lease is over. */

import type { DispatcherLeases } from '../control/dispatcher-leases.js';
import type { Pipeline } from '../driver/expression.js';
import type { ServerTime } from '../driver/server-time.js';
import type { QuotaDocument } from '../schema/documents.js';
import type { Need } from './allocation.js';
import type { LocalPlaces } from './dispatcher-places.js';
import type { Wait } from './place-rules.js';
import type { QuotaCache } from './quota-cache.js';
import { isHeld, type PlacesRequest, requestPlaces } from './quota-pipelines.js';

export interface PlaceCommandsSources {
  readonly leases: DispatcherLeases;
  readonly localPlaces: LocalPlaces;
  readonly quotas: QuotaCache;
  readonly time: ServerTime;
}

export class PlaceCommands {
  constructor(private readonly sources: PlaceCommandsSources) {}

  /** Asks for the places that jobs need, beside those in use; a dispatcher that gets too few for its first job is noted as waiting. */
  async ask(dispatcher: string, name: string, { need, wait }: { readonly need: Need; readonly wait: Wait }): Promise<void> {
    await this.#send(dispatcher, name, (inUse) => ({
      want: inUse + need.all,
      least: inUse + need.least,
      need: inUse + need.first,
      isModest: wait === 'for-idle',
    }));
  }

  /** Gives up idle places but for some; a dispatcher that waits, waits on. @returns whether it was done */
  giveUp(dispatcher: string, name: string, kept: number): Promise<boolean> {
    return this.#send(dispatcher, name, (inUse) => ({ want: inUse + kept, least: inUse + kept, need: undefined, isModest: false }));
  }

  /** The dispatcher keeps its places, and is noted as waiting no more. */
  async stopWaiting(dispatcher: string, name: string): Promise<void> {
    const { free } = this.sources.localPlaces.lease(dispatcher, name);
    await this.#send(dispatcher, name, (inUse) => ({ want: inUse + free, least: inUse + free, need: 0, isModest: false }));
  }

  /** @returns the quota as it is then; `undefined` if the lease was over */
  async write(dispatcher: string, name: string, pipeline: Pipeline): Promise<QuotaDocument | undefined> {
    const { leases, quotas } = this.sources;
    const fence = leases.fence(dispatcher);
    return fence === undefined ? undefined : quotas.write({ _id: name, $expr: fence }, pipeline);
  }

  #send(
    dispatcher: string,
    name: string,
    request: (inUse: number) => Omit<PlacesRequest, 'dispatcher' | 'inUse' | 'version'>,
  ): Promise<boolean> {
    const { leases, quotas, time } = this.sources;
    return this.sources.localPlaces.lease(dispatcher, name).change(async (version, inUse) => {
      const fence = leases.fence(dispatcher);
      if (fence === undefined) return undefined;
      const asked = requestPlaces({ dispatcher, inUse, version, ...request(inUse) }, time);
      return answerIn(await quotas.writeSoon({ _id: name, $expr: fence }, asked), dispatcher, version);
    });
  }
}

/** How many places a quota counts for a dispatcher; `undefined` if it has not seen the command of that number. */
function answerIn(quota: QuotaDocument | undefined, dispatcher: string, version: number): number | undefined {
  return quota?.holders.find((holder) => !isHeld(holder) && holder.dispatcher === dispatcher && holder.version >= version)?.places;
}
