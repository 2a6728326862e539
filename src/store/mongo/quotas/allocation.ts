/** The order in which the lanes of a dispatcher get places, and their needs of each quota. */

import { type Places, takes, weightOf } from '../../../job/places.js';
import type { JobDocument } from '../schema/documents.js';

export type Claimant = Pick<JobDocument, 'lane' | 'places'>;

/** A job that is to be given places; no more, once one of the quotas had too few. */
interface InLine {
  readonly lane: string;
  readonly places: Places;
  /** It takes all free places until it has enough. */
  readonly saves: boolean;
}

/** How many places of a quota are needed. */
export interface Need {
  /** By the first in line. */
  readonly first: number;
  /** The need of the lane that needs the fewest: fewer places are useless. */
  readonly least: number;
  readonly all: number;
}

/**
 * Places are given one quota after the other in lock order. A job that gets too few places of one asks for none of those after it, so two
 * dispatchers never hold places that the other waits for.
 */
export class Allocation {
  #jobs: readonly InLine[];

  /**
   * @param wanted - in their order
   * @param savers - lanes for which places are saved; they come first
   * @param mayTry - whether a lane is worth asking for at all
   */
  constructor(wanted: readonly Claimant[], savers: readonly string[], mayTry: (wanted: Claimant) => boolean) {
    const worth = new Map<string, boolean>();
    const isWorthIt = (one: Claimant): boolean => {
      const known = worth.get(one.lane) ?? mayTry(one);
      worth.set(one.lane, known);
      return known;
    };
    const firsts = new Set<string>();
    const line = wanted.filter(isWorthIt).map(({ lane, places }): InLine => {
      // Places are saved for the first of a lane; those behind it take the rest.
      const saves = savers.includes(lane) && !firsts.has(lane);
      firsts.add(lane);
      return { lane, places, saves };
    });
    const place = ({ lane }: InLine): number => (savers.includes(lane) ? savers.indexOf(lane) : savers.length);
    this.#jobs = line.toSorted((one, other) => place(one) - place(other));
  }

  /**
   * The quotas that are needed, in groups. A group can be asked for at once, since no job needs two quotas of it.
   * @param book - all quotas, in their lock order
   */
  groups(book: readonly string[]): readonly (readonly string[])[] {
    const needed = new Set(this.#jobs.flatMap(({ places }) => Object.keys(places)));
    const groups: string[][] = [];
    /** By job: in how many groups its quotas are so far. */
    const passed = new Map<InLine, number>();
    for (const name of book) {
      if (!needed.has(name)) continue;
      const jobs = this.#needing(name);
      const group = Math.max(...jobs.map((job) => passed.get(job) ?? 0));
      for (const job of jobs) passed.set(job, group + 1);
      groups[group] = [...(groups[group] ?? []), name];
    }
    return groups;
  }

  needOf(name: string): Need | undefined {
    const jobs = this.#needing(name);
    const [front] = jobs;
    if (front === undefined) return undefined;
    const weights = jobs.map(({ places }) => weightOf(places, name));
    const first = weightOf(front.places, name);
    return { first, least: front.saves ? first : Math.min(...weights), all: weights.reduce((sum, weight) => sum + weight, 0) };
  }

  /** Divides the places of a quota among them, in their order. */
  serve(name: string, free: number): void {
    let left = Math.max(0, free);
    this.#jobs = this.#jobs.filter(({ places, saves }) => {
      if (!takes(places, name)) return true;
      const weight = weightOf(places, name);
      const isServed = weight <= left;
      if (isServed) left -= weight;
      else if (saves) left = 0;
      return isServed;
    });
  }

  #needing(name: string): readonly InLine[] {
    return this.#jobs.filter(({ places }) => takes(places, name));
  }
}
