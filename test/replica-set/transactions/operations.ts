/** The commands that are running, so that they can be interrupted. */

import type { ServerError } from '../server-error.js';
import type { Doc } from '../values/value.js';

export interface Operation {
  /** Monotonic time it must be done by. */
  readonly deadline: number | undefined;
  /** The `lsid` it was sent with. */
  readonly session: Doc | undefined;
  /** Why it should stop, once it should. */
  interruption: ServerError | undefined;
}

export class Operations {
  readonly #running = new Set<Operation>();

  begin(operation: Operation): void {
    this.#running.add(operation);
  }

  end(operation: Operation): void {
    this.#running.delete(operation);
  }

  get size(): number {
    return this.#running.size;
  }

  /** Interrupts those that `isMeant` picks; they notice when they wait. */
  interrupt(error: ServerError, isMeant: (operation: Operation) => boolean = () => true): void {
    for (const operation of this.#running) {
      if (isMeant(operation)) operation.interruption ??= error;
    }
  }
}
