/** How a job ended: as stored, and as the application sees it. */

import type { JobReference } from './job-reference.js';
import type { Payload, Revive } from './payload.js';
import type { StoredError } from './stored-error.js';

/** How a job ended: completed with a result, failed with an error, or cancelled. */
export type Outcome<R> =
  | { readonly status: 'completed'; readonly result: R }
  | { readonly status: 'failed'; readonly error: StoredError }
  | { readonly status: 'cancelled'; readonly reason: string | undefined };

/** An outcome at rest. */
export type StoredOutcome = Outcome<Payload>;

/** The jobs that an outcome names, such as the steps of a batch. */
export function namedIn(outcome: StoredOutcome | undefined): readonly JobReference[] {
  return outcome?.status === 'completed' ? outcome.result.references : [];
}

/** The outcome as the application sees it, with a copy of its own. */
export function readOutcome(stored: StoredOutcome, revive: Revive): Outcome<unknown> {
  return stored.status === 'completed' ? { status: 'completed', result: stored.result.read(revive) } : stored;
}
