/**
 * Outlasts the conflicts that the attempts of one job meet in a row: with other transactions that are under way, or were left open by a
 * dead process.
 */

import { firstValueFrom, fromEvent, race, timer } from 'rxjs';
import { type Clock, elapsedMs } from '../clock.js';
import { type Conflicts, pauseAfterConflict } from '../job/conflict-rule.js';
import type { Attempt } from './attempt.js';
import { logConflict } from './retry-log.js';
import { type AttemptContext, type Conflict, judge, judgeConflict, type Verdict } from './verdict.js';

export interface ConflictSeriesSources {
  readonly clock: Clock;
  readonly random: () => number;
}

const LONGEST_PAUSE_MS = 5_000;

export class ConflictSeries {
  #conflicts: Conflicts | undefined;

  constructor(private readonly sources: ConflictSeriesSources) {}

  /**
   * Another attempt, which does not count, after a pause in which the job keeps its slot and its places. When conflicts go on for too
   * long, the last one is an error like any other.
   */
  async outlast({ thrown }: Conflict, attempt: Pick<Attempt, 'aborted' | 'signal'>, context: AttemptContext): Promise<Verdict> {
    const { clock, random } = this.sources;
    const now = elapsedMs(clock);
    const { since, count } = this.#conflicts ?? { since: now, count: 0 };
    const conflicts = { since, count: count + 1 };
    const pauseMs = pauseAfterConflict(conflicts, { now, random: random(), longestPauseMs: LONGEST_PAUSE_MS });
    this.#conflicts = pauseMs === undefined ? undefined : conflicts;
    if (pauseMs === undefined) return judge({ thrown }, undefined, context);
    logConflict(context, { thrown, count: conflicts.count });
    if (pauseMs > 0 && attempt.aborted === undefined)
      await firstValueFrom(race(timer(pauseMs, clock.scheduler), fromEvent(attempt.signal, 'abort')));
    const { aborted } = attempt;
    return aborted === undefined ? judgeConflict(thrown, context) : judge({ thrown: aborted.reason }, aborted, context);
  }

  /** An attempt has met no conflict. */
  end(): void {
    this.#conflicts = undefined;
  }
}
