/** The parts of a store that has been started, and how they are put together. */

import { ObjectId } from 'mongodb';
import { defer, interval, type Subscription } from 'rxjs';
import type { Clock } from '../../clock.js';
import type { JobDetails } from '../../job/job-details.js';
import type { Debounce } from '../../job/job-sealer.js';
import { replaceArguments } from '../../job/unique-key-rule.js';
import { BackgroundRetry } from '../async/background-retry.js';
import { BatchOpener } from './claim/batch-opener.js';
import { Claimer } from './claim/claimer.js';
import { DispatcherLeases } from './control/dispatcher-leases.js';
import { PauseControl } from './control/pause-control.js';
import { CommandDeadline } from './driver/command-deadline.js';
import type { ServerTime } from './driver/server-time.js';
import { SessionTransactions } from './driver/session-transactions.js';
import { type ChangeEvent, ChangeListener } from './feed/change-listener.js';
import { Notifier } from './feed/notifier.js';
import { OutcomeStream } from './feed/outcome-stream.js';
import { Inserter } from './insert/inserter.js';
import { MongoSchedules } from './insert/mongo-schedules.js';
import { SessionInserter } from './insert/session-inserter.js';
import { TreeBuilder } from './insert/tree-builder.js';
import { UniqueKeys } from './insert/unique-keys.js';
import { AttemptReports } from './jobs/attempt-reports.js';
import { JobCollection, ServerExpression } from './jobs/job-collection.js';
import { ClaimWrites } from './local/claim-writes.js';
import { Handoff } from './local/handoff.js';
import { KnownLanes } from './local/known-lanes.js';
import { LocalQueue } from './local/local-queue.js';
import { RunningAttempts } from './local/running-attempts.js';
import { DueJobs } from './maintenance/due-jobs.js';
import { FieldCare } from './maintenance/field-care.js';
import { JobCare } from './maintenance/job-care.js';
import { LeakAudit } from './maintenance/leak-audit.js';
import { Maintainer } from './maintenance/maintainer.js';
import { Rescuer } from './maintenance/rescuer.js';
import { MongoInsight } from './mongo-insight.js';
import type { CheckedMongoOptions } from './mongo-options.js';
import { JobPlaces } from './quotas/job-places.js';
import { PlaceLeases } from './quotas/place-leases.js';
import { PlaceUsage } from './quotas/place-usage.js';
import { QuotaCache } from './quotas/quota-cache.js';
import { NEXT_REVISION } from './quotas/quota-pipelines.js';
import { RateLimiter } from './quotas/rate-limiter.js';
import { type Cares, type Collections, openCollections } from './schema/collections.js';
import type { DispatcherDocument, JobDocument, NoteDocument, QuotaDocument, ScheduleDocument } from './schema/documents.js';
import { DISPATCHER_RULES, NOTE_RULES, QUOTA_RULES, SCHEDULE_RULES } from './schema/other-damage.js';
import { AttemptTransitions } from './settle/attempt-transitions.js';
import { CancelledBatches } from './settle/cancelled-batches.js';
import { Completion } from './settle/completion.js';
import { OwnerRelease } from './settle/owner-release.js';
import { SessionSettler } from './settle/session-settler.js';
import { Settler } from './settle/settler.js';
import { WaitGraph } from './settle/wait-graph.js';

/** Between two looks at the jobs that are watched here, in case news of them was lost. */
const POLL_MS = 5_000;

/** The lease of a dispatcher whose own is damaged: by its end the dispatcher has renewed it, or is dead. */
const FRESH_LEASE_MS = 30_000;

interface HeardOfQuota {
  readonly name: string;
  readonly quota: QuotaDocument | undefined;
  readonly rev: number | undefined;
}

export class StoreParts {
  readonly notifier: Notifier;
  readonly notes: AttemptReports;
  readonly quotas: QuotaCache;
  readonly pauses: PauseControl;
  readonly backgroundRetry: BackgroundRetry;
  readonly forget: (dispatcher: string) => void;
  readonly leases: DispatcherLeases;
  readonly completion: Completion;
  readonly transitions: AttemptTransitions;
  readonly settler: Settler;
  readonly sessionSettler: SessionSettler;
  readonly claimer: Claimer;
  readonly inserter: Inserter;
  readonly sessionInserter: SessionInserter;
  readonly schedules: MongoSchedules;
  readonly insight: MongoInsight;
  readonly inSession: Collections;
  readonly transactions: SessionTransactions;
  readonly maintainer: Maintainer;
  readonly rescuer: Rescuer;
  readonly jobs: JobCollection;
  readonly collections: Collections;
  readonly ownerRelease: OwnerRelease;
  readonly localQueue: LocalQueue;
  readonly listener: ChangeListener;
  readonly outcomes: OutcomeStream;
  readonly cancelled = new CancelledBatches();
  /** How debounced jobs are put off: as the service says. */
  putOff: Debounce = replaceArguments;
  /** Is called with what was wrong with a stored document. */
  onDamage: (message: string, details?: JobDetails) => void = () => {};
  #polling: Subscription | undefined;

  constructor(
    { client, sessions, database, prefix }: CheckedMongoOptions,
    clock: Clock,
    readonly time: ServerTime,
  ) {
    const process = new ObjectId().toHexString();
    const deadline = new CommandDeadline(clock);
    const cares = this.#cares(process);
    const transactions = new SessionTransactions(sessions, deadline, clock);
    const { causality } = transactions;
    const collections = openCollections(client, { database, prefix, deadline, causality, cares });
    const lanes = new KnownLanes();
    const notes = new AttemptReports(collections, time);
    const notifier = new Notifier({
      collections,
      notes,
      time,
      onPending: (lane) => lanes.ring(lane),
      follow: (id) => this.listener.follow(id),
      unfollow: (id) => this.listener.unfollow(id),
      onLeft: (queue) => notifier.track(placeLeases.leave(queue)),
      dropAhead: (id, reason) => this.#dropAhead(id, reason),
    });
    const jobs = new JobCollection(collections, (job) => notifier.changed(job));
    const leases = new DispatcherLeases(collections, time, () => this.pauses.refresh());
    const quotas = new QuotaCache({
      collections,
      time,
      onControl: (control) => this.pauses.notice(control),
      onSized: () => this.#followSizes(),
    });
    const onBackground = (work: Promise<void>): void => notifier.track(work);
    const onDamage: StoreParts['onDamage'] = (message, details) => this.onDamage(message, details);
    const backgroundRetry = new BackgroundRetry({ clock, onBackground });
    this.pauses = new PauseControl({
      clock,
      collections,
      leases,
      time,
      backgroundRetry,
      onChange: () => this.#followPauses(),
      onDamage,
      onBackground,
    });
    const { pauses } = this;
    const jobPlaces = new JobPlaces({ quotas, onFreed: () => notifier.room() });
    const placeLeases = new PlaceLeases({
      clock,
      quotas,
      time,
      leases,
      onFreed: () => notifier.room(),
      beforeGivingWay: (dispatcher) => localQueue.handBack(dispatcher),
      onBackground,
    });
    const placeUsage = new PlaceUsage({ placeLeases, onFreed: () => notifier.room(), onBackground });
    const rateLimiter = new RateLimiter({ clock, quotas, time, onFreed: () => notifier.room() });
    const ownerRelease = new OwnerRelease({ collections, clock, onBackground });
    const running = new RunningAttempts();
    const localQueue = new LocalQueue({ collections, clock, time, running, notifier, endCancelled: (job) => this.#endCancelled(job) });
    const claimWrites = new ClaimWrites({ localQueue, collections, leases, notifier, time, backgroundRetry, placeUsage });
    const handoff = new Handoff({ jobs, leases, notifier, pauses, claimWrites });
    const graph = new WaitGraph(jobs, quotas);
    const { cancelled } = this;
    const completion = new Completion({
      cancelled,
      collections,
      graph,
      jobs,
      placeLeases,
      jobPlaces,
      handoff,
      time,
      notifier,
      ownerRelease,
      backgroundRetry,
      process,
    });
    const transitions = new AttemptTransitions({
      jobs,
      placeUsage,
      jobPlaces,
      completion,
      time,
      notifier,
      notes,
      pauses,
      graph,
      running,
      localQueue,
      ownerRelease,
      process,
    });
    const batchOpener = new BatchOpener({
      collections,
      jobPlaces,
      leases,
      notifier,
      ownerRelease,
      placeUsage,
      completion,
      time,
      backgroundRetry,
    });
    const claimer = new Claimer({
      localQueue,
      transitions,
      cancelled,
      collections,
      handoff,
      lanes,
      leases,
      notifier,
      batchOpener,
      pauses,
      running,
      placeLeases,
      rateLimiter,
      claimWrites,
      completion,
      time,
      backgroundRetry,
      placeUsage,
    });
    const forget = (dispatcher: string): void => {
      for (const part of [placeLeases, placeUsage, running, localQueue, handoff, claimer]) part.forget(dispatcher);
    };
    this.localQueue = localQueue;
    this.collections = collections;
    this.notifier = notifier;
    this.notes = notes;
    this.jobs = jobs;
    this.leases = leases;
    this.quotas = quotas;
    this.backgroundRetry = backgroundRetry;
    this.completion = completion;
    this.transitions = transitions;
    this.settler = new Settler({ localQueue, clock, collections, jobs, running, placeUsage, completion, time, notifier, process });
    this.claimer = claimer;
    const inSession = sessions === client ? collections : openCollections(sessions, { database, prefix, deadline, causality, cares });
    this.inSession = inSession;
    this.transactions = transactions;
    const forEnds = {
      localQueue,
      transitions,
      inSession,
      jobs,
      notes,
      running,
      completion,
      time,
      transactions,
      backgroundRetry,
      placeUsage,
      process,
    };
    this.sessionSettler = new SessionSettler(forEnds);
    const ownTransactions = sessions === client ? transactions : transactions.through(client);
    const listen = (): void => this.listen();
    const treeBuilder = new TreeBuilder(time, process);
    const putOff: Debounce = (job, by) => this.putOff(job, by);
    const uniqueKeys = new UniqueKeys({ notifier, time, putOff });
    const forInserts = { treeBuilder, jobs, notifier, completion, time, backgroundRetry, uniqueKeys };
    this.inserter = new Inserter({ ...forInserts, collections, transactions: ownTransactions });
    this.sessionInserter = new SessionInserter({ ...forInserts, putOff, inSession, listen, transactions });
    this.schedules = new MongoSchedules({ inSession, sessionInserter: this.sessionInserter, time, transactions });
    const rescuer = new Rescuer({ transitions, collections, jobPlaces, leases, notifier, completion, time, forget });
    const leakAudit = new LeakAudit({ localQueue, collections, jobPlaces, notifier, quotas, rescuer, claimWrites, time });
    const dueJobs = new DueJobs({ collections, completion, time, backgroundRetry, onBackground, process });
    this.insight = new MongoInsight({ collections, quotas, rateLimiter, time });
    this.rescuer = rescuer;
    this.maintainer = new Maintainer({ leakAudit, collections, dueJobs, leases, notifier, quotas, rescuer, time });
    this.forget = forget;
    this.ownerRelease = ownerRelease;
    this.process = process;
    this.listener = new ChangeListener({
      collections,
      clock,
      process,
      onHeard: (heard) => this.#hear(heard),
      onOpened: () => this.#sweep(),
    });
    const here = defer(() => notifier.listen({ outcomes: 'here' }));
    this.outcomes = new OutcomeStream({ collections, clock, here, recordOf: (job) => notifier.recordOf(job) });
    this.#clock = clock;
    this.#placeLeases = placeLeases;
    this.#rateLimiter = rateLimiter;
  }

  readonly process: string;
  readonly #clock: Clock;
  readonly #placeLeases: PlaceLeases;
  readonly #rateLimiter: RateLimiter;

  /** Repairs damaged documents; created later, since it needs parts that need the collections. */
  #cares(process: string): Cares {
    const { time } = this;
    const onDamage: StoreParts['onDamage'] = (message, details) => this.onDamage(message, details);
    const removed = (): unknown => undefined;
    const jobs = new JobCare({
      time,
      process,
      tender: () => this.completion,
      waitingIn: (root) => this.jobs.find({ root, status: { $in: ['active', 'callbacks'] } }),
      cancel: (owner, id, reason) => this.notifier.cancelOf(owner, id, reason),
      onDamage,
      onBackground: (work) => this.notifier.track(work),
    });
    const quotas = new FieldCare<QuotaDocument>({
      rules: QUOTA_RULES,
      concerns: (document) => !('control' in document),
      insteadOf: (field, damaged) => this.quotas.insteadOf(field, damaged),
      besides: (fields) => (fields.includes('rev') ? {} : { rev: new ServerExpression(NEXT_REVISION) }),
      onDamage,
    });
    const soon = (): Date => new Date(time.estimate().getTime() + FRESH_LEASE_MS);
    const ofDispatcher: Record<string, () => unknown> = {
      state: () => 'alive',
      leaseMs: () => FRESH_LEASE_MS,
      leaseUntil: soon,
      since: () => time.estimate(),
    };
    return {
      jobs,
      quotas,
      dispatchers: new FieldCare<DispatcherDocument>({
        rules: DISPATCHER_RULES,
        insteadOf: (field) => (ofDispatcher[field] ?? removed)(),
        onDamage,
      }),
      notes: new FieldCare<NoteDocument>({
        rules: NOTE_RULES,
        insteadOf: (field) => (field === 'attempt' ? 0 : field === 'expireAt' ? soon() : undefined),
        onDamage,
      }),
      schedules: new FieldCare<ScheduleDocument>({
        rules: SCHEDULE_RULES,
        insteadOf: (field) => (field === 'firedUntil' ? time.estimate() : undefined),
        onDamage,
      }),
    };
  }

  /** Hears of what other processes do, and looks now and then in case something is not heard. */
  listen(): void {
    this.listener.open();
    this.#polling ??= interval(POLL_MS, this.#clock.scheduler).subscribe(() => this.notifier.readAll());
  }

  async close(): Promise<void> {
    this.#polling?.unsubscribe();
    this.backgroundRetry.close();
    this.pauses.close();
    this.#placeLeases.close();
    this.#rateLimiter.close();
    await this.listener.close();
    await this.notifier.idle();
    await this.outcomes.close();
    this.localQueue.close();
    // What is not written now is found by a round of somebody else.
    await this.ownerRelease.flush().catch(() => undefined);
    this.notifier.complete();
  }

  #hear({
    collection,
    id,
    quota,
    rev,
    isInsert,
    origin,
    isStaged,
    isLate,
    isCancelled,
    bell,
    dueAt,
    startBy,
    cancelOwner,
    cancelReason,
  }: ChangeEvent): void {
    const { notifier, collections } = this;
    if (collection === collections.control.collectionName) return notifier.track(this.pauses.refresh());
    if (collection === collections.quotas.collectionName) return notifier.track(this.#hearOfQuota({ name: String(id), quota, rev }));
    const isOwn = isInsert && origin === this.process;
    const isEcho = isOwn && !isStaged;
    if (isOwn && isLate) notifier.track(this.sessionInserter.committed(id as ObjectId));
    if (bell !== undefined && !isEcho) notifier.found(bell);
    if (dueAt !== undefined) notifier.due(dueAt);
    if (startBy !== undefined) notifier.due(startBy);
    if (isCancelled) this.cancelled.add(String(id));
    if (cancelOwner !== undefined) notifier.cancelOf(cancelOwner, String(id), cancelReason);
    if (!isEcho) notifier.changed({ _id: id as ObjectId });
  }

  #dropAhead(id: string, reason: string | undefined): boolean {
    const job = this.localQueue.drop(id);
    if (job === undefined) return false;
    this.notifier.track(this.#endCancelled({ ...job, cancel: { ...(reason === undefined ? {} : { reason }) } }));
    return true;
  }

  /** A job that was claimed ahead, and whose cancellation was asked for before it began. */
  async #endCancelled({ _id, cancel }: JobDocument): Promise<void> {
    await this.jobs.decide(_id, (now) =>
      now.status === 'assigned' ? this.completion.end(now, 'end', { status: 'cancelled', reason: cancel?.reason }) : 'nothing',
    );
  }

  async #hearOfQuota({ name, quota, rev }: HeardOfQuota): Promise<void> {
    if (await this.quotas.hear(name, quota, rev)) this.notifier.room();
    await this.#placeLeases.yieldIdle([name]);
  }

  /** Resolves when nothing that is paused now can begin. */
  async #followPauses(): Promise<void> {
    await this.claimer.holdBackPaused();
    await this.localQueue.handBackAll();
    this.#placeLeases.saveOnlyFor((lane) => !this.pauses.isLanePaused(lane));
    this.notifier.room();
  }

  /** Jobs may have become too large, or small enough. */
  #followSizes(): void {
    this.#placeLeases.saveOnlyFor((_lane, places) => this.#placeLeases.couldEverFit(places));
    this.notifier.room();
    // At once, not when the server tells of it.
    this.notifier.track(this.#placeLeases.yieldIdle().then(() => undefined));
  }

  /** What happened while nothing was heard is looked for. */
  #sweep(): void {
    this.notifier.readAll();
    this.notifier.track(this.#refreshQuotas());
  }

  async #refreshQuotas(): Promise<void> {
    await this.quotas.refresh().catch(() => undefined);
    this.notifier.room();
    await this.#placeLeases.yieldIdle();
  }
}
