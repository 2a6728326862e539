/** Whether what is to be queued may be: answers that have to be waited for are taken in the order of the calls. */

export class Admissions {
  #last: Promise<void> | undefined;

  /** Whether nobody waits for an answer. */
  get isEmpty(): boolean {
    return this.#last === undefined;
  }

  /**
   * @param decision - `undefined` where it has been admitted already
   * @returns what to wait for: the decision, and those before it; `undefined` where there is nothing to wait for
   */
  after(decision: Promise<void> | undefined): Promise<void> | undefined {
    if (decision === undefined && this.#last === undefined) return undefined;
    const turn = Promise.allSettled([this.#last, decision]).then(() => decision);
    const last = turn
      .catch(() => undefined)
      .then(() => {
        if (this.#last === last) this.#last = undefined;
      });
    this.#last = last;
    return turn;
  }
}
