/** The transitions of attempts: ended, tried again, handed back or interrupted; only with the right token. */

import { ConflictError, type MillraceError } from '../../errors.js';
import { afterFailure, afterInterruption, outcomeOfCancel, type Sequel } from '../../job/attempt-rule.js';
import { cannotFollow, type FollowProblem } from '../../job/job-errors.js';
import type { Changes, JobRecord, QueuedJob } from '../../job/job-record.js';
import { problemOfSize, storedBytes } from '../../job/job-size.js';
import type { StoredOutcome } from '../../job/outcome.js';
import { recordedError } from '../../job/stored-error.js';
import { taskVersionOf } from '../../job/task-version.js';
import type {
  AttemptInfo,
  AttemptKey,
  AttemptReport,
  FollowOutcome,
  ReleaseRequest,
  RescheduleRequest,
  RescheduleResult,
  Settlement,
} from '../store-messages.js';
import type { MemoryContext } from './memory-context.js';
import type { MemoryControls } from './memory-controls.js';
import type { MemorySession } from './memory-session.js';
import { WaitGraph } from './wait-graph.js';

/** The fields that a job loses when nobody runs it any more. */
const FREED = { owner: undefined, token: undefined } as const satisfies Changes;

export class AttemptTransitions {
  readonly #graph: WaitGraph;

  constructor(
    private readonly context: MemoryContext,
    private readonly controls: MemoryControls,
  ) {
    this.#graph = new WaitGraph(context);
  }

  /** Those that a dispatcher runs. */
  of(owner: string): readonly AttemptKey[] {
    const isOwn = ({ state }: JobRecord): boolean => state.owner === owner && state.status === 'active' && state.waitsFor === undefined;
    return [...this.context.table.all()].filter(isOwn).map(({ job: { id }, state: { token = '' } }) => ({ id, token }));
  }

  report({ progress, annotations, ...key }: AttemptReport): void {
    const record = this.#running(key);
    if (record === undefined) return;
    this.context.table.note(record, {
      progress: progress ?? record.state.progress,
      annotations: annotations === undefined ? record.state.annotations : { ...record.state.annotations, ...annotations },
    });
  }

  /** @returns whether the token was not stale */
  settle({ outcome, keepsPlaces = false, ...key }: Settlement): boolean {
    const record = this.#running(key);
    if (record === undefined) return false;
    if (outcome.status === 'follows') this.#follow(record, outcome);
    else this.context.completion.end(record, 'end', outcome, keepsPlaces);
    return true;
  }

  /**
   * As `settle`, but it ends with the commit of a transaction.
   * @throws why it could never follow the job that it returned, or that its result does not fit
   */
  stage(end: Settlement, session: MemorySession): boolean {
    if (!this.#mayCommit(end)) return false;
    const { outcome, id } = end;
    const problem =
      outcome.status === 'follows'
        ? this.#problemOfFollowing(id, outcome.job, session.jobOf(outcome.job))
        : this.#problemOfSize(id, outcome);
    if (problem !== undefined) throw problem;
    session.end(end);
    return true;
  }

  /** @throws ConflictError */
  checkMayCommit(end: Settlement): void {
    if (!this.#mayCommit(end)) throw new ConflictError(`cancelled job ${end.id}, or taken it over,`);
  }

  /** Whether it is still to end as its own process says. */
  #mayCommit(key: AttemptKey): boolean {
    const record = this.#running(key);
    return record !== undefined && record.state.cancel === undefined;
  }

  reschedule({ id, token, delayMs, error, seal }: RescheduleRequest): RescheduleResult {
    const running = this.#running({ id, token });
    if (running === undefined) return 'refused';
    const record = seal === undefined ? running : { ...running, job: { ...running.job, seal } };
    const { attempts, failures, lastError } = record.state;
    const isPaused = this.controls.isPaused(record.job.queue, taskVersionOf(record.job));
    const counted = { failures: failures + (error === undefined ? 0 : 1), lastError: error ?? lastError };
    const sequel = afterFailure(record.state, { delayMs, isPaused });
    if (sequel.next !== 'at-once') {
      this.#goOn(record, 'retryLater', sequel, counted);
      return sequel.next === 'end' ? 'refused' : 'later';
    }
    const attempt: AttemptInfo = { token: this.context.newToken(), number: attempts + 1, failures: counted.failures };
    this.context.table.move(record, 'rerun', 'active', {
      ...counted,
      token: attempt.token,
      attempts: attempt.number,
      startedAt: this.context.now(),
    });
    return attempt;
  }

  release({ id, token, hasBegun }: ReleaseRequest): void {
    const record = this.context.table.get(id);
    if (this.context.ledger.dropKept(id, token)) return this.context.completion.wakeAll();
    if (record?.state.status !== 'active' || record.state.token !== token || record.state.waitsFor !== undefined) return;
    const outcome = outcomeOfCancel(record.state);
    if (hasBegun) this.interrupt(record);
    else if (outcome !== undefined) this.context.completion.end(record, 'end', outcome);
    else {
      if (record.state.hasPlaces === undefined) this.context.completion.giveUpPlaces(id);
      this.context.table.move(record, 'handBack', 'pending', { ...FREED, startedAt: undefined, attempts: record.state.attempts - 1 });
    }
  }

  /** An attempt whose end nobody will record. */
  interrupt(record: JobRecord): void {
    const { job, state } = record;
    const sequel = afterInterruption(job, job.interruptionPolicy, state);
    const counted = { interruptions: state.interruptions + 1 };
    if (sequel.next === 'at-once') this.context.table.move(record, 'interrupt', 'pending', { ...counted, ...FREED, hasPlaces: true });
    else this.#goOn(record, 'interrupt', sequel, counted);
  }

  #goOn(
    record: JobRecord,
    move: 'retryLater' | 'interrupt',
    sequel: Exclude<Sequel, { readonly next: 'at-once' }>,
    counted: Changes,
  ): void {
    const { completion, table, now } = this.context;
    if (sequel.next === 'end') return completion.end(record, 'end', sequel.outcome);
    const freed = { ...counted, ...FREED, hasPlaces: undefined };
    completion.giveUpPlaces(record.job.id);
    if (sequel.next === 'in-line') table.move(record, move, 'pending', freed);
    else table.move(record, move, 'scheduled', { ...freed, dueAt: new Date(now().getTime() + sequel.delayMs) });
  }

  #follow(record: JobRecord, { job, isOwn = false }: FollowOutcome): void {
    const outcome = outcomeOfCancel(record.state);
    const problem = this.#problemOfFollowing(record.job.id, job);
    if (outcome !== undefined) {
      if (isOwn) this.context.completion.cancelId(job, record.state.cancel?.reason);
      this.context.completion.end(record, 'end', outcome);
    } else if (problem === undefined) this.context.completion.follow(record, job, isOwn);
    else this.context.completion.end(record, 'end', { status: 'failed', error: recordedError(problem) });
  }

  #problemOfSize(id: string, outcome: StoredOutcome): MillraceError | undefined {
    const record = this.context.table.get(id);
    return record === undefined ? undefined : problemOfSize(outcome, record.job, storedBytes(record));
  }

  /** @param staged - the job that was returned, if it is queued in the same transaction */
  #problemOfFollowing(id: string, other: string, staged?: QueuedJob): MillraceError | undefined {
    const isOwnCallback = staged?.role === 'callback' && staged.parent === id;
    const problem = isOwnCallback ? 'circular' : staged === undefined ? this.#obstacle(id, other) : undefined;
    return problem === undefined ? undefined : cannotFollow(id, other, problem);
  }

  #obstacle(id: string, other: string): FollowProblem | undefined {
    const [job, followed] = [this.context.table.get(id), this.context.table.get(other)];
    if (followed === undefined) return 'gone';
    if (job === undefined) return undefined;
    if (this.#graph.waitsFor(followed, job)) return 'circular';
    const quota = this.#graph.quotaHeldAround(job, followed);
    return quota === undefined ? undefined : { quota };
  }

  /** The job of a running attempt, if the token is not stale. */
  #running({ id, token }: AttemptKey): JobRecord | undefined {
    const record = this.context.table.get(id);
    return record?.state.status === 'active' && record.state.token === token && record.state.waitsFor === undefined ? record : undefined;
  }
}
