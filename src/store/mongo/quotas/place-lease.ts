/**
 * The places of one quota that one dispatcher has, as far as it can be sure. Its commands go one after the other. It is certain    once the
 * last command was answered: the answer says how many places the server counts for it; asking     while a command is under way: only the
 * places that the command leaves in any case count: those in use; in doubt once a command was not answered, or not done: the same places
 * count, until the next answer.
 */
export class PlaceLease {
  inUse = 0;
  #places = 0;
  #version = 0;
  /** The fewest places that the server may have left it, while a command is under way or was never answered. */
  #least: number | undefined;
  #isInDoubt = false;
  #queue: Promise<unknown> = Promise.resolve();

  get places(): number {
    return this.#least ?? this.#places;
  }

  get free(): number {
    return this.places - this.inUse;
  }

  /** A command was not answered, or not done, so that the server may count more places for it than it uses: the next answer tells. */
  get isInDoubt(): boolean {
    return this.#isInDoubt;
  }

  /** Resolves when every command sent so far has been answered, or given up. */
  async answered(): Promise<void> {
    await this.#queue;
  }

  /**
   * @param send - sends a command that leaves at least the places in use; returns the places held then, or `undefined` if it changed
   *   nothing, since the lease was over. Its number rises with each command, so that a late one changes nothing
   * @param given - how many places in use the command gives to somebody else
   * @returns whether it was done
   */
  change(send: (version: number, inUse: number) => Promise<number | undefined>, given = 0): Promise<boolean> {
    const changed = this.#queue.then(() => this.#change(send, given));
    this.#queue = changed.catch(() => undefined);
    return changed;
  }

  async #change(send: (version: number, inUse: number) => Promise<number | undefined>, given: number): Promise<boolean> {
    this.#least = Math.min(this.places, this.inUse) - given;
    this.inUse -= given;
    const places = await send(++this.#version, this.inUse).catch((error: unknown) => {
      this.#placesotDone(given);
      throw error;
    });
    if (places === undefined) {
      this.#placesotDone(given);
      return false;
    }
    this.#places = places;
    this.#least = undefined;
    this.#isInDoubt = false;
    return true;
  }

  #placesotDone(given: number): void {
    this.inUse += given;
    this.#isInDoubt = true;
  }
}
