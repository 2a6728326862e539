/** The two decisions about leased places: whether a dispatcher asks for more, and how many idle places it gives up. */

import type { Need } from './allocation.js';

/**
 * How a dispatcher waits for places: it lacks some for its first job, so others give theirs up; or its own suffice for its jobs one after
 * the other, and it takes only places for which others have no jobs.
 */
export type Wait = 'lacking' | 'for-idle';

export interface AskView {
  readonly need: Need;
  /** The places that the dispatcher has. */
  readonly had: {
    readonly places: number;
    readonly free: number;
    /** The server may count more places for it than it uses. */
    readonly isInDoubt: boolean;
  };
  /** How many places it could be given at once, as far as is known. */
  readonly room: number;
  /** Other dispatchers hold places, which may be idle. */
  readonly doOthersHold: boolean;
  /** It is noted as one that waits so, and will be for a while. */
  readonly isWaiting: (wait: Wait) => boolean;
}

/** @returns how a dispatcher asks for the places that its jobs need; `undefined` if it has them, or asking would bring nothing */
export function ask({ need, had, room, doOthersHold, isWaiting }: AskView): Wait | undefined {
  if (had.free >= need.all) return undefined;
  const wait = had.places >= need.first ? 'for-idle' : 'lacking';
  if (had.isInDoubt) return wait;
  const isFirstServed = had.free >= need.first;
  if (room <= 0 && (isFirstServed || (wait === 'for-idle' && !doOthersHold))) return undefined;
  // Two that wait would hand places to one another without end, if each asked again for too few of them.
  if (had.free + room < need.least && isWaiting(wait)) return undefined;
  return wait;
}

export interface IdleView {
  /** How many places of the dispatcher no attempt uses. */
  readonly free: number;
  /** How many more places are held by all than the quota has: it was made smaller. */
  readonly excess: number;
  /** A queue of the dispatcher has jobs that need the quota. */
  readonly isWanted: boolean;
  readonly doOthersLack: boolean;
  /** Others lack places, or take idle ones. */
  readonly couldOthersUse: boolean;
  /** How many of the idle places are saved for a job that has all its places of the quotas before this one. */
  readonly secured: number;
}

/** @returns how many idle places a dispatcher gives up */
export function surplus({ free, excess, isWanted, doOthersLack, couldOthersUse, secured }: IdleView): number {
  if (free <= 0) return 0;
  if (excess > 0) return Math.min(free, excess);
  const isOwn = !doOthersLack && (isWanted || !couldOthersUse);
  return isOwn ? 0 : Math.max(0, free - secured);
}
