/** The places of one quota that a dispatcher wants beside those in use: each of its queues adds the places that its first job lacks. */

import type { Need } from './allocation.js';

/** How many places of a quota are saved, and how many of these are there already. */
export interface QuotaSavings {
  readonly setAside: number;
  readonly secured: number;
}

export class Demand {
  /** By queue whose jobs need the quota: how many places its first job lacks. */
  readonly #lacking = new Map<string, number>();
  #isAnnounced = false;

  /** No queue has jobs that need the quota. */
  get isEmpty(): boolean {
    return this.#lacking.size === 0;
  }

  /** Whether a queue waits for places. */
  get isLacking(): boolean {
    return [...this.#lacking.values()].some((n) => n > 0);
  }

  /** A queue asks now: until it has its answer, it lacks nothing. */
  begin(queue: string): void {
    this.#lacking.set(queue, 0);
  }

  /** A queue has its answer. */
  answered(queue: string, need: Need, free: number): void {
    this.#lacking.set(queue, free < need.first ? need.first : 0);
  }

  /** @returns whether the queue wanted any */
  withdraw(queue: string): boolean {
    return this.#lacking.delete(queue);
  }

  /**
   * Adds the places that other queues of the dispatcher lack, so that it waits for all of them, and the places saved for them. Places that
   * are only set aside are not for these jobs either: fewer than that would be given up at once, and asked for again.
   */
  withOthers(need: Need, { setAside, secured }: QuotaSavings): Need {
    const others = [...this.#lacking.values()].reduce((sum, n) => sum + n, secured);
    return { first: need.first + others, least: need.least + setAside, all: need.all + others };
  }

  /**
   * Whether a queue is to be notified that the places which its first job lacks are there. Once: otherwise two queues
   * that cannot use them would wake each other without end.
   * @param spare - how many places nobody else needs
   */
  announce(spare: number): boolean {
    const wasAnnounced = this.#isAnnounced;
    this.#isAnnounced = [...this.#lacking.values()].some((n) => n > 0 && n <= spare);
    return this.#isAnnounced && !wasAnnounced;
  }
}
