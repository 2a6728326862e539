/** The disruptions of the workers, drawn from a seed: which one is killed or frozen, and when. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Crew } from './crew.js';

export interface Disruption {
  /** The number of jobs that have ended by then. */
  readonly at: number;
  readonly place: number;
  readonly what: 'kill' | 'freeze';
  /** Until another takes its place, or until it is thawed. */
  readonly ms: number;
}

/** Shorter than a lease; longer than one; longer than it takes others to act on its end. */
const FREEZES_MS = [800, 3_500, 8_500];

export function drawDisruptions(
  random: () => number,
  { count, places, jobs }: { readonly count: number; readonly places: number; readonly jobs: number },
): readonly Disruption[] {
  return Array.from({ length: count }, (_, index) => {
    const at = Math.floor(((index + random()) / count) * jobs * 0.95);
    const place = Math.floor(random() * places);
    const isKill = random() < 0.5;
    const freezeMs = FREEZES_MS[Math.floor(random() * FREEZES_MS.length)] ?? 0;
    return { at, place, what: isKill ? 'kill' : 'freeze', ms: isKill ? Math.floor(random() * 1_000) : freezeMs };
  });
}

export function describe({ at, place, what, ms }: Disruption): string {
  return `${what} ${place} at ${at} for ${ms} ms`;
}

/** A worker that was frozen when it is to be killed is killed all the same. */
export async function disrupt(crew: Crew, { place, what, ms }: Disruption): Promise<void> {
  if (what === 'freeze') return crew.freezeFor(place, ms);
  await crew.kill(place);
  await sleep(ms);
  await crew.start(place);
}
