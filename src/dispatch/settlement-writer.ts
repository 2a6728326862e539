/** Writes the ends of attempts, many at a time, and does not give up while the store cannot be reached. */

import { BehaviorSubject, filter, firstValueFrom, race, timer } from 'rxjs';
import type { Clock } from '../clock.js';
import type { JobTree } from '../job/job-record.js';
import { GroupCommit } from '../store/async/group-commit.js';
import type { JobStore } from '../store/job-store.js';
import type {
  AttemptKey,
  AttemptReport,
  InsertResult,
  ReleaseRequest,
  RescheduleRequest,
  RescheduleResult,
  Settlement,
} from '../store/store-messages.js';
import type { Logger } from '../task/logger.js';
import { Reports } from './reports.js';

/** Between two tries to write. */
const RETRY_MS = 1_000;

export interface SettlementWriterSources {
  readonly store: JobStore;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class SettlementWriter {
  readonly #ends: GroupCommit<Settlement, boolean>;
  readonly #agains: GroupCommit<RescheduleRequest, RescheduleResult | undefined>;
  readonly #holds: GroupCommit<ReleaseRequest, undefined>;
  readonly #reports: Reports;
  readonly #insert: (trees: readonly JobTree[]) => Promise<readonly InsertResult[]>;
  /** The writes under way, with all their retries. */
  readonly #writing = new Set<AttemptKey>();
  readonly #hasGivenUp = new BehaviorSubject(false);

  constructor(private readonly sources: SettlementWriterSources) {
    const { store } = sources;
    // At once: the work is over, so its places are free for others while the end is still being written.
    this.#ends = new GroupCommit(
      this.#persistently('the ends of attempts', (ends) => store.settle(ends)),
      { oneAtATime: false },
    );
    this.#agains = new GroupCommit<RescheduleRequest, RescheduleResult | undefined>(
      this.#persistently('new attempts', (agains) => store.reschedule(agains)),
    );
    this.#holds = new GroupCommit(this.#persistently('jobs that are handed back', (holds) => store.release(holds).then(() => [])));
    this.#insert = this.#persistently('jobs that a task returned', async (trees) => {
      const answers = await store.insert(trees);
      for (const answer of answers) if ('failed' in answer) throw answer.failed;
      return answers;
    });
    this.#reports = new Reports((reports) => this.#report(reports));
  }

  settle(end: Settlement): Promise<boolean> {
    return this.#written(end, this.#ends);
  }

  /** @returns `undefined` where it was given up */
  reschedule(again: RescheduleRequest): Promise<RescheduleResult | undefined> {
    return this.#written(again, this.#agains);
  }

  async release(hold: ReleaseRequest): Promise<void> {
    await this.#written(hold, this.#holds);
  }

  /** The attempts about which something is being written. */
  get writing(): Iterable<AttemptKey> {
    return this.#writing;
  }

  /** Queues jobs that a task returned as a draft. @returns `undefined` where it was given up */
  async insert(tree: JobTree): Promise<InsertResult | undefined> {
    const [inserted] = await this.#insert([tree]);
    return inserted;
  }

  /** Progress and annotations: only the latest is written. */
  report(report: AttemptReport): void {
    this.#reports.add(report);
  }

  /** Whether something that an attempt has reported is still to be written; its end must not overtake that. */
  hasUnwritten(attempt: AttemptKey): boolean {
    return this.#reports.has(attempt);
  }

  /** Resolves when everything that an attempt has reported until now is written. */
  reported(attempt: AttemptKey): Promise<void> {
    return this.#reports.written(attempt);
  }

  /** Drops the records that could not be written yet, and later ones that fail: other processes recover their jobs. */
  giveUp(): void {
    this.#hasGivenUp.next(true);
  }

  get isIdle(): boolean {
    return this.#ends.isIdle && this.#agains.isIdle && this.#holds.isIdle && this.#reports.isIdle;
  }

  /** Resolves when everything is written. */
  async idle(): Promise<void> {
    await Promise.all([this.#ends.idle(), this.#agains.idle(), this.#holds.idle(), this.#reports.idle()]);
  }

  async #report(reports: readonly AttemptReport[]): Promise<void> {
    const { store, logger } = this.sources;
    try {
      await store.report(reports);
    } catch (error) {
      logger.warn('progress could not be written', { err: error, jobIds: reports.map(({ id }) => id) });
      throw error;
    }
  }

  async #written<T extends AttemptKey, R>(item: T, group: GroupCommit<T, R>): Promise<R> {
    this.#writing.add(item);
    try {
      return await group.add(item);
    } finally {
      this.#writing.delete(item);
    }
  }

  #persistently<T, R>(what: string, write: (items: readonly T[]) => Promise<readonly R[]>) {
    const { clock, logger } = this.sources;
    return async (items: readonly T[]): Promise<readonly R[]> => {
      for (;;) {
        try {
          return await write(items);
        } catch (error) {
          if (this.#hasGivenUp.value) return [];
          logger.error(`${what} could not be written; trying again in ${RETRY_MS} ms`, { err: error });
          await firstValueFrom(race(timer(RETRY_MS, clock.scheduler), this.#hasGivenUp.pipe(filter(Boolean))));
          if (this.#hasGivenUp.value) return [];
        }
      }
    };
  }
}
