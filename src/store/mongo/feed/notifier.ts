/** Notifies the listeners of this process of its own writes, and of those of others that the server reports. */

import { ObjectId } from 'mongodb';
import { firstValueFrom, Observable } from 'rxjs';
import { nextTurn } from '../../../clock.js';
import type { JobRecord } from '../../../job/job-record.js';
import type { JobReference } from '../../../job/job-reference.js';
import { isFinal } from '../../../job/job-status.js';
import type { ChangeFilter, StoreChange } from '../../store-changes.js';
import { queueIn, Topics, topicOf } from '../../topics.js';
import type { ServerTime } from '../driver/server-time.js';
import type { AttemptReports } from '../jobs/attempt-reports.js';
import { referenceOf, toRecord } from '../jobs/job-codec.js';
import type { Collections } from '../schema/collections.js';
import type { JobDocument } from '../schema/documents.js';

/** The number of turns of the event loop for which jobs to be read are gathered. */
const GATHER_TURNS = 3;

export interface NotifierSources {
  readonly collections: Collections;
  readonly notes: AttemptReports;
  readonly time: ServerTime;
  /** Is called with a lane in which a job waits. */
  readonly onPending: (lane: string) => void;
  /** Is called with a job whose every change is to be reported. */
  readonly follow: (id: string) => void;
  readonly unfollow: (id: string) => void;
  /** Is called with a queue for which nobody here asks for work any more. */
  readonly onLeft: (queue: string) => void;
  /** Ends a job that was claimed ahead and has not begun. @returns whether it was one */
  readonly dropAhead: (id: string, reason: string | undefined) => boolean;
}

export class Notifier {
  readonly #topics: Topics;
  /** Jobs that somebody watches and that have to be read, and those that are being read. */
  readonly #unread = new Set<string>();
  readonly #reading = new Set<string>();
  #isReading = false;
  readonly #pending = new Set<Promise<void>>();
  /** Jobs queued here in this turn: nothing can have become of them yet. */
  readonly #fresh = new Map<string, JobDocument>();

  constructor(private readonly sources: NotifierSources) {
    this.#topics = new Topics((topic) => {
      const queue = queueIn(topic);
      if (queue !== undefined) sources.onLeft(queue);
    });
  }

  /** A job waits now: for its turn, or for its time. */
  waits(job: JobDocument): void {
    if (job.status === 'pending') {
      this.sources.onPending(job.lane);
      this.work(job.queue);
    } else if (job.status === 'scheduled' && job.dueAt !== undefined) this.due(job.dueAt);
    if (job.pendingBeginBy !== undefined) this.due(job.pendingBeginBy);
  }

  /** A lane in which something waits, as a look at the store found. */
  found(lane: string): void {
    this.sources.onPending(lane);
    const [queue] = JSON.parse(lane) as [string];
    this.work(queue);
  }

  /** There is something to be claimed of a queue. */
  work(queue: string): void {
    this.#topics.emit(topicOf({ work: queue }), { type: 'work' });
  }

  /** Whether this process has a listener for work of a queue. */
  isLookedAfter(queue: string): boolean {
    return this.#topics.isHeard(topicOf({ work: queue }));
  }

  /** A job was queued here just now: a watcher that subscribes in this turn misses nothing. */
  queued(job: JobDocument): void {
    if (this.#fresh.size === 0) nextTurn().subscribe(() => this.#fresh.clear());
    this.#fresh.set(job._id.toHexString(), job);
    this.waits(job);
  }

  /** Something is due at a time of the server's. */
  due(at: Date): void {
    this.#topics.emit(topicOf({ due: true }), { type: 'due', at: this.sources.time.here(at) });
  }

  /** A round has seen that jobs wait for long. */
  longWait(): void {
    this.#topics.emit(topicOf({ longWaits: 'here' }), { type: 'long-wait' });
  }

  /** There may be room for jobs of every queue that somebody here looks after. */
  room(): void {
    for (const topic of this.#topics.heard) if (queueIn(topic) !== undefined) this.#topics.emit(topic, { type: 'work' });
  }

  cancel({ _id, owner, cancel }: JobDocument): void {
    if (owner !== undefined) this.cancelOf(owner, _id.toHexString(), cancel?.reason);
  }

  cancelOf(owner: string, id: string, reason: string | undefined): void {
    if (this.sources.dropAhead(id, reason)) return;
    this.#topics.emit(topicOf({ cancelsOf: owner }), { type: 'cancel', id, reason });
  }

  /** A job was written: its watchers get its new state, which is read first if it is not known. */
  changed(job: Pick<JobDocument, '_id'> | JobDocument): void {
    const id = job._id.toHexString();
    this.#fresh.delete(id);
    if (!this.#topics.isHeard(id)) return;
    const isWhole = 'status' in job && job.outcome?.steps !== true && job.isTransactional !== true;
    if (isWhole && !this.#unread.has(id) && !this.#reading.has(id)) this.#tellJob(job);
    else this.#readSoon(id);
  }

  /** Reads all jobs that are watched, in case a notification of them was lost. */
  readAll(): void {
    for (const topic of this.#topics.heard) if (ObjectId.isValid(topic)) this.#readSoon(topic);
  }

  /** Whether anything here listens to every outcome that is recorded here. */
  get areOutcomesHeard(): boolean {
    return this.#topics.isHeard(topicOf({ outcomes: 'here' }));
  }

  /** An outcome was recorded here. */
  outcome(job: JobDocument): void {
    this.changed(job);
    if (this.areOutcomesHeard) this.track(this.#tellOutcome(job));
    if (job.outcome?.kind === 'failed') this.#topics.emit(topicOf({ failures: 'here' }), { type: 'job', record: toRecord(job) });
  }

  listen(interest: ChangeFilter): Observable<StoreChange> {
    if ('job' in interest) return this.#jobChanges(interest.job, true);
    return 'ended' in interest ? this.#jobChanges(interest.ended, false) : this.#topics.changes(topicOf(interest));
  }

  /** The record of a document, with the steps of a batch whose result they are. */
  async recordOf(job: JobDocument): Promise<JobRecord> {
    const [noted = job] = await this.sources.notes.addTo([job]);
    const steps = await this.stepsOf(job);
    return toRecord(steps.length === 0 ? noted : { ...noted, stepsOf: steps });
  }

  async stepsOf(job: JobDocument): Promise<readonly JobReference[]> {
    if (job.outcome?.steps !== true) return [];
    const batch = job.kind === 'serial' || job.kind === 'parallel' ? job._id : job.followedJob;
    const steps = await this.sources.collections.jobs.find<Pick<JobDocument, '_id' | 'taskName'>>(
      { parent: batch ?? job._id, role: 'step' },
      { sort: { position: 1 }, projection: { taskName: 1 } },
    );
    return steps.map(referenceOf);
  }

  /** Resolves when all notifications have been sent. */
  async idle(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending);
  }

  complete(): void {
    this.#topics.completeAll();
  }

  /** Work that nobody waits for, but `idle` does. */
  track(work: Promise<void>): void {
    const tracked = work.catch(() => undefined).finally(() => this.#pending.delete(tracked));
    this.#pending.add(tracked);
  }

  async #tellOutcome(job: JobDocument): Promise<void> {
    this.#topics.emit(topicOf({ outcomes: 'here' }), { type: 'job', record: await this.recordOf(job) });
  }

  /** The jobs of one turn are read together; a job that changes meanwhile is read again. */
  #readSoon(id: string): void {
    this.#unread.add(id);
    if (this.#isReading) return;
    this.#isReading = true;
    const done = (): void => {
      this.#isReading = false;
      // A job may have been added after the last look at the unread ones.
      const [late] = this.#unread;
      if (late !== undefined) this.#readSoon(late);
    };
    this.track(this.#read().finally(done));
  }

  async #read(): Promise<void> {
    while (this.#unread.size > 0) {
      // Events of one answer of the server come one after the other, and are read about together.
      for (let turns = 0; turns < GATHER_TURNS; turns++) await firstValueFrom(nextTurn());
      const ids = [...this.#unread];
      this.#unread.clear();
      for (const id of ids) this.#reading.add(id);
      try {
        await this.#tellEach(ids);
      } catch {
        // The next look at all that are watched reads them.
        return;
      } finally {
        this.#reading.clear();
      }
    }
  }

  async #tellEach(ids: readonly string[]): Promise<void> {
    const found = await this.sources.collections.jobs.causal.find({ _id: { $in: ids.map((id) => new ObjectId(id)) } });
    const gone = new Set(ids);
    for (const job of await this.sources.notes.addTo(found)) {
      gone.delete(job._id.toHexString());
      if (job.outcome?.steps === true) this.#tellRecord(await this.recordOf(job));
      else this.#tellJob(job);
    }
    for (const id of gone) this.#topics.complete(id);
  }

  #tellJob(job: JobDocument): void {
    this.#tellRecord(toRecord(job));
  }

  #tellRecord(record: JobRecord): void {
    this.#topics.emit(record.job.id, { type: 'job', record });
  }

  /** As it is now, then after each change, until it is final. */
  #jobChanges(id: string, isFull: boolean): Observable<StoreChange> {
    return new Observable((subscriber) => {
      if (!ObjectId.isValid(id)) return subscriber.complete();
      const fresh = this.#fresh.get(id);
      // This process is notified of the end of a job that it queued in any case.
      if (isFull || fresh === undefined) this.sources.follow(id);
      const subscription = this.#topics.changes(id).subscribe({
        next: (change) => {
          subscriber.next(change);
          if (change.type === 'job' && isFinal(change.record.state.status)) subscriber.complete();
        },
        complete: () => subscriber.complete(),
      });
      if (fresh === undefined) this.changed({ _id: new ObjectId(id) });
      else subscriber.next({ type: 'job', record: toRecord(fresh) });
      subscription.add(() => {
        if (!this.#topics.isHeard(id)) this.sources.unfollow(id);
      });
      return subscription;
    });
  }
}
