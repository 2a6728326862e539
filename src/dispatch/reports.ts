/** Keeps the latest reports of running attempts, and writes them for all attempts together, one write at a time. */

import type { Progress } from '../job/job-record.js';
import type { Payload } from '../job/payload.js';
import type { AttemptKey, AttemptReport } from '../store/store-messages.js';

/**
 * The last progress that an attempt has reported, and the last value of each annotation. It is added to in place, so that thousands cost
 * little.
 */
interface Latest {
  readonly attempt: AttemptKey;
  progress?: Progress;
  readonly annotations: Map<string, Payload>;
}

type Unwritten = ReadonlyMap<string, Latest>;

const NONE: Unwritten = new Map();

/** However often an attempt reports while one write is under way, the next has one report of it. */
export class Reports {
  #waiting = new Map<string, Latest>();
  #underWay = NONE;
  #writing: Promise<void> | undefined;

  /** @param write - reports of a rejected write go with the next write, if there is one */
  constructor(private readonly write: (reports: readonly AttemptReport[]) => Promise<void>) {}

  add({ id, token, progress, annotations = {} }: AttemptReport): void {
    const key = keyOf({ id, token });
    const latest: Latest = this.#waiting.get(key) ?? { attempt: { id, token }, annotations: new Map() };
    this.#waiting.set(key, latest);
    if (progress !== undefined) latest.progress = progress;
    for (const [name, value] of Object.entries(annotations)) latest.annotations.set(name, value);
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

  /** Of a write that was rejected. Later reports replace it. */
  #keep(key: string, earlier: Latest): void {
    const later = this.#waiting.get(key);
    const annotations = new Map([...earlier.annotations, ...(later?.annotations ?? [])]);
    this.#waiting.set(key, { ...earlier, ...later, annotations });
  }

  /** Reports of one turn are written together. */
  async #flush(): Promise<void> {
    await Promise.resolve();
    const reports = this.#waiting;
    this.#underWay = reports;
    this.#waiting = new Map();
    const isWritten = await this.write([...reports.values()].map(reportOf)).then(
      () => true,
      () => false,
    );
    const hasMore = this.#waiting.size > 0;
    if (!isWritten) for (const [key, latest] of reports) this.#keep(key, latest);
    this.#underWay = NONE;
    this.#writing = hasMore ? this.#flush() : undefined;
  }
}

function reportOf({ attempt, progress, annotations }: Latest): AttemptReport {
  return {
    ...attempt,
    ...(progress === undefined ? {} : { progress }),
    ...(annotations.size === 0 ? {} : { annotations: Object.fromEntries(annotations) }),
  };
}

function keyOf({ id, token }: AttemptKey): string {
  return `${id} ${token}`;
}
