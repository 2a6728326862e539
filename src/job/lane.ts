/** Lanes: jobs of one queue and task with the same quotas wait in one line, which a claim reads or skips as a whole. */

import type { QueuedJob } from './job-record.js';
import type { Places } from './places.js';
import { taskVersionOf } from './task-version.js';

const texts = new WeakMap<Places, string>();

/**
 * The lane's key: JSON of queue, form (mostly the task's name) and quotas; of a batch, its kind in brackets; a job that waits with its
 * places in hand has a lane without quotas.
 */
export function laneOf(job: Pick<QueuedJob, 'kind' | 'queue' | 'taskName' | 'version' | 'places'>, keepsPlaces: boolean): string {
  const what = job.kind === 'task' ? taskVersionOf(job) : [job.kind];
  return `[${JSON.stringify(job.queue)},${JSON.stringify(what)},${keepsPlaces ? '"!"' : placesText(job.places)}]`;
}

function placesText(places: Places): string {
  let text = texts.get(places);
  if (text === undefined) {
    text = JSON.stringify(Object.entries(places).map(([name, weight]) => `${name}:${weight}`));
    texts.set(places, text);
  }
  return text;
}

export interface LaneParts {
  readonly queue: string;
  /** The form of its jobs, or the kind of a composite. */
  readonly taskVersion: string;
  readonly isComposite: boolean;
}

/** Whether a text is a lane's key. */
export function isLane(text: unknown): text is string {
  if (typeof text !== 'string' || !text.startsWith('[')) return false;
  try {
    const [queue, what, places] = JSON.parse(text) as readonly unknown[];
    const isForm = typeof what === 'string' || (Array.isArray(what) && typeof what[0] === 'string');
    const arePlaces = places === '!' || (Array.isArray(places) && places.every((place) => /:\d+$/s.test(String(place))));
    return typeof queue === 'string' && isForm && arePlaces;
  } catch {
    return false;
  }
}

/** The parts of a lane's key. */
export function partsOf(key: string): LaneParts {
  const [queue, what] = JSON.parse(key) as [string, string | readonly [string]];
  return typeof what === 'string' ? { queue, taskVersion: what, isComposite: false } : { queue, taskVersion: what[0], isComposite: true };
}

/** The places that each job of a lane needs. */
export function placesIn(key: string): Places {
  const [, , places] = JSON.parse(key) as readonly [string, unknown, readonly string[] | string];
  if (typeof places === 'string') return {};
  return Object.fromEntries(
    places.map((place) => [place.slice(0, place.lastIndexOf(':')), Number(place.slice(place.lastIndexOf(':') + 1))]),
  );
}
