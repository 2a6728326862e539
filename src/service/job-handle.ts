/** A job in the hand of the application: a view of its record, the same in every process. */

import { inspect } from 'node:util';
import { map, type Observable, tap } from 'rxjs';
import { checkOption, checkOptions, is } from '../check.js';
import { JobCancelledError, JobFailedError, JobNotFoundError, NotRunningError, WaitTimeoutError } from '../errors.js';
import { referenceKey, type result } from '../job/future.js';
import { type JobDetails, jobDetails } from '../job/job-details.js';
import type { CallbackPlan } from '../job/job-plan.js';
import type { JobRecord, Progress } from '../job/job-record.js';
import type { JobReference } from '../job/job-reference.js';
import { isFinal, type Status } from '../job/job-status.js';
import { type Metadata, NO_METADATA } from '../job/metadata.js';
import { type Outcome, readOutcome } from '../job/outcome.js';
import type { Revive } from '../job/payload.js';
import { revivedError, type StoredError } from '../job/stored-error.js';
import type { ChangeFilter } from '../store/store-changes.js';
import { type CurrentTask, taskAround, untilAborted } from '../task/current-task.js';
import { bindContext } from './bind-context.js';
import { problemOfWaiting } from './deadlock.js';
import { explain, explanations } from './explain.js';
import type { Explanation } from './explanation.js';
import { GuardedObservable } from './guarded-observable.js';
import type { CallbackFor, CallbackResult, Callbacks, CallbacksResult, Job, JobSnapshot, WaitOptions } from './job.js';
import { described, type JobAccess, reviver, type Sighting, see, sightings } from './job-access.js';
import { callbackPlan, callbacksPlan } from './job-draft.js';
import { WAIT_RULES, waitForEnd } from './wait-for-end.js';

export class JobHandle implements Job<unknown> {
  declare readonly [result]: unknown;
  readonly [referenceKey]: JobReference;
  readonly #access: JobAccess;
  #last: Sighting | undefined;
  #outcome: { readonly of: JobRecord; readonly outcome: Outcome<unknown> } | undefined;

  readonly isExisting: boolean;

  /**
   * @param last - `undefined` for a job that a stored value names, but that is gone
   * @param isExisting - whether it was found where another was to be queued
   */
  constructor(access: JobAccess, reference: JobReference, last: Sighting | undefined, isExisting = false) {
    this.isExisting = isExisting;
    this[referenceKey] = reference;
    this.#access = access;
    this.#last = last;
  }

  get id(): string {
    return this[referenceKey].id;
  }

  get taskName(): string {
    return this.#last?.record.job.taskName ?? this[referenceKey].taskName;
  }

  /** Those of a log line about the job, as last seen, if it was. */
  get details(): JobDetails | undefined {
    const record = this.#last?.record;
    return record === undefined ? undefined : jobDetails(record.job, record.state.attempts);
  }

  get status(): Status {
    return this.#seen.record.state.status;
  }

  get metadata(): Metadata {
    return this.#seen.record.job.metadata ?? NO_METADATA;
  }

  get attempts(): number {
    return this.#seen.record.state.attempts;
  }

  get progress(): Progress | undefined {
    return this.#seen.record.state.progress;
  }

  get annotations(): Readonly<Record<string, unknown>> {
    const { annotations = {} } = this.#seen.record.state;
    return Object.fromEntries(Object.entries(annotations).map(([key, value]) => [key, value.read(this.#revive())]));
  }

  get retriedAs(): string | undefined {
    return this.#seen.record.state.retriedAs;
  }

  get result(): unknown {
    return this.outcome?.status === 'completed' ? this.outcome.result : undefined;
  }

  get error(): StoredError | undefined {
    return this.outcome?.status === 'failed' ? this.outcome.error : undefined;
  }

  get outcome(): Outcome<unknown> | undefined {
    const { record } = this.#seen;
    const { status, outcome } = record.state;
    if (outcome === undefined || !isFinal(status)) return undefined;
    if (this.#outcome?.of !== record) this.#outcome = { of: record, outcome: readOutcome(outcome, this.#revive()) };
    return this.#outcome.outcome;
  }

  get snapshot(): JobSnapshot<unknown> {
    const { id, attempts, progress, annotations, outcome } = this;
    const seen = { ...described(this.#seen.record), id, attempts, progress, annotations };
    return Object.freeze(outcome === undefined ? { ...seen, status: this.status as 'active' } : { ...seen, ...outcome });
  }

  get changes(): Observable<JobSnapshot<unknown>> {
    this.#access.checkThere?.(this.id);
    const snapshots = this.#sightings({ job: this.id }).pipe(
      bindContext(),
      map(() => this.snapshot),
    );
    return new GuardedObservable(snapshots, this.#access.logger, () => this.details);
  }

  async refresh(): Promise<JobSnapshot<unknown>> {
    this.#access.checkThere?.(this.id);
    const [record] = await this.#access.store.find({ ids: [this.id] });
    if (record === undefined) throw this.#gone();
    this.#last = await see(record, this.#access.store);
    return this.snapshot;
  }

  async waitForResult(options: WaitOptions = {}): Promise<unknown> {
    const outcome = await this.waitForOutcome(options);
    if (outcome.status === 'completed') return outcome.result;
    if (outcome.status === 'cancelled') throw new JobCancelledError(this.id, this.taskName, outcome.reason);
    throw new JobFailedError(this.id, this.taskName, revivedError(outcome.error));
  }

  async waitForOutcome(options: WaitOptions = {}): Promise<Outcome<unknown>> {
    checkOptions<WaitOptions>('the options of waiting', options, WAIT_RULES);
    const task = taskAround();
    for (const signal of [options.signal, task?.signal]) signal?.throwIfAborted();
    this.#access.checkThere?.(this.id);
    if (this.#last === undefined) throw this.#gone();
    if (this.outcome !== undefined) return this.outcome;
    if (task !== undefined) await untilAborted(this.#checkMayEnd(task), task.signal);
    return this.#untilEnded(options, task?.signal);
  }

  async explain(): Promise<Explanation> {
    this.#access.checkThere?.(this.id);
    const explanation = await explain(this.id, this.#access.store);
    if (explanation === undefined) throw this.#gone();
    return explanation;
  }

  get explanations(): Observable<Explanation> {
    this.#access.checkThere?.(this.id);
    return new GuardedObservable(explanations(this.id, this.#access).pipe(bindContext()), this.#access.logger, () => this.details);
  }

  async addCallback<C extends CallbackFor<Outcome<unknown>>>(callback: C): Promise<Job<CallbackResult<C>>> {
    return this.#add({ both: callbackPlan(callback, 'outcome') }) as Promise<Job<CallbackResult<C>>>;
  }

  async addCallbacks<const C extends Callbacks<unknown>>(callbacks: C): Promise<Job<CallbacksResult<unknown, C>>> {
    return this.#add(callbacksPlan(callbacks)) as Promise<Job<CallbacksResult<unknown, C>>>;
  }

  async cancel(reason?: string): Promise<void> {
    if (reason !== undefined) checkOption('`cancel`', 'reason', reason, is.labelOrEmpty);
    this.#access.checkThere?.(this.id);
    await this.#access.store.cancel([this.id], reason);
    const [record] = await this.#access.store.find({ ids: [this.id] });
    if (record !== undefined) this.#last = await see(record, this.#access.store);
  }

  async retry(): Promise<Job<unknown>> {
    this.#access.checkThere?.(this.id);
    const again = await this.#access.retry(this.id);
    await this.refresh().catch(() => undefined);
    return again;
  }

  toJSON(): object {
    return { id: this.id, taskName: this.taskName, status: this.#last?.record.state.status };
  }

  /** The text that `console.log` shows. */
  [inspect.custom](): string {
    return `Job ${this.id} (${this.taskName}, ${this.#last?.record.state.status ?? 'gone'})`;
  }

  async #add(plan: CallbackPlan): Promise<Job<unknown>> {
    return this.#access.addCallback(plan, this.#seen.record);
  }

  /** Each change of the record, with everything that is needed to read it, in order. */
  #sightings(interest: ChangeFilter): Observable<Sighting> {
    const { store, changes } = this.#access;
    return changes(interest).pipe(
      sightings(store),
      tap((sighting) => {
        this.#last = sighting;
      }),
    );
  }

  /** Where the store cannot be read now, the wait will show. */
  async #checkMayEnd({ job }: CurrentTask): Promise<void> {
    const problem = await problemOfWaiting(job.id, this.id, this.#access.store).catch(() => undefined);
    if (problem !== undefined) throw problem;
  }

  #untilEnded(options: WaitOptions, around: AbortSignal | undefined): Promise<Outcome<unknown>> {
    const { clock } = this.#access;
    const changes = this.#sightings({ ended: this.id });
    const late = (timeoutMs: number): WaitTimeoutError =>
      new WaitTimeoutError(`job ${this.id} (${this.taskName}) has not ended within ${timeoutMs} ms; it is ${this.status}, and goes on`);
    return waitForEnd({ changes, outcome: () => this.outcome, lastWord: () => this.#lastWord(), late, clock, around }, options);
  }

  get #seen(): Sighting {
    if (this.#last === undefined) throw this.#gone();
    return this.#last;
  }

  #revive(): Revive {
    return reviver(this.#seen.named, (named, sighting) => new JobHandle(this.#access, named, sighting));
  }

  #gone(): JobNotFoundError {
    return new JobNotFoundError(
      `job ${this.id} (${this[referenceKey].taskName}) is not there: it was never queued, or its retention is over`,
    );
  }

  /** When there are no more changes: it may have ended without a notification. */
  async #lastWord(): Promise<Outcome<unknown>> {
    const lost = this.#lost();
    await this.refresh().catch(() => undefined);
    if (this.outcome === undefined) throw lost;
    return this.outcome;
  }

  /** Why there are no more changes, although it has not ended. */
  #lost(): NotRunningError | JobNotFoundError {
    if (this.#access.isRunning()) return this.#gone();
    return new NotRunningError(`job ${this.id} (${this.taskName}) cannot be waited for any longer: the service was stopped`);
  }
}
