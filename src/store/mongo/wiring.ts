/** The parts of a store that has been started, and how they are put together. */

import { ObjectId } from 'mongodb';
import { defer, interval, type Subscription } from 'rxjs';
import type { Clock } from '../../clock.js';
import type { JobDetails } from '../../job/job-details.js';
import type { PutOff } from '../../job/protection.js';
import { putOffBy } from '../../job/unique-key-rule.js';
import { Unfinished } from '../async/background-retry.js';
import { Openings } from './claim/batch-opener.js';
import { Claims } from './claim/claimer.js';
import { Leases } from './control/dispatcher-leases.js';
import { Pauses } from './control/pause-control.js';
import { Deadline } from './driver/command-deadline.js';
import type { ServerTime } from './driver/server-time.js';
import { SessionTransactions } from './driver/session-transactions.js';
import { type Heard, Watch } from './feed/change-listener.js';
import { News } from './feed/notifier.js';
import { Outcomes } from './feed/outcome-stream.js';
import { Inserts } from './insert/inserter.js';
import { MongoSchedules } from './insert/mongo-schedules.js';
import { InsertsWithin } from './insert/session-inserter.js';
import { Grower } from './insert/tree-builder.js';
import { UniqueKeys } from './insert/unique-keys.js';
import { Notes } from './jobs/attempt-reports.js';
import { Computed, Jobs } from './jobs/job-collection.js';
import { Takes } from './local/claim-writes.js';
import { Handovers } from './local/handoff.js';
import { Lanes } from './local/known-lanes.js';
import { Ahead } from './local/local-queue.js';
import { Running } from './local/running-attempts.js';
import { Due } from './maintenance/due-jobs.js';
import { FieldCare } from './maintenance/field-care.js';
import { JobCare } from './maintenance/job-care.js';
import { Audit } from './maintenance/leak-audit.js';
import { Rounds } from './maintenance/maintainer.js';
import { Recovery } from './maintenance/rescuer.js';
import { MongoInsight } from './mongo-insight.js';
import type { CheckedMongoOptions } from './mongo-options.js';
import { HeldPlaces } from './quotas/job-places.js';
import { Shares } from './quotas/place-leases.js';
import { Uses } from './quotas/place-usage.js';
import { Quotas } from './quotas/quota-cache.js';
import { NEXT } from './quotas/quota-pipelines.js';
import { Starts } from './quotas/rate-limiter.js';
import { type Cares, type Collections, openCollections } from './schema/collections.js';
import type { DispatcherDocument, JobDocument, NoteDocument, QuotaDocument, ScheduleDocument } from './schema/documents.js';
import { DISPATCHER_RULES, NOTE_RULES, QUOTA_RULES, SCHEDULE_RULES } from './schema/other-damage.js';
import { Attempts } from './settle/attempt-transitions.js';
import { CancelledBatches } from './settle/cancelled-batches.js';
import { Tender } from './settle/completion.js';
import { Relief } from './settle/owner-release.js';
import { SettlementsWithin } from './settle/session-settler.js';
import { Settlements } from './settle/settler.js';
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

export class Parts {
  readonly news: News;
  readonly notes: Notes;
  readonly quotas: Quotas;
  readonly pauses: Pauses;
  readonly unfinished: Unfinished;
  readonly forget: (dispatcher: string) => void;
  readonly leases: Leases;
  readonly tender: Tender;
  readonly attempts: Attempts;
  readonly settlements: Settlements;
  readonly settlementsWithin: SettlementsWithin;
  readonly claims: Claims;
  readonly inserts: Inserts;
  readonly insertsWithin: InsertsWithin;
  readonly schedules: MongoSchedules;
  readonly insight: MongoInsight;
  readonly inSession: Collections;
  readonly transactions: SessionTransactions;
  readonly rounds: Rounds;
  readonly recovery: Recovery;
  readonly jobs: Jobs;
  readonly collections: Collections;
  readonly relief: Relief;
  readonly ahead: Ahead;
  readonly watch: Watch;
  readonly outcomes: Outcomes;
  readonly cancelled = new CancelledBatches();
  /** How debounced jobs are put off: as the service says. */
  putOff: PutOff = putOffBy;
  /** Is called with what was wrong with a stored document. */
  onDamage: (message: string, details?: JobDetails) => void = () => {};
  #polling: Subscription | undefined;

  constructor(
    { client, sessions, database, prefix }: CheckedMongoOptions,
    clock: Clock,
    readonly time: ServerTime,
  ) {
    const process = new ObjectId().toHexString();
    const deadline = new Deadline(clock);
    const cares = this.#cares(process);
    const transactions = new SessionTransactions(sessions, deadline, clock);
    const { causality } = transactions;
    const collections = openCollections(client, { database, prefix, deadline, causality, cares });
    const lanes = new Lanes();
    const notes = new Notes(collections, time);
    const news = new News({
      collections,
      notes,
      time,
      onPending: (lane) => lanes.ring(lane),
      follow: (id) => this.watch.follow(id),
      unfollow: (id) => this.watch.unfollow(id),
      onLeft: (queue) => news.track(shares.leave(queue)),
      dropAhead: (id, reason) => this.#dropAhead(id, reason),
    });
    const jobs = new Jobs(collections, (job) => news.changed(job));
    const leases = new Leases(collections, time, () => this.pauses.refresh());
    const quotas = new Quotas({
      collections,
      time,
      onControl: (control) => this.pauses.notice(control),
      onSized: () => this.#followSizes(),
    });
    const onBackground = (work: Promise<void>): void => news.track(work);
    const onDamage: Parts['onDamage'] = (message, details) => this.onDamage(message, details);
    const unfinished = new Unfinished({ clock, onBackground });
    this.pauses = new Pauses({
      clock,
      collections,
      leases,
      time,
      unfinished,
      onChange: () => this.#followPauses(),
      onDamage,
      onBackground,
    });
    const { pauses } = this;
    const held = new HeldPlaces({ quotas, onFreed: () => news.room() });
    const shares = new Shares({
      clock,
      quotas,
      time,
      leases,
      onFreed: () => news.room(),
      beforeGivingWay: (dispatcher) => ahead.handBack(dispatcher),
      onBackground,
    });
    const uses = new Uses({ shares, onFreed: () => news.room(), onBackground });
    const starts = new Starts({ clock, quotas, time, onFreed: () => news.room() });
    const relief = new Relief({ collections, clock, onBackground });
    const running = new Running();
    const ahead = new Ahead({ collections, clock, time, running, news, endCancelled: (job) => this.#endCancelled(job) });
    const takes = new Takes({ ahead, collections, leases, news, time, unfinished, uses });
    const handovers = new Handovers({ jobs, leases, news, pauses, takes });
    const graph = new WaitGraph(jobs, quotas);
    const { cancelled } = this;
    const tender = new Tender({ cancelled, collections, graph, jobs, shares, held, handovers, time, news, relief, unfinished, process });
    const attempts = new Attempts({ jobs, uses, held, tender, time, news, notes, pauses, graph, running, ahead, relief, process });
    const openings = new Openings({ collections, held, leases, news, relief, uses, tender, time, unfinished });
    const claims = new Claims({
      ahead,
      attempts,
      cancelled,
      collections,
      handovers,
      lanes,
      leases,
      news,
      openings,
      pauses,
      running,
      shares,
      starts,
      takes,
      tender,
      time,
      unfinished,
      uses,
    });
    const forget = (dispatcher: string): void => {
      for (const part of [shares, uses, running, ahead, handovers, claims]) part.forget(dispatcher);
    };
    this.ahead = ahead;
    this.collections = collections;
    this.news = news;
    this.notes = notes;
    this.jobs = jobs;
    this.leases = leases;
    this.quotas = quotas;
    this.unfinished = unfinished;
    this.tender = tender;
    this.attempts = attempts;
    this.settlements = new Settlements({ ahead, clock, collections, jobs, running, uses, tender, time, news, process });
    this.claims = claims;
    const inSession = sessions === client ? collections : openCollections(sessions, { database, prefix, deadline, causality, cares });
    this.inSession = inSession;
    this.transactions = transactions;
    const forEnds = { ahead, attempts, inSession, jobs, notes, running, tender, time, transactions, unfinished, uses, process };
    this.settlementsWithin = new SettlementsWithin(forEnds);
    const ownTransactions = sessions === client ? transactions : transactions.through(client);
    const listen = (): void => this.listen();
    const grower = new Grower(time, process);
    const putOff: PutOff = (job, by) => this.putOff(job, by);
    const uniqueKeys = new UniqueKeys({ news, time, putOff });
    const forInserts = { grower, jobs, news, tender, time, unfinished, uniqueKeys };
    this.inserts = new Inserts({ ...forInserts, collections, transactions: ownTransactions });
    this.insertsWithin = new InsertsWithin({ ...forInserts, putOff, inSession, listen, transactions });
    this.schedules = new MongoSchedules({ inSession, insertsWithin: this.insertsWithin, time, transactions });
    const recovery = new Recovery({ attempts, collections, held, leases, news, tender, time, forget });
    const audit = new Audit({ ahead, collections, held, news, quotas, recovery, takes, time });
    const due = new Due({ collections, tender, time, unfinished, onBackground, process });
    this.insight = new MongoInsight({ collections, quotas, starts, time });
    this.recovery = recovery;
    this.rounds = new Rounds({ audit, collections, due, leases, news, quotas, recovery, time });
    this.forget = forget;
    this.relief = relief;
    this.process = process;
    this.watch = new Watch({
      collections,
      clock,
      process,
      onHeard: (heard) => this.#hear(heard),
      onOpened: () => this.#sweep(),
    });
    const here = defer(() => news.listen({ outcomes: 'here' }));
    this.outcomes = new Outcomes({ collections, clock, here, recordOf: (job) => news.recordOf(job) });
    this.#clock = clock;
    this.#shares = shares;
    this.#starts = starts;
  }

  readonly process: string;
  readonly #clock: Clock;
  readonly #shares: Shares;
  readonly #starts: Starts;

  /** Repairs damaged documents; created later, since it needs parts that need the collections. */
  #cares(process: string): Cares {
    const { time } = this;
    const onDamage: Parts['onDamage'] = (message, details) => this.onDamage(message, details);
    const removed = (): unknown => undefined;
    const jobs = new JobCare({
      time,
      process,
      tender: () => this.tender,
      waitingIn: (root) => this.jobs.find({ root, status: { $in: ['active', 'callbacks'] } }),
      cancel: (owner, id, reason) => this.news.cancelOf(owner, id, reason),
      onDamage,
      onBackground: (work) => this.news.track(work),
    });
    const quotas = new FieldCare<QuotaDocument>({
      rules: QUOTA_RULES,
      concerns: (document) => !('control' in document),
      insteadOf: (field, damaged) => this.quotas.insteadOf(field, damaged),
      besides: (fields) => (fields.includes('rev') ? {} : { rev: new Computed(NEXT) }),
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
    this.watch.open();
    this.#polling ??= interval(POLL_MS, this.#clock.scheduler).subscribe(() => this.news.readAll());
  }

  async close(): Promise<void> {
    this.#polling?.unsubscribe();
    this.unfinished.close();
    this.pauses.close();
    this.#shares.close();
    this.#starts.close();
    await this.watch.close();
    await this.news.idle();
    await this.outcomes.close();
    this.ahead.close();
    // What is not written now is found by a round of somebody else.
    await this.relief.flush().catch(() => undefined);
    this.news.complete();
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
  }: Heard): void {
    const { news, collections } = this;
    if (collection === collections.control.collectionName) return news.track(this.pauses.refresh());
    if (collection === collections.quotas.collectionName) return news.track(this.#hearOfQuota({ name: String(id), quota, rev }));
    const isOwn = isInsert && origin === this.process;
    const isEcho = isOwn && !isStaged;
    if (isOwn && isLate) news.track(this.insertsWithin.committed(id as ObjectId));
    if (bell !== undefined && !isEcho) news.found(bell);
    if (dueAt !== undefined) news.due(dueAt);
    if (startBy !== undefined) news.due(startBy);
    if (isCancelled) this.cancelled.add(String(id));
    if (cancelOwner !== undefined) news.cancelOf(cancelOwner, String(id), cancelReason);
    if (!isEcho) news.changed({ _id: id as ObjectId });
  }

  #dropAhead(id: string, reason: string | undefined): boolean {
    const job = this.ahead.drop(id);
    if (job === undefined) return false;
    this.news.track(this.#endCancelled({ ...job, cancel: { ...(reason === undefined ? {} : { reason }) } }));
    return true;
  }

  /** A job that was claimed ahead, and whose cancellation was asked for before it began. */
  async #endCancelled({ _id, cancel }: JobDocument): Promise<void> {
    await this.jobs.decide(_id, (now) =>
      now.status === 'assigned' ? this.tender.end(now, 'end', { status: 'cancelled', reason: cancel?.reason }) : 'nothing',
    );
  }

  async #hearOfQuota({ name, quota, rev }: HeardOfQuota): Promise<void> {
    if (await this.quotas.hear(name, quota, rev)) this.news.room();
    await this.#shares.yieldIdle([name]);
  }

  /** Resolves when nothing that is paused now can begin. */
  async #followPauses(): Promise<void> {
    await this.claims.holdBackPaused();
    await this.ahead.handBackAll();
    this.#shares.saveOnlyFor((lane) => !this.pauses.isLanePaused(lane));
    this.news.room();
  }

  /** Jobs may have become too large, or small enough. */
  #followSizes(): void {
    this.#shares.saveOnlyFor((_lane, places) => this.#shares.couldEverFit(places));
    this.news.room();
    // At once, not when the server tells of it.
    this.news.track(this.#shares.yieldIdle().then(() => undefined));
  }

  /** What happened while nothing was heard is looked for. */
  #sweep(): void {
    this.news.readAll();
    this.news.track(this.#refreshQuotas());
  }

  async #refreshQuotas(): Promise<void> {
    await this.quotas.refresh().catch(() => undefined);
    this.news.room();
    await this.#shares.yieldIdle();
  }
}
