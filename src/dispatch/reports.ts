/** Keeps the latest reports of running attempts, and writes them for all attempts together, one write at a time. */

import type { AttemptKey, Report } from '../store/job-store.js';

type Unwritten = ReadonlyMap<string, Report>;

const NONE: Unwritten = new Map();

/** However often an attempt reports while one write is under way, the next has one report of it. */
export class Reports {
  #waiting = new Map<string, Report>();
  #underWay = NONE;
  #writing: Promise<void> | undefined;

  /** @param write - reports of a rejected write go with the next write, if there is one */
  constructor(private readonly write: (reports: readonly Report[]) => Promise<void>) {}

  add(report: Report): void {
    this.#keep(report, 'later');
    this.#writing ??= this.#flush();
  }

  get isIdle(): boolean {
    return this.#writing === undefined;
  }

  /** Whether something that an attempt has reported is not written yet. */
  has(attempt: AttemptKey): boolean {
    const key = keyOf(attempt);
    return this.#waiting.has(key) || this.#underWay.has(key);
  }

  /** Resolves when everything that an attempt has reported until now is written, or could not be: after two writes at most. */
  async written(attempt: AttemptKey): Promise<void> {
    for (let writes = 0; writes < 2 && this.has(attempt); writes++) {
      this.#writing ??= this.#flush();
      await this.#writing;
    }
    // A method that ignores its signal may report on and on.
    this.#waiting.delete(keyOf(attempt));
  }

  /** Resolves when nothing is being written. */
  async idle(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  #keep(report: Report, when: 'earlier' | 'later'): void {
    const key = keyOf(report);
    const other = this.#waiting.get(key);
    this.#waiting.set(key, when === 'later' ? merged(other, report) : merged(report, other));
  }

  /** Reports of one turn are written together. */
  async #flush(): Promise<void> {
    await Promise.resolve();
    const reports = this.#waiting;
    this.#underWay = reports;
    this.#waiting = new Map();
    const isWritten = await this.write([...reports.values()]).then(
      () => true,
      () => false,
    );
    const hasMore = this.#waiting.size > 0;
    if (!isWritten) for (const report of reports.values()) this.#keep(report, 'earlier');
    this.#underWay = NONE;
    this.#writing = hasMore ? this.#flush() : undefined;
  }
}

/** The last progress, and of each annotation the last value. */
function merged(earlier: Report | undefined, later: Report | undefined): Report {
  const { annotations, ...report } = { ...earlier, ...later } as Report;
  return annotations === undefined ? report : { ...report, annotations: { ...earlier?.annotations, ...later?.annotations } };
}

function keyOf({ id, token }: AttemptKey): string {
  return `${id} ${token}`;
}
