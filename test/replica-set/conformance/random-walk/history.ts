/** The actions and observations of the clients of a walk, as data that can be checked at the end. */

/** A document by collection and key, e.g. `left/3`. */
export type Name = string;

/** The version of each document that a transaction read before it wrote it. */
export type Versions = Map<Name, number>;

/** One transaction that was committed, or one write outside of transactions. */
export interface Committed {
  readonly id: string;
  readonly client: number;
  readonly reads: Versions;
  /** The last version that it gave to each document. */
  readonly writes: Versions;
}

/** One change as a stream showed it. */
export interface Shown {
  readonly id: string;
  readonly name: Name;
  readonly version: number;
}

export interface History {
  /** By client, in the order of its commits. */
  readonly committed: readonly (readonly Committed[])[];
  /** The events of each stream, in its order. */
  readonly shown: readonly (readonly Shown[])[];
  /** The versions that were there at the end. */
  readonly final: Versions;
}
