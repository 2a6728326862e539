/** Hands out jobs: reads the heads of the lanes in order, takes places for them, and takes them by one conditional write. */

import { ObjectId } from 'mongodb';
import type { JobReference } from '../../job/job-reference.js';
import type { Places } from '../../job/places.js';
import type { ClaimedJob, ClaimRequest } from '../job-store.js';
import type { Ahead } from './ahead.js';
import type { Attempts } from './attempts.js';
import { type CancelledBatches, isPart } from './cancelled-batches.js';
import { type Candidates, NO_CANDIDATES, readCandidates } from './candidates.js';
import type { Collections } from './collections.js';
import type { JobDocument } from './documents.js';
import type { Handovers } from './handovers.js';
import { type Lanes, mayBeClaimedAhead, needsPlaces, placesIn, placesOfLane } from './lanes.js';
import type { Leases } from './leases.js';
import type { Wanted } from './line.js';
import type { News } from './news.js';
import { withNote } from './notes.js';
import type { Opening, Openings } from './openings.js';
import { inOrder } from './order.js';
import type { Pauses } from './pauses.js';
import { formOfDocument, referenceOf, reportedOf, toJob } from './records.js';
import { attemptKey, attemptOf, type Running } from './running.js';
import type { ServerTime } from './server-time.js';
import type { Shares } from './shares.js';
import type { Begin, Starts } from './starts.js';
import { type Chosen, isOf, nameOf, type Takes } from './takes.js';
import type { Tender } from './tender.js';
import type { Unfinished } from './unfinished.js';
import type { Uses } from './uses.js';

export interface ClaimSources {
  readonly ahead: Ahead;
  readonly attempts: Attempts;
  readonly cancelled: CancelledBatches;
  readonly collections: Collections;
  readonly handovers: Handovers;
  readonly lanes: Lanes;
  readonly leases: Leases;
  readonly news: News;
  readonly openings: Openings;
  readonly pauses: Pauses;
  readonly running: Running;
  readonly shares: Shares;
  readonly starts: Starts;
  readonly takes: Takes;
  readonly tender: Tender;
  readonly time: ServerTime;
  readonly unfinished: Unfinished;
  readonly uses: Uses;
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
  batch?: JobDocument;
}

/** What was found in the lanes of a queue, and what has come of it. */
interface LookedAt {
  readonly queue: string;
  readonly read: Candidates;
  readonly won: readonly JobDocument[];
  readonly atHand: readonly JobDocument[];
}

/** So many looks may find that somebody was faster, or that the lease is over by the server's time. */
const MAX_IN_VAIN = 20;

const NO_LANES: ReadonlyMap<string, number> = new Map();
const NOTHING: Look = { won: [], mayFindMore: false };

export class Claims {
  /** By dispatcher and queue: how often its lanes had rung when it looked last. */
  readonly #looked = new Map<string, number>();
  readonly #underWay = new Set<Promise<unknown>>();
  /** By dispatcher: the claim that asks for places and uses them now; its queues do so one after the other. */
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(private readonly sources: ClaimSources) {}

  async claim(request: ClaimRequest): Promise<readonly ClaimedJob[]> {
    const claiming = this.#claim(request);
    this.#underWay.add(claiming);
    return claiming.finally(() => this.#underWay.delete(claiming));
  }

  /** Resolves when nothing will be handed out any more that is paused now: the claims that are under way have been answered. */
  async holdBackPaused(): Promise<void> {
    await Promise.allSettled(this.#underWay);
    await this.sources.takes.undone();
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

  /** It has not begun; not at once, or the next claim would take it again. */
  #putBackLater({ _id, token = '' }: JobDocument): void {
    const { attempts, unfinished } = this.sources;
    unfinished.again(() => attempts.release({ id: _id.toHexString(), token, hasBegun: false }));
  }

  /** But for those whose batch was cancelled while the claim was under way: these have not begun. */
  async #begins(claimed: readonly JobDocument[]): Promise<readonly JobDocument[]> {
    const { attempts, cancelled, unfinished } = this.sources;
    if (claimed.some(isPart)) await cancelled.complete();
    const isCancelled = (job: JobDocument): boolean => cancelled.isAbove(job);
    for (const { _id, token = '' } of claimed.filter(isCancelled))
      await unfinished.finish(() => attempts.release({ id: _id.toHexString(), token, hasBegun: false }));
    return claimed.filter((job) => !isCancelled(job));
  }

  /** Takes jobs up to the limit. */
  async #taken(request: ClaimRequest): Promise<readonly JobDocument[]> {
    const { leases, shares } = this.sources;
    await shares.yieldIdle();
    const claimed: JobDocument[] = [];
    let inVain = 0;
    for (let look: Look = { won: [], mayFindMore: true }; look.mayFindMore && claimed.length < request.limit; ) {
      if (look.won.length === 0 && inVain++ > MAX_IN_VAIN) break;
      if (!leases.isAlive(request.dispatcher)) break;
      look = await this.#look(request, request.limit - claimed.length).catch((error: unknown) => {
        // What has been taken is handed out; the error comes again, if it lasts.
        if (claimed.length > 0) return NOTHING;
        throw error;
      });
      claimed.push(...look.won);
    }
    // Whoever is busy with other work leaves the places to those who could use them.
    this.sources.handovers.hasRoom(request, request.limit - claimed.length);
    if (claimed.length >= request.limit) await shares.wantNothing(request).catch(() => undefined);
    return claimed;
  }

  /** The life of a dispatcher is over. */
  forget(dispatcher: string): void {
    this.#turns.delete(dispatcher);
    for (const name of this.#looked.keys()) if (isOf(dispatcher, name)) this.#looked.delete(name);
  }

  async #look(request: ClaimRequest, limit: number): Promise<Look> {
    const { lanes, pauses, shares, ahead, collections } = this.sources;
    const { dispatcher, queue } = request;
    const forms = new Set([...request.forms].filter((form) => !pauses.isPaused(queue, form)));
    const atHand = ahead.of(dispatcher, queue, forms);
    const known = pauses.isPaused(queue) ? NO_LANES : lanes.of(queue, forms, (places) => this.#mayHave(places));
    const rung = this.#hasRung(request) || atHand.length === 0 ? known : this.#besides(dispatcher, atHand, known);
    if (limit <= 0) return NOTHING;
    if (rung.size === 0 && atHand.length === 0) {
      await shares.wantNothing(request);
      return NOTHING;
    }
    const limits = { limit, ahead: ahead.appetite(dispatcher) };
    const needing = [...rung.keys()].filter(needsPlaces).map((lane): Wanted => ({ lane, quotas: placesIn(lane) }));
    const inVain = needing.filter((wanted) => shares.waitsInVain(dispatcher, wanted));
    const keys = [...rung.keys()].filter((key) => !inVain.some(({ lane }) => lane === key));
    const read = keys.length === 0 ? NO_CANDIDATES : await readCandidates(collections, keys, limits);
    const waiting = read.jobs.length === 0 ? atHand : [...atHand, ...read.jobs].sort(inOrder);
    const wanted = waiting.filter(({ held }) => held === undefined);
    const token = new ObjectId().toHexString();
    const picked = await this.#inTurn(dispatcher, async () => {
      await shares.acquire(request, [...wanted, ...inVain], rung === known);
      return this.#pick(request, waiting, { limit, token });
    });
    const look = await this.#take(request, picked, { ...limits, token });
    this.#noteEmpty(rung, { queue, read, won: look.won, atHand });
    // Something may be left that could be taken at once, or is to be taken before what is at hand.
    if (look.mayFindMore || look.won.length >= limit || isPassedOver(read.jobs, atHand)) this.#looked.delete(nameOf(request));
    return look;
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
    const { shares, starts } = this.sources;
    return shares.couldEverFit(places) && !starts.isUsedUp(places);
  }

  /** Lanes that wait for no places, or for other ones than what is at hand and may get them now. */
  #besides(dispatcher: string, atHand: readonly JobDocument[], known: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
    const sets = new Set([...new Set(atHand.map(({ lane }) => lane))].map(placesOfLane));
    const { shares } = this.sources;
    const isWorthALook = (key: string): boolean =>
      !needsPlaces(key) || (!sets.has(placesOfLane(key)) && shares.mightFit(dispatcher, placesIn(key)));
    return new Map([...known].filter(([key]) => isWorthALook(key)));
  }

  /** Whether anything has become pending since the dispatcher looked last, so that it may go before what is at hand. */
  #hasRung(request: ClaimRequest): boolean {
    const name = nameOf(request);
    const rings = this.sources.lanes.rings(request.queue);
    const isNew = this.#looked.get(name) !== rings;
    this.#looked.set(name, rings);
    return isNew;
  }

  /** Lanes of which everything that waited has been taken need not be looked at before they ring again. */
  #noteEmpty(rung: ReadonlyMap<string, number>, { queue, read, won, atHand }: LookedAt): void {
    const taken = new Set(won.map(({ _id }) => _id.toHexString()));
    const left = new Set(read.jobs.filter(({ _id }) => !taken.has(_id.toHexString())).map(({ lane }) => lane));
    for (const [key, count] of rung) {
      if (left.has(key) || !read.wholeLanes.has(key)) continue;
      this.sources.lanes.quiet(queue, key, count);
      // Others have taken what was waited with.
      if (!atHand.some(({ lane }) => lane === key)) this.sources.shares.stopSaving(key);
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
    if (left.length > 0) this.sources.ahead.hunger(dispatcher);
    const chosen = { now, forLater: left.slice(0, limits.ahead), token: limits.token };
    const taken = await this.#takeStarted(request, chosen).catch((error: unknown) => {
      if (begun.length > 0) return [];
      throw error;
    });
    const won = this.#won([...begun, ...taken]);
    return { won, mayFindMore: batch !== undefined || won.length < now.length + begun.length };
  }

  async #takeStarted(request: ClaimRequest, chosen: Chosen): Promise<readonly JobDocument[]> {
    const { starts, takes } = this.sources;
    const { may, grant } = await this.#begin(chosen.now, chosen.token);
    const now = chosen.now.filter((job) => may.has(job));
    const apart = now.filter((job) => request.transactional?.has(formOfDocument(job)) === true);
    const taken = await takes.take(request.dispatcher, { ...chosen, now, apart });
    const won = taken.filter(({ status }) => status === 'active');
    // Those that were not won count too long, if that fails.
    await starts.giveBack(grant, won).catch(() => undefined);
    return won;
  }

  async #open(opening: Opening): Promise<void> {
    const { openings, starts } = this.sources;
    const { may, grant } = await this.#begin([opening.batch], opening.token);
    if (!may.has(opening.batch)) return;
    const isOpened = await openings.open(opening);
    await starts.giveBack(grant, isOpened ? [opening.batch] : []).catch(() => undefined);
  }

  /** Has a rate count the jobs that are to begin; of those that may not, the places are free again. */
  async #begin(jobs: readonly JobDocument[], token: string): Promise<Begin> {
    const { starts, uses } = this.sources;
    const free = (left: readonly JobDocument[]): void => {
      for (const { _id } of left) uses.freeSoon(attemptKey({ id: _id.toHexString(), token }));
    };
    try {
      const begin = await starts.begin(jobs);
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
    const { cancelled, shares, starts, time, ahead, uses } = this.sources;
    const picked: Picked = { now: [], begun: [], left: [] };
    /** Lanes without room, and whether the next place is the dispatcher's own. */
    const full = new Map<string, boolean>();
    const setAside = new Map<string, number>();
    for (const job of waiting) {
      if (picked.now.length + picked.begun.length === limit) break;
      if (cancelled.isAbove(job)) continue;
      if (job.startBy !== undefined && job.attempts === 0 && job.startBy <= time.estimate()) continue;
      const isFull = full.has(job.lane);
      // It may have been handed back since.
      if (!isFull && job.status === 'assigned' && !ahead.isAtHand(dispatcher, job)) continue;
      if (job.kind !== 'task' && picked.now.length + picked.begun.length > 0) return { ...picked, batch: job };
      if (!isFull && job.held === undefined && !starts.setAside(job.quotas, setAside)) {
        full.set(job.lane, false);
        continue;
      }
      const key = (): string => (job.status === 'assigned' ? attemptOf(job) : attemptKey({ id: job._id.toHexString(), token }));
      if (isFull || (job.held === undefined && !uses.use(key(), { dispatcher, lane: job.lane, places: job.quotas }))) {
        if (!isFull) full.set(job.lane, !starts.isRated(job.quotas) && shares.hasSome(dispatcher, job.quotas));
        if (full.get(job.lane) === true && job.status === 'pending' && mayBeClaimedAhead(job, request)) picked.left.push(job);
        continue;
      }
      if (job.kind !== 'task') return { ...picked, batch: job };
      if (job.status === 'assigned') picked.begun.push(ahead.begin(dispatcher, job));
      else picked.now.push(job);
    }
    return picked;
  }

  /** Those that are to run. */
  #won(won: readonly JobDocument[]): readonly JobDocument[] {
    const { news, running } = this.sources;
    for (const job of won) {
      running.add(job);
      // Of a first attempt nothing can be noted yet.
      news.changed(job.attempts === 1 ? withNote(job) : job);
    }
    return [...won].sort(inOrder);
  }

  /** With what it needs to run. */
  async #claimedJob(document: JobDocument): Promise<ClaimedJob> {
    const { token = '', attempts, failures } = document;
    const job = toJob(document);
    const attempt = { token, number: attempts, failures };
    const given = job.input === 'none' || document.parent === undefined ? undefined : await this.#given(document, document.parent);
    const reported = reportedOf(document);
    return { job, attempt, ...(given === undefined ? {} : { given }), ...(reported.size === 0 ? {} : { reported }) };
  }

  async #given({ input }: JobDocument, parent: ObjectId): Promise<ClaimedJob['given']> {
    const { collections, tender } = this.sources;
    if (input !== 'jobs') return tender.outcomeOf((await collections.jobs.findOne({ _id: parent })) ?? undefined);
    const steps = await collections.jobs.find({ parent, role: 'step' }, { sort: { index: 1 } });
    return steps.map(referenceOf) satisfies readonly JobReference[];
  }
}

/** Whether jobs wait that come before others at hand which need the same. */
function isPassedOver(waiting: readonly JobDocument[], atHand: readonly JobDocument[]): boolean {
  if (waiting.length === 0) return false;
  const last = new Map(atHand.map((job) => [placesOfLane(job.lane), job]));
  return waiting.some((job) => {
    const behind = last.get(placesOfLane(job.lane));
    return behind !== undefined && inOrder(job, behind) < 0;
  });
}
