/** When the lease of a dispatcher is over: it claims no more, and after a while others may declare it dead. */

/** Added to a lease before others may act on its end. */
export const GRACE_MS = 5_000;

export interface Lease {
  readonly leaseMs: number;
  readonly leaseUntil: Date;
  /** Since when it was renewed without a gap. */
  readonly since: Date;
}

/** Whether its dispatcher may claim. */
export function isHeld(lease: Pick<Lease, 'leaseUntil'> | undefined, now: Date): boolean {
  return lease !== undefined && lease.leaseUntil > now;
}

/**
 * Whether its dispatcher may declare others dead. Only one whose own lease has been held for its whole length may:
 * after a pause of the database or of the whole process nobody has, and everybody gets the time to renew.
 */
export function mayDeclareDead(own: Lease | undefined, now: Date): boolean {
  return own !== undefined && isHeld(own, now) && now.getTime() - own.since.getTime() >= own.leaseMs;
}

/** Whether others may take its dispatcher for dead. */
export function isOver({ leaseUntil }: Pick<Lease, 'leaseUntil'>, now: Date): boolean {
  return leaseUntil.getTime() + GRACE_MS < now.getTime();
}
