/** In which order the lanes of a dispatcher are given places, and what they need of each quota. */

import type { Places } from '../../job/places.js';
import type { JobDocument } from './documents.js';

export type Wanted = Pick<JobDocument, 'lane' | 'quotas'>;

interface InLine {
  readonly lane: string;
  readonly places: Places;
  /** It takes whatever is free until it has enough. */
  readonly saves: boolean;
  /** How many of its jobs may still be given places; none, once one of the quotas had too few. */
  jobs: number;
}

/** How many places of a quota are needed. */
export interface Need {
  /** By the first in line. */
  readonly first: number;
  /** By whoever could use the fewest: less than that is of no use. */
  readonly least: number;
  readonly all: number;
}

/**
 * Gone through one quota after the other in their lock order: a job that gets too few places of one asks for none of
 * those after it, so that two dispatchers never hold what the other waits for.
 */
export class Line {
  readonly #lanes: readonly InLine[];

  /**
   * @param savers - lanes for which places are saved; they come first
   * @param mayTry - whether a lane is worth asking for at all
   */
  constructor(wanted: readonly Wanted[], savers: readonly string[], mayTry: (wanted: Wanted) => boolean) {
    const lanes = new Map<string, InLine>();
    for (const { lane, quotas: places } of wanted) {
      const inLine = lanes.get(lane);
      if (inLine !== undefined) inLine.jobs++;
      else if (mayTry({ lane, quotas: places })) lanes.set(lane, { lane, places, saves: savers.includes(lane), jobs: 1 });
    }
    const saving = savers.flatMap((lane) => lanes.get(lane) ?? []);
    this.#lanes = [...saving, ...[...lanes.values()].filter(({ saves }) => !saves)];
  }

  needOf(name: string): Need | undefined {
    const lanes = this.#needing(name);
    const [front] = lanes;
    if (front === undefined) return undefined;
    const weights = lanes.map(({ places }) => places[name] ?? 0);
    const first = front.places[name] ?? 0;
    return {
      first,
      least: front.saves ? first : Math.min(...weights),
      all: lanes.reduce((sum, { jobs }, index) => sum + jobs * (weights[index] ?? 0), 0),
    };
  }

  /** Parts what there is of a quota among them. */
  serve(name: string, free: number): void {
    let left = Math.max(0, free);
    for (const inLine of this.#needing(name)) {
      const weight = inLine.places[name] ?? 0;
      const jobs = Math.min(inLine.jobs, Math.floor(left / weight));
      left = jobs === 0 && inLine.saves ? 0 : left - jobs * weight;
      inLine.jobs = jobs;
    }
  }

  #needing(name: string): readonly InLine[] {
    return this.#lanes.filter(({ places, jobs }) => jobs > 0 && places[name] !== undefined);
  }
}
