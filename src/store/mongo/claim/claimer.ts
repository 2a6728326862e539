/** Hands out jobs: reads the heads of the lanes in order, takes places for them, and takes them by one conditional write. */

import { ObjectId } from 'mongodb';
import type { JobReference } from '../../../job/job-reference.js';
import type { Places } from '../../../job/places.js';
import type { BackgroundRetry } from '../../async/background-retry.js';
import type { ClaimedJob, ClaimRequest } from '../../store-messages.js';
import type { DispatcherLeases } from '../control/dispatcher-leases.js';
import type { PauseControl } from '../control/pause-control.js';
import type { ServerTime } from '../driver/server-time.js';
import type { Notifier } from '../feed/notifier.js';
import { withReports } from '../jobs/attempt-reports.js';
import { referenceOf, reportedOf, taskVersionOfDocument, toJob } from '../jobs/job-codec.js';
import { type ClaimSet, type ClaimWrites, isOf, nameOf } from '../local/claim-writes.js';
import type { Handoff } from '../local/handoff.js';
import { type KnownLane, type KnownLanes, mayBeClaimedAhead, placesOfLane } from '../local/known-lanes.js';
import { isEmpty, type LaneHeads } from '../local/lane-heads.js';
import { readSelection } from '../local/lane-selection.js';
import type { LocalQueue } from '../local/local-queue.js';
import { byPriorityThenOrder } from '../local/order.js';
import { attemptKey, attemptOf, type RunningAttempts } from '../local/running-attempts.js';
import type { PlaceLeases } from '../quotas/place-leases.js';
import type { PlaceUsage } from '../quotas/place-usage.js';
import type { RateLimiter, StartGrant } from '../quotas/rate-limiter.js';
import type { Collections } from '../schema/collections.js';
import type { JobDocument } from '../schema/documents.js';
import type { AttemptTransitions } from '../settle/attempt-transitions.js';
import { type CancelledBatches, isPart } from '../settle/cancelled-batches.js';
import type { Completion } from '../settle/completion.js';
import type { BatchOpener, Opening } from './batch-opener.js';

export interface ClaimerSources {
  readonly localQueue: LocalQueue;
  readonly transitions: AttemptTransitions;
  readonly cancelled: CancelledBatches;
  readonly collections: Collections;
  readonly handoff: Handoff;
  readonly lanes: KnownLanes;
  readonly leases: DispatcherLeases;
  readonly notifier: Notifier;
  readonly batchOpener: BatchOpener;
  readonly pauses: PauseControl;
  readonly running: RunningAttempts;
  readonly placeLeases: PlaceLeases;
  readonly rateLimiter: RateLimiter;
  readonly claimWrites: ClaimWrites;
  readonly completion: Completion;
  readonly time: ServerTime;
  readonly backgroundRetry: BackgroundRetry;
  readonly placeUsage: PlaceUsage;
}

/** How one look at the lanes went. */
interface Look {
  readonly won: readonly JobDocument[];
  /** A batch was opened, or somebody was faster, so that another look may find more. */
  readonly mayFindMore: boolean;
}

/** What is to be taken now, what was at hand and has begun, what waits for nothing but a place in a quota; and the batch that comes next. */
interface Picked {
  readonly now: JobDocument[];
  readonly begun: JobDocument[];
  readonly left: JobDocument[];
  /** Lanes without room, and whether the next place is the dispatcher's own. */
  readonly full: Map<string, boolean>;
  batch?: JobDocument;
}

/** What was found in the lanes of a queue, and what has come of it. */
interface LookedAt {
  readonly queue: string;
  readonly candidates: LaneHeads;
  readonly won: readonly JobDocument[];
  readonly atHand: readonly JobDocument[];
}

/** How many looks may take nothing, since another process was faster or the lease is over by the server's time. */
const MAX_FRUITLESS = 20;

const NO_LANES: ReadonlyMap<string, KnownLane> = new Map();
const NOTHING: Look = { won: [], mayFindMore: false };

export class Claimer {
  /** By dispatcher and queue: how often its lanes had rung when it looked last. */
  readonly #looked = new Map<string, number>();
  readonly #underWay = new Set<Promise<unknown>>();
  /** By dispatcher: the claim that asks for places and uses them now; its queues do so one after the other. */
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(private readonly sources: ClaimerSources) {}

  async claim(request: ClaimRequest): Promise<readonly ClaimedJob[]> {
    const claiming = this.#claim(request);
    this.#underWay.add(claiming);
    return claiming.finally(() => this.#underWay.delete(claiming));
  }

  /** Resolves when the claims under way have been answered: no job that is paused now is handed out after that. */
  async holdBackPaused(): Promise<void> {
    await Promise.allSettled(this.#underWay);
    await this.sources.claimWrites.undone();
  }

  async #claim(request: ClaimRequest): Promise<readonly ClaimedJob[]> {
    if (!this.sources.leases.isAlive(request.dispatcher)) return [];
    const claimed = await this.#begins(await this.#taken(request));
    const read = await Promise.allSettled(claimed.map((job) => this.#claimedJob(job)));
    for (const job of claimed.filter((_, index) => read[index]?.status === 'rejected')) this.#putBackLater(job);
    const handedOut = read.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    const errors = read.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
    if (handedOut.length === 0 && errors.length > 0) throw errors[0];
    return handedOut;
  }

  /** Puts back a job that has not begun; later, or the next claim would take it again at once. */
  #putBackLater({ _id, token = '' }: JobDocument): void {
    const { transitions, backgroundRetry } = this.sources;
    backgroundRetry.schedule(() => transitions.release({ id: _id.toHexString(), token, hasBegun: false }));
  }

  /** The jobs to begin: those whose batch was cancelled during the claim are put back. */
  async #begins(claimed: readonly JobDocument[]): Promise<readonly JobDocument[]> {
    const { transitions, cancelled, backgroundRetry } = this.sources;
    if (claimed.some(isPart)) await cancelled.complete();
    const isCancelled = (job: JobDocument): boolean => cancelled.isAbove(job);
    for (const { _id, token = '' } of claimed.filter(isCancelled))
      await backgroundRetry.run(() => transitions.release({ id: _id.toHexString(), token, hasBegun: false }));
    return claimed.filter((job) => !isCancelled(job));
  }

  /** Takes jobs up to the limit. */
  async #taken(request: ClaimRequest): Promise<readonly JobDocument[]> {
    const { leases, placeLeases } = this.sources;
    await placeLeases.yieldIdle();
    const claimed: JobDocument[] = [];
    let fruitless = 0;
    /** Lanes that seemed to have room, but had none. */
    const full = new Set<string>();
    for (let look: Look = { won: [], mayFindMore: true }; look.mayFindMore && claimed.length < request.limit; ) {
      if (look.won.length === 0 && fruitless++ > MAX_FRUITLESS) break;
      if (!leases.isAlive(request.dispatcher)) break;
      look = await this.#look(request, request.limit - claimed.length, full).catch((error: unknown) => {
        // What has been taken is handed out; the error comes again, if it lasts.
        if (claimed.length > 0) return NOTHING;
        throw error;
      });
      claimed.push(...look.won);
    }
    // Whoever is busy with other work leaves the places to those who could use them.
    this.sources.handoff.hasRoom(request, request.limit - claimed.length);
    if (claimed.length >= request.limit) await placeLeases.wantNothing(request).catch(() => undefined);
    return claimed;
  }

  /** The life of a dispatcher is over. */
  forget(dispatcher: string): void {
    this.#turns.delete(dispatcher);
    for (const name of this.#looked.keys()) if (isOf(dispatcher, name)) this.#looked.delete(name);
  }

  async #look(request: ClaimRequest, limit: number, full: Set<string>): Promise<Look> {
    const { lanes, pauses, placeLeases, localQueue } = this.sources;
    const { dispatcher, queue } = request;
    const taskVersions = new Set([...request.taskVersions].filter((taskVersion) => !pauses.isPaused(queue, taskVersion)));
    const atHand = localQueue.of(dispatcher, queue, taskVersions);
    const known = pauses.isPaused(queue) ? NO_LANES : lanes.of(queue, taskVersions, (places) => this.#mayHave(places));
    const rung = this.#hasRung(request) || atHand.length === 0 ? known : this.#besides(dispatcher, atHand, known);
    if (limit <= 0) return NOTHING;
    if (rung.size === 0 && atHand.length === 0) {
      await placeLeases.wantNothing(request);
      return NOTHING;
    }
    const limits = { limit, ahead: localQueue.appetite(dispatcher) };
    const notFull = new Map([...rung].filter(([key]) => !full.has(key)));
    const { candidates, asking, inLine } = await readSelection(this.sources, notFull, { dispatcher, ...limits });
    const waiting = candidates.jobs.length === 0 ? atHand : [...atHand, ...candidates.jobs].sort(byPriorityThenOrder);
    const wanted = [...waiting.filter(({ held }) => held === undefined), ...asking, ...inLine];
    const needed = once(() => quotasOf([...known].filter(([key]) => !isEmpty(candidates, key))));
    const token = new ObjectId().toHexString();
    const take = async (): Promise<Picked> => {
      await placeLeases.acquire(request, wanted, (name) => needed().has(name));
      for (const { lane, quotas } of asking) if (!placeLeases.mightFit(dispatcher, quotas)) placeLeases.save(dispatcher, lane, quotas);
      return this.#pick(request, waiting, { limit, token });
    };
    const picked = await this.#inTurn(dispatcher, () => placeLeases.whileTaking(dispatcher, take));
    const look = await this.#take(request, picked, { ...limits, token });
    this.#note(rung, { queue, candidates, won: look.won, atHand });
    // Something may be left that could be taken at once, or is to be taken before what is at hand.
    const isBehind = isPassedOver(
      lanes.of(queue, taskVersions, () => true),
      atHand,
    );
    if (look.mayFindMore || look.won.length >= limit || isBehind) this.#looked.delete(nameOf(request));
    const wasMistaken = this.#noteFull(full, picked, candidates);
    const hasGained = asking.some(({ quotas }) => placeLeases.mightFit(dispatcher, quotas));
    return wasMistaken || hasGained ? { ...look, mayFindMore: true } : look;
  }

  /** Adds the lanes that had no room, or whose jobs were cancelled. @returns whether other lanes, which were not read for them, may have room */
  #noteFull(full: Set<string>, picked: Picked, candidates: LaneHeads): boolean {
    const passedBy = candidates.jobs.filter((job) => this.sources.cancelled.isAbove(job));
    const stuck = [...picked.full.keys(), ...passedBy.map(({ lane }) => lane)];
    const isNew = stuck.some((key) => !full.has(key));
    for (const key of stuck) full.add(key);
    return isNew && picked.now.length < candidates.count;
  }

  #inTurn<T>(dispatcher: string, act: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(dispatcher) ?? Promise.resolve();
    const turn = before.then(act, act);
    this.#turns.set(
      dispatcher,
      turn.catch(() => undefined),
    );
    return turn;
  }

  /** What waits for the time at which a rate lets it begin, or for a quota to be made larger, needs no places before. */
  #mayHave(places: Places): boolean {
    const { placeLeases, rateLimiter } = this.sources;
    return placeLeases.couldEverFit(places) && !rateLimiter.isUsedUp(places);
  }

  /** Lanes that wait for no places, or for other ones than what is at hand and may get them now. */
  #besides(dispatcher: string, atHand: readonly JobDocument[], known: ReadonlyMap<string, KnownLane>): ReadonlyMap<string, KnownLane> {
    const sets = new Set([...new Set(atHand.map(({ lane }) => lane))].map(placesOfLane));
    const { placeLeases } = this.sources;
    const isWorthALook = ([key, { places }]: readonly [string, KnownLane]): boolean =>
      Object.keys(places).length === 0 || (placeLeases.mightFit(dispatcher, places) && !sets.has(placesOfLane(key)));
    return new Map([...known].filter(isWorthALook));
  }

  /** Whether anything has become pending since the dispatcher looked last, so that it may go before what is at hand. */
  #hasRung(request: ClaimRequest): boolean {
    const name = nameOf(request);
    const rings = this.sources.lanes.rings(request.queue);
    const isNew = this.#looked.get(name) !== rings;
    this.#looked.set(name, rings);
    return isNew;
  }

  /** Notes where the lanes that were read begin now: a lane whose jobs have all been taken is not read before it rings again. */
  #note(rung: ReadonlyMap<string, KnownLane>, { queue, candidates, won, atHand }: LookedAt): void {
    const { lanes, placeLeases } = this.sources;
    const taken = new Set(won.map(({ _id }) => _id.toHexString()));
    for (const [key, lane] of rung) {
      const left = candidates.read.get(key)?.find(({ _id }) => !taken.has(_id.toHexString()));
      const isWhole = candidates.wholeLanes.has(key);
      const from = left ?? (isWhole ? undefined : candidates.upTo.get(key));
      if (from === undefined && !isWhole) continue;
      lanes.note(queue, key, { rung: lane.rung, from });
      // Others have taken what was waited with.
      if (from === undefined && !atHand.some((job) => job.lane === key)) placeLeases.stopSaving(key);
    }
  }

  /** Takes jobs in their order, up to a batch; one that comes first is opened. */
  async #take(
    request: ClaimRequest,
    { now, begun, left, batch }: Picked,
    limits: { readonly ahead: number; readonly token: string },
  ): Promise<Look> {
    const { dispatcher } = request;
    if (batch !== undefined && now.length + begun.length === 0) {
      await this.#open({ dispatcher, batch, token: limits.token });
      return { won: [], mayFindMore: true };
    }
    if (left.length > 0) this.sources.localQueue.hunger(dispatcher);
    const chosen = { now, forLater: left.slice(0, limits.ahead), token: limits.token };
    const taken = await this.#takeStarted(request, chosen).catch((error: unknown) => {
      if (begun.length > 0) return [];
      throw error;
    });
    const won = this.#won([...begun, ...taken]);
    return { won, mayFindMore: batch !== undefined || won.length < now.length + begun.length };
  }

  async #takeStarted(request: ClaimRequest, chosen: ClaimSet): Promise<readonly JobDocument[]> {
    const { rateLimiter, claimWrites } = this.sources;
    const { may, grant } = await this.#begin(chosen.now, chosen.token);
    const now = chosen.now.filter((job) => may.has(job));
    const apart = now.filter((job) => request.transactional?.has(taskVersionOfDocument(job)) === true);
    const taken = await claimWrites.write(request.dispatcher, { ...chosen, now, apart });
    const won = taken.filter(({ status }) => status === 'active');
    // Those that were not won count too long, if that fails.
    await rateLimiter.giveBack(grant, won).catch(() => undefined);
    return won;
  }

  async #open(opening: Opening): Promise<void> {
    const { batchOpener, rateLimiter } = this.sources;
    const { may, grant } = await this.#begin([opening.batch], opening.token);
    if (!may.has(opening.batch)) return;
    const isOpened = await batchOpener.open(opening);
    await rateLimiter.giveBack(grant, isOpened ? [opening.batch] : []).catch(() => undefined);
  }

  /** Has a rate count the jobs that are to begin; of those that may not, the places are free again. */
  async #begin(jobs: readonly JobDocument[], token: string): Promise<StartGrant> {
    const { rateLimiter, placeUsage } = this.sources;
    const free = (left: readonly JobDocument[]): void => {
      for (const { _id } of left) placeUsage.freeSoon(attemptKey({ id: _id.toHexString(), token }));
    };
    try {
      const begin = await rateLimiter.begin(jobs);
      free(jobs.filter((job) => !begin.may.has(job)));
      return begin;
    } catch (error) {
      free(jobs);
      throw error;
    }
  }

  /** Has places used for as many as may begin. */
  #pick(
    request: ClaimRequest,
    waiting: readonly JobDocument[],
    { limit, token }: { readonly limit: number; readonly token: string },
  ): Picked {
    const { dispatcher } = request;
    const { cancelled, placeLeases, rateLimiter, localQueue, placeUsage } = this.sources;
    const full = new Map<string, boolean>();
    const picked: Picked = { now: [], begun: [], left: [], full };
    const setAside = new Map<string, number>();
    for (const job of waiting) {
      if (picked.now.length + picked.begun.length === limit) break;
      if (cancelled.isAbove(job)) continue;
      const isFull = full.has(job.lane);
      // It may have been handed back since.
      if (!isFull && job.status === 'assigned' && !localQueue.isAtHand(dispatcher, job)) continue;
      if (job.kind !== 'task' && picked.now.length + picked.begun.length > 0) return { ...picked, batch: job };
      if (!isFull && job.held === undefined && !rateLimiter.setAside(job.quotas, setAside)) {
        full.set(job.lane, false);
        continue;
      }
      const key = (): string => (job.status === 'assigned' ? attemptOf(job) : attemptKey({ id: job._id.toHexString(), token }));
      if (isFull || (job.held === undefined && !placeUsage.use(key(), { dispatcher, lane: job.lane, places: job.quotas }))) {
        if (!isFull) full.set(job.lane, !rateLimiter.isRated(job.quotas) && placeLeases.hasSome(dispatcher, job.quotas));
        if (full.get(job.lane) === true && job.status === 'pending' && mayBeClaimedAhead(job, request)) picked.left.push(job);
        continue;
      }
      if (job.kind !== 'task') return { ...picked, batch: job };
      if (job.status === 'assigned') picked.begun.push(localQueue.begin(dispatcher, job));
      else picked.now.push(job);
    }
    return picked;
  }

  /** Registers the jobs that are to run. */
  #won(won: readonly JobDocument[]): readonly JobDocument[] {
    const { notifier, running } = this.sources;
    for (const job of won) {
      running.add(job);
      // Of a first attempt nothing can be noted yet.
      notifier.changed(job.attempts === 1 ? withReports(job) : job);
    }
    return [...won].sort(byPriorityThenOrder);
  }

  /** With what it needs to run. */
  async #claimedJob(document: JobDocument): Promise<ClaimedJob> {
    const { token = '', attempts, failures } = document;
    const job = toJob(document);
    const attempt = { token, number: attempts, failures };
    const given = job.input === 'none' || document.parent === undefined ? undefined : await this.#given(document, document.parent);
    const reported = reportedOf(document);
    return { job, attempt, ...(given === undefined ? {} : { input: given }), ...(reported.size === 0 ? {} : { reported }) };
  }

  async #given({ input }: JobDocument, parent: ObjectId): Promise<ClaimedJob['input']> {
    const { collections, completion } = this.sources;
    if (input !== 'jobs') return completion.outcomeOf((await collections.jobs.findOne({ _id: parent })) ?? undefined);
    const steps = await collections.jobs.find({ parent, role: 'step' }, { sort: { index: 1 } });
    return steps.map(referenceOf) satisfies readonly JobReference[];
  }
}

/** The names of all quotas that jobs of these lanes need. */
function quotasOf(lanes: readonly (readonly [string, KnownLane])[]): ReadonlySet<string> {
  return new Set(lanes.flatMap(([, { places }]) => Object.keys(places)));
}

/** Computes a value when it is first needed, and keeps it. */
function once<T>(reckon: () => T): () => T {
  let known: { readonly value: T } | undefined;
  return () => {
    known ??= { value: reckon() };
    return known.value;
  };
}

/** Whether jobs may wait that come before others at hand which need the same: not every lane is read in each look. */
function isPassedOver(lanes: ReadonlyMap<string, KnownLane>, atHand: readonly JobDocument[]): boolean {
  if (atHand.length === 0) return false;
  const last = new Map(atHand.map((job) => [placesOfLane(job.lane), job]));
  return [...lanes].some(([key, { from }]) => {
    const behind = last.get(placesOfLane(key));
    return behind !== undefined && (from === undefined || byPriorityThenOrder(from, behind) < 0);
  });
}
