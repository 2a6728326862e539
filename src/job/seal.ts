/** The seal of a job. */

/** Says that a job was queued as it is, by a process that has the key. */
export interface Seal {
  /** The name of the key. */
  readonly key: string;
  /** After this it is not run any more. */
  readonly expiresAt: Date;
  readonly mac: string;
}
