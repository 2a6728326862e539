/** What one dispatcher holds of one quota, as far as it can be sure. */

/** Its commands go one after the other; until one is answered, only what it leaves in any case counts. */
export class Share {
  inUse = 0;
  #n = 0;
  #v = 0;
  /** What the server has left at least, while a command is under way or was never answered. */
  #least: number | undefined;
  #isInDoubt = false;
  #line: Promise<unknown> = Promise.resolve();

  get n(): number {
    return this.#least ?? this.#n;
  }

  get free(): number {
    return this.n - this.inUse;
  }

  /** A command was not answered, so that the server may count more places for it than it uses: the next answer tells. */
  get isInDoubt(): boolean {
    return this.#isInDoubt;
  }

  /**
   * @param send - sends a command that leaves at least what is in use, and answers with what is held then;
   * its number rises with each, so that one which arrives late changes nothing
   * @param given - how many places in use the command gives to somebody else
   */
  change(send: (v: number, inUse: number) => Promise<number>, given = 0): Promise<void> {
    const changed = this.#line.then(() => this.#change(send, given));
    this.#line = changed.catch(() => undefined);
    return changed;
  }

  async #change(send: (v: number, inUse: number) => Promise<number>, given: number): Promise<void> {
    this.#least = Math.min(this.n, this.inUse) - given;
    this.inUse -= given;
    try {
      this.#n = await send(++this.#v, this.inUse);
      this.#least = undefined;
      this.#isInDoubt = false;
    } catch (error) {
      this.inUse += given;
      this.#isInDoubt = true;
      throw error;
    }
  }
}
