/** Puts the parts of a store together, folder by folder: each part is given those of the folders below it. */

import { ObjectId } from 'mongodb';
import { defer } from 'rxjs';
import type { Clock } from '../../clock.js';
import type { JobDetails } from '../../job/job-details.js';
import type { Debounce } from '../../job/job-sealer.js';
import { replaceArguments } from '../../job/unique-key-rule.js';
import { BackgroundRetry } from '../async/background-retry.js';
import { BatchOpener } from './claim/batch-opener.js';
import { ClaimRound } from './claim/claim-round.js';
import { ClaimedJobs } from './claim/claimed-jobs.js';
import { Claimer } from './claim/claimer.js';
import { JobStarter } from './claim/job-starter.js';
import { WaitingJobs } from './claim/waiting-jobs.js';
import { DispatcherLeases } from './control/dispatcher-leases.js';
import { PauseControl } from './control/pause-control.js';
import { CommandDeadline } from './driver/command-deadline.js';
import type { ServerTime } from './driver/server-time.js';
import { SessionTransactions } from './driver/session-transactions.js';
import { EventRouter } from './event-router.js';
import { ChangeListener } from './feed/change-listener.js';
import { Notifier } from './feed/notifier.js';
import { OutcomeStream } from './feed/outcome-stream.js';
import { Inserter } from './insert/inserter.js';
import { MongoSchedules } from './insert/mongo-schedules.js';
import { SessionInserter } from './insert/session-inserter.js';
import { TreeBuilder } from './insert/tree-builder.js';
import { UniqueKeys } from './insert/unique-keys.js';
import { JobFinder } from './job-finder.js';
import { AttemptReports } from './jobs/attempt-reports.js';
import { JobCollection } from './jobs/job-collection.js';
import { ClaimWrites } from './local/claim-writes.js';
import { Handoff } from './local/handoff.js';
import { KnownLanes } from './local/known-lanes.js';
import { LocalQueue } from './local/local-queue.js';
import { RunningAttempts } from './local/running-attempts.js';
import { DueJobs } from './maintenance/due-jobs.js';
import { LeakAudit } from './maintenance/leak-audit.js';
import { Maintainer } from './maintenance/maintainer.js';
import { openRepairs } from './maintenance/repairs.js';
import { Rescuer } from './maintenance/rescuer.js';
import { MongoInsight } from './mongo-insight.js';
import type { CheckedMongoOptions } from './mongo-options.js';
import { LocalPlaces } from './quotas/dispatcher-places.js';
import { JobPlaces } from './quotas/job-places.js';
import { PlaceCommands } from './quotas/place-commands.js';
import { PlaceLeases } from './quotas/place-leases.js';
import { PlaceOutlook } from './quotas/place-outlook.js';
import { PlaceSavings } from './quotas/place-savings.js';
import { PlaceUsage } from './quotas/place-usage.js';
import { QuotaCache } from './quotas/quota-cache.js';
import { RateLimiter } from './quotas/rate-limiter.js';
import { openCollections } from './schema/collections.js';
import { AttemptTransitions } from './settle/attempt-transitions.js';
import { CancelledBatches } from './settle/cancelled-batches.js';
import { Completion } from './settle/completion.js';
import { OwnerRelease } from './settle/owner-release.js';
import { SessionSettler } from './settle/session-settler.js';
import { Settler } from './settle/settler.js';
import { WaitGraph } from './settle/wait-graph.js';

/** The functions that the service sets when it starts the store. */
interface Hooks {
  /** How debounced jobs are put off. */
  putOff: Debounce;
  /** Is called with the damage of a stored document. */
  onDamage: (message: string, details?: JobDetails) => void;
}

export type StoreParts = ReturnType<typeof openParts>;

export function openParts(options: CheckedMongoOptions, clock: Clock, time: ServerTime) {
  const base = openBase(options, { clock, time });
  const parts = openMaintenance(openClaims(openInserts(openSettling(openLocal(openQuotas(openControl(openFeed(base))))))));
  base.router.connect(parts);
  return parts;
}

/** The driver and the collections, and the values that every part gets. */
function openBase({ client, sessions, database, prefix }: CheckedMongoOptions, { clock, time }: { clock: Clock; time: ServerTime }) {
  const router = new EventRouter();
  const hooks: Hooks = { putOff: replaceArguments, onDamage: () => {} };
  const onDamage: Hooks['onDamage'] = (message, details) => hooks.onDamage(message, details);
  const putOff: Debounce = (job, by) => hooks.putOff(job, by);
  const process = new ObjectId().toHexString();
  const deadline = new CommandDeadline(clock);
  const transactions = new SessionTransactions(sessions, deadline, clock);
  const cares = openRepairs({ time, process, parts: () => router.parts, onDamage });
  const opening = { database, prefix, deadline, causality: transactions.causality, cares };
  const collections = openCollections(client, opening);
  const isOneClient = sessions === client;
  const inSession = isOneClient ? collections : openCollections(sessions, opening);
  const ownTransactions = isOneClient ? transactions : transactions.through(client);
  return { clock, time, router, hooks, onDamage, putOff, process, transactions, ownTransactions, collections, inSession };
}

function openFeed(below: ReturnType<typeof openBase>) {
  const { clock, collections, time, router } = below;
  const lanes = new KnownLanes();
  const notes = new AttemptReports(collections, time);
  const listener = new ChangeListener({
    ...below,
    onHeard: (event) => router.changed(event),
    onOpened: () => router.opened(),
  });
  const notifier = new Notifier({
    ...below,
    notes,
    onPending: (lane) => lanes.signal(lane),
    follow: (id) => listener.follow(id),
    unfollow: (id) => listener.unfollow(id),
    onLeft: (queue) => router.queueLeft(queue),
    dropAhead: (id, reason) => router.cancelledAhead(id, reason),
  });
  const jobs = new JobCollection(collections, (job) => notifier.changed(job));
  const onBackground = (work: Promise<void>): void => notifier.track(work);
  const onFreed = (): void => notifier.room();
  const backgroundRetry = new BackgroundRetry({ clock, onBackground });
  const here = defer(() => notifier.listen({ outcomes: 'here' }));
  const outcomes = new OutcomeStream({ ...below, here, recordOf: (job) => notifier.recordOf(job) });
  return { ...below, lanes, notes, listener, notifier, jobs, onBackground, onFreed, backgroundRetry, outcomes };
}

function openControl(below: ReturnType<typeof openFeed>) {
  const { collections, time, router } = below;
  const leases = new DispatcherLeases(collections, time, () => pauses.refresh());
  const pauses = new PauseControl({ ...below, leases, onChange: () => router.pausesChanged() });
  return { ...below, leases, pauses };
}

function openQuotas(below: ReturnType<typeof openControl>) {
  const { pauses, router } = below;
  const quotas = new QuotaCache({ ...below, onControl: (control) => pauses.notice(control), onSized: () => router.sizesChanged() });
  const jobPlaces = new JobPlaces({ ...below, quotas });
  const localPlaces = new LocalPlaces();
  const placeCommands = new PlaceCommands({ ...below, quotas, localPlaces });
  const placeOutlook = new PlaceOutlook({ ...below, quotas, localPlaces });
  const placeSavings = new PlaceSavings({ ...below, quotas, localPlaces, placeOutlook });
  const places = { ...below, quotas, localPlaces, placeCommands, placeOutlook, placeSavings };
  const placeLeases = new PlaceLeases({ ...places, beforeGivingWay: (dispatcher) => router.parts.localQueue.handBack(dispatcher) });
  const placeUsage = new PlaceUsage({ ...places, placeLeases });
  const rateLimiter = new RateLimiter({ ...below, quotas });
  return { ...places, jobPlaces, placeLeases, placeUsage, rateLimiter };
}

function openLocal(below: ReturnType<typeof openQuotas>) {
  const { router } = below;
  const running = new RunningAttempts();
  const localQueue = new LocalQueue({ ...below, running, endCancelled: (job) => router.endCancelled(job) });
  const claimWrites = new ClaimWrites({ ...below, localQueue });
  const handoff = new Handoff({ ...below, claimWrites });
  return { ...below, running, localQueue, claimWrites, handoff };
}

function openSettling(below: ReturnType<typeof openLocal>) {
  const ownerRelease = new OwnerRelease(below);
  const graph = new WaitGraph(below.collections, below.quotas);
  const withGraph = { ...below, cancelled: new CancelledBatches(), graph, ownerRelease };
  const completion = new Completion(withGraph);
  const transitions = new AttemptTransitions({ ...withGraph, completion });
  const settler = new Settler({ ...withGraph, completion });
  const sessionSettler = new SessionSettler({ ...withGraph, completion, transitions });
  return { ...withGraph, completion, transitions, settler, sessionSettler };
}

function openInserts(below: ReturnType<typeof openSettling>) {
  const { time, process, ownTransactions, router } = below;
  const shared = { ...below, treeBuilder: new TreeBuilder(time, process), uniqueKeys: new UniqueKeys(below) };
  const inserter = new Inserter({ ...shared, transactions: ownTransactions });
  const sessionInserter = new SessionInserter({ ...shared, listen: () => router.listen() });
  const schedules = new MongoSchedules({ ...below, sessionInserter });
  return { ...below, inserter, sessionInserter, schedules };
}

function openClaims(below: ReturnType<typeof openInserts>) {
  const { localPlaces, placeUsage, running, localQueue, handoff } = below;
  const jobStarter = new JobStarter({ ...below, batchOpener: new BatchOpener(below) });
  const claimRound = new ClaimRound({ ...below, jobStarter, waitingJobs: new WaitingJobs(below) });
  const claimer = new Claimer({ ...below, claimRound, claimedJobs: new ClaimedJobs(below) });
  const forget = (dispatcher: string): void => {
    for (const part of [localPlaces, placeUsage, running, localQueue, handoff, claimRound]) part.forget(dispatcher);
  };
  return { ...below, claimer, forget };
}

function openMaintenance(below: ReturnType<typeof openClaims>) {
  const rescuer = new Rescuer(below);
  const leakAudit = new LeakAudit({ ...below, rescuer });
  const dueJobs = new DueJobs(below);
  const maintainer = new Maintainer({ ...below, rescuer, leakAudit, dueJobs });
  return { ...below, rescuer, maintainer, insight: new MongoInsight(below), finder: new JobFinder(below) };
}

/** Ends all background work; a round of another process does the writes that are missing by then. */
export async function closeParts(parts: StoreParts): Promise<void> {
  const { router, backgroundRetry, pauses, placeSavings, rateLimiter, listener, notifier, outcomes, localQueue, ownerRelease } = parts;
  router.stopPolling();
  for (const part of [backgroundRetry, pauses, placeSavings, rateLimiter]) part.close();
  await listener.close();
  await notifier.idle();
  await outcomes.close();
  localQueue.close();
  await ownerRelease.flush().catch(() => undefined);
  notifier.complete();
}
