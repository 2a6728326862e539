/** Gathers writes asked for at the same time into one: those of one turn, and those that come while one is under way. */

type Write<T, R> = (items: readonly T[]) => Promise<readonly R[]>;

interface Waiting<T, R> {
  readonly item: T;
  readonly resolve: (result: R) => void;
  readonly reject: (error: unknown) => void;
}

/** One write is under way at a time, so what is added in order is written in order; nothing is delayed while idle. */
export class GroupCommit<T, R> {
  #waiting: Waiting<T, R>[] = [];
  #writing: Promise<void> | undefined;

  constructor(
    private readonly write: Write<T, R>,
    private readonly maxItems = 1_000,
  ) {}

  /** Resolves with what the write says of this item, once it is durable. */
  add(item: T): Promise<R> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      this.#writing ??= this.#flush();
    });
  }

  get isIdle(): boolean {
    return this.#writing === undefined;
  }

  /** Resolves when nothing waits or is being written. */
  async idle(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  async #flush(): Promise<void> {
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const group = this.#waiting.length <= this.maxItems ? this.#waiting : this.#waiting.slice(0, this.maxItems);
      this.#waiting = this.#waiting.slice(group.length);
      await this.#commit(group);
    }
    this.#writing = undefined;
  }

  async #commit(group: readonly Waiting<T, R>[]): Promise<void> {
    try {
      const results = await this.write(group.map(({ item }) => item));
      for (const [index, { resolve }] of group.entries()) resolve(results[index] as R);
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
  }
}
