/** An event of a dispatcher in its work with the store. */

import type { SealError } from '../errors.js';

export type DispatcherEvent =
  /** It has its lease, and takes jobs. */
  | { readonly type: 'started' }
  /** Heartbeats or claims fail. Running jobs go on as long as the lease holds. */
  | { readonly type: 'database-lost'; readonly error: unknown }
  /** They succeed again. */
  | { readonly type: 'database-back' }
  /** Others may take its jobs, which it has given up; it begins anew as soon as it can. */
  | { readonly type: 'lease-lost' }
  /** A defect: it has given its jobs up, and begins anew. */
  | { readonly type: 'failed'; readonly error: unknown }
  | { readonly type: 'stopped' }
  /** A job was not run, and has failed: its seal does not match it, or has expired. Told once, to those who listen then. */
  | { readonly type: 'refused'; readonly job: { readonly id: string; readonly taskName: string }; readonly error: SealError };

/** The text of each event; the details are in the event. */
export const DISPATCHER_EVENTS: Readonly<Record<DispatcherEvent['type'], string>> = Object.freeze({
  started: 'has begun to work',
  'database-lost': 'cannot reach the database, and goes on trying',
  'database-back': 'can reach the database again',
  'lease-lost': 'has lost its lease: its jobs are given up, and it begins anew',
  failed: 'failed, gives up its jobs and begins anew',
  stopped: 'has stopped',
  refused: 'has refused a job',
});
