/** The members of the set, its primary, and its elections. */

import { Int32, Long, ObjectId } from 'mongodb';
import type { Doc } from '../values/value.js';

export const SET_NAME = 'rs0';

export class Topology {
  readonly hosts: string[] = [];
  #primary: number | undefined = 0;
  #term = 1;
  readonly #setVersion = 1;

  get primary(): number | undefined {
    return this.#primary;
  }

  get term(): number {
    return this.#term;
  }

  /** Rises with each election, so that clients know a primary that is no longer one. */
  get electionId(): ObjectId {
    return new ObjectId(`7fffffff${this.#term.toString(16).padStart(16, '0')}`);
  }

  isPrimary(member: number): boolean {
    return member === this.#primary;
  }

  stepDown(): void {
    this.#primary = undefined;
  }

  /** Elects the member after the last primary, or the only one again. */
  elect(member: number): void {
    this.#term++;
    this.#primary = member;
  }

  /** A member's description of itself and the set. */
  hello(member: number): Doc {
    const isPrimary = this.isPrimary(member);
    return {
      isWritablePrimary: isPrimary,
      secondary: !isPrimary,
      hosts: [...this.hosts],
      setName: SET_NAME,
      setVersion: new Int32(this.#setVersion),
      me: this.hosts[member] ?? '',
      ...(this.#primary === undefined ? {} : { primary: this.hosts[this.#primary] ?? '' }),
      ...(isPrimary ? { electionId: this.electionId } : {}),
    };
  }

  /** As `opTime` in answers. */
  get termValue(): Long {
    return Long.fromNumber(this.#term);
  }
}
