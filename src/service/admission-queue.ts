/** Checks whether jobs may be queued: asynchronous answers are taken in the order of the calls of one `runAs`, or one task. */

import type { Actor } from '../principal/actor.js';

export class AdmissionQueue {
  /** One queue for each actor: no principal waits for the admission of another. */
  readonly #last = new Map<Actor, Promise<void>>();
  readonly #waiting = new Set<(reason: unknown) => void>();

  /** Whether nobody waits for an answer. */
  get isEmpty(): boolean {
    return this.#last.size === 0;
  }

  /**
   * @param decision - `undefined` where it has been admitted already
   * @param actor - who queues; the application itself asks nobody
   * @returns what to wait for: the decision, and those before it; `undefined` where there is nothing to wait for
   */
  after(decision: Promise<void> | undefined, actor: Actor | undefined): Promise<void> | undefined {
    if (actor === undefined) return decision;
    const before = this.#last.get(actor);
    if (decision === undefined && before === undefined) return undefined;
    const turn = this.#unlessGivenUp(Promise.allSettled([before, decision]).then(() => decision));
    const last = turn
      .catch(() => undefined)
      .then(() => {
        if (this.#last.get(actor) === last) this.#last.delete(actor);
      });
    this.#last.set(actor, last);
    return turn;
  }

  /** Rejects the calls that wait: an answer may never come. */
  giveUp(reason: unknown): void {
    for (const reject of this.#waiting) reject(reason);
  }

  #unlessGivenUp(turn: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (): unknown => this.#waiting.delete(reject);
      this.#waiting.add(reject);
      turn.then(resolve, reject).then(done, done);
    });
  }
}
