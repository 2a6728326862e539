/** Gathers writes asked for at the same time into one: those of one turn, and those that come while one is under way. */

import { type Observable, Subject } from 'rxjs';

type Write<T, R> = (items: readonly T[]) => Promise<readonly R[]>;

interface Waiting<T, R> {
  readonly item: T;
  readonly resolve: (result: R) => void;
  readonly reject: (error: unknown) => void;
}

export interface GroupCommitOptions<T> {
  /** How many items go into one write at most. @default 1_000 */
  readonly maxItems?: number;
  /** How many bytes go into one write at most; a single item may have more. @default Infinity */
  readonly maxBytes?: number;
  /** About the bytes of an item; asked where `maxBytes` is given. @default 0 */
  readonly bytesOf?: (item: T) => number;
  /**
   * One write is under way at a time, so that items are written in the order of their addition. Otherwise each turn has a write of its own,
   * for a writer that keeps order and groups by itself. @default true
   */
  readonly oneAtATime?: boolean;
  /** Resolves when the waiting items must be written; gets their number, now and after each addition. @default at once */
  readonly linger?: (waiting: number, added: Observable<number>) => Promise<void>;
}

/** Nothing is delayed while idle. */
export class GroupCommit<T, R> {
  readonly #maxItems: number;
  readonly #maxBytes: number;
  readonly #bytesOf: (item: T) => number;
  readonly #oneAtATime: boolean;
  readonly #linger: GroupCommitOptions<T>['linger'];
  readonly #added = new Subject<number>();
  #waiting: Waiting<T, R>[] = [];
  #writing: Promise<void> | undefined;
  readonly #overlapping = new Set<Promise<void>>();

  constructor(
    private readonly write: Write<T, R>,
    { maxItems = 1_000, maxBytes = Number.POSITIVE_INFINITY, bytesOf = () => 0, oneAtATime = true, linger }: GroupCommitOptions<T> = {},
  ) {
    this.#maxItems = maxItems;
    this.#maxBytes = maxBytes;
    this.#bytesOf = bytesOf;
    this.#oneAtATime = oneAtATime;
    this.#linger = linger;
  }

  /** Resolves with the write's answer for this item, once it is durable. */
  add(item: T): Promise<R> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      this.#added.next(this.#waiting.length);
      this.#writing ??= this.#flush();
    });
  }

  get isIdle(): boolean {
    return this.#writing === undefined && this.#overlapping.size === 0;
  }

  /** Resolves when nothing waits or is being written. */
  async idle(): Promise<void> {
    while (!this.isIdle) await Promise.all([this.#writing, ...this.#overlapping]);
  }

  async #flush(): Promise<void> {
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      await this.#linger?.(this.#waiting.length, this.#added);
      const group = this.#waiting.slice(0, this.#together());
      this.#waiting = this.#waiting.slice(group.length);
      if (this.#oneAtATime) await this.#commit(group);
      else this.#overlap(this.#commit(group));
    }
    this.#writing = undefined;
  }

  /** How many of the waiting items go into the next write. */
  #together(): number {
    const most = Math.min(this.#waiting.length, this.#maxItems);
    if (this.#maxBytes === Number.POSITIVE_INFINITY) return most;
    let count = 0;
    for (let bytes = 0; count < most; count++) {
      bytes += this.#bytesOf((this.#waiting[count] as Waiting<T, R>).item);
      if (bytes > this.#maxBytes && count > 0) break;
    }
    return count;
  }

  #overlap(commit: Promise<void>): void {
    const overlapping = commit.finally(() => this.#overlapping.delete(overlapping));
    this.#overlapping.add(overlapping);
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
