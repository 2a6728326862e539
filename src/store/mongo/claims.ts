/** Hands out jobs: reads the heads of the lanes in order, takes places for them, and takes them by one conditional write. */

import { ObjectId } from 'mongodb';
import type { JobReference } from '../../job/job-reference.js';
import type { ClaimedJob, ClaimRequest } from '../job-store.js';
import type { Ahead } from './ahead.js';
import type { Collections } from './collections.js';
import type { JobDocument } from './documents.js';
import { asPipeline, Computed } from './jobs.js';
import { byPlaces, type Lanes, placesOfLane } from './lanes.js';
import type { Leases } from './leases.js';
import type { News } from './news.js';
import { inOrder } from './order.js';
import { referenceOf, toJob } from './records.js';
import type { Relief } from './relief.js';
import { attemptKey, type Running } from './running.js';
import type { ServerTime } from './server-time.js';
import type { Shares } from './shares.js';
import type { Tender } from './tender.js';

export interface ClaimSources {
  readonly ahead: Ahead;
  readonly collections: Collections;
  readonly relief: Relief;
  readonly lanes: Lanes;
  readonly leases: Leases;
  readonly running: Running;
  readonly shares: Shares;
  readonly time: ServerTime;
  readonly tender: Tender;
  readonly news: News;
  /** Who sees to it that the steps of a batch begin. */
  readonly process: string;
}

/** How one look at the lanes went. */
interface Look {
  readonly won: readonly JobDocument[];
  /** A batch was opened, or somebody was faster, so that another look may find more. */
  readonly mayFindMore: boolean;
}

/** What a look has seen, and taken. */
interface Seen {
  readonly queue: string;
  readonly waiting: readonly JobDocument[];
  readonly won: readonly JobDocument[];
  readonly limit: number;
}

/** What is to be taken now, what was in hand and has begun, and what waits for nothing but a place in a quota. */
interface Picked {
  readonly now: JobDocument[];
  readonly begun: JobDocument[];
  readonly left: JobDocument[];
}

interface Chosen {
  readonly now: readonly JobDocument[];
  readonly forLater: readonly JobDocument[];
  readonly token: string;
}

const NO_LANES: ReadonlyMap<string, number> = new Map();
const NOTHING: Look = { won: [], mayFindMore: false };

export class Claims {
  /** By dispatcher and queue: how often its lanes had rung when it looked last. */
  readonly #looked = new Map<string, number>();

  constructor(private readonly sources: ClaimSources) {}

  async claim(request: ClaimRequest): Promise<readonly ClaimedJob[]> {
    const { leases, shares } = this.sources;
    const claimed: JobDocument[] = [];
    if (!leases.isAlive(request.dispatcher)) return [];
    await shares.yieldIdle();
    for (let look = { ...NOTHING, mayFindMore: true } as Look; look.mayFindMore && claimed.length < request.limit; ) {
      look = await this.#look(request, request.limit - claimed.length).catch((error: unknown) => {
        // What has been taken is handed out; the error comes again, if it lasts.
        if (claimed.length > 0) return NOTHING;
        throw error;
      });
      claimed.push(...look.won);
    }
    return Promise.all(claimed.map((job) => this.#claimedJob(job)));
  }

  async #look(request: ClaimRequest, limit: number): Promise<Look> {
    const { lanes, shares, ahead } = this.sources;
    const { dispatcher, queue, tasks } = request;
    const inHand = ahead.of(dispatcher, queue, tasks);
    const rung = this.#hasRung(request) || inHand.length === 0 ? lanes.of(queue, tasks) : NO_LANES;
    if ((rung.size === 0 && inHand.length === 0) || limit <= 0) return NOTHING;
    const read = rung.size === 0 ? [] : await this.#candidates([...rung.keys()], limit);
    const waiting = [...inHand, ...read].sort(inOrder);
    await shares.acquire(
      dispatcher,
      waiting.filter(({ held }) => held !== true).map(({ quotas }) => quotas),
    );
    const look = await this.#take(request, waiting, limit);
    this.#noteEmpty(rung, { queue, waiting: read, won: look.won, limit });
    return look;
  }

  /** Whether anything has become pending since the dispatcher looked last, so that it may go before what is in hand. */
  #hasRung({ dispatcher, queue }: ClaimRequest): boolean {
    const name = `${dispatcher} ${queue}`;
    const rings = this.sources.lanes.rings(queue);
    const isNew = this.#looked.get(name) !== rings;
    this.#looked.set(name, rings);
    return isNew;
  }

  /** Lanes of which everything that waited has been taken need not be looked at before they ring again. */
  #noteEmpty(rung: ReadonlyMap<string, number>, { queue, waiting, won, limit }: Seen): void {
    const taken = new Set(won.map(({ _id }) => _id.toHexString()));
    const left = new Set(waiting.filter(({ _id }) => !taken.has(_id.toHexString())).map(({ lane }) => lane));
    for (const [key, count] of rung)
      if (!left.has(key) && this.#wasReadWhole(waiting, key, limit)) this.sources.lanes.quiet(queue, key, count);
  }

  /** Up to so many of each set of quotas, so that none hides the others. */
  async #candidates(keys: readonly string[], limit: number): Promise<readonly JobDocument[]> {
    const { collections } = this.sources;
    const sets = [...byPlaces(keys).values()];
    const read = await Promise.all(
      sets.map((lanes) =>
        collections.jobs
          .find({ status: 'pending', lane: { $in: lanes } })
          .sort({ priority: 1, order: 1, _id: 1 })
          .limit(limit)
          .hint('ready')
          .toArray(),
      ),
    );
    return read.flat().sort(inOrder);
  }

  #wasReadWhole(waiting: readonly JobDocument[], key: string, limit: number): boolean {
    const places = placesOfLane(key);
    return waiting.filter(({ lane }) => placesOfLane(lane) === places).length < limit;
  }

  /** Takes jobs in their order, up to a batch; one that comes first is opened. */
  async #take(request: ClaimRequest, waiting: readonly JobDocument[], limit: number): Promise<Look> {
    const { shares, time, ahead, news } = this.sources;
    const { dispatcher } = request;
    const token = new ObjectId().toHexString();
    const picked: Picked = { now: [], begun: [], left: [] };
    for (const job of waiting) {
      if (picked.now.length + picked.begun.length === limit) break;
      if (job.startBy !== undefined && job.attempts === 0 && job.startBy <= time.estimate()) continue;
      if (job.kind !== 'task' && picked.now.length + picked.begun.length > 0) return this.#win(request, picked, token, true);
      const key = attemptKey({ id: job._id.toHexString(), token: job.status === 'assigned' ? (job.token ?? '') : token });
      if (job.held !== true && !shares.use(key, dispatcher, job.lane, job.quotas)) {
        if (mayBeClaimedAhead(job) && shares.hasSome(dispatcher, job.quotas)) picked.left.push(job);
        continue;
      }
      if (job.kind !== 'task') {
        await this.#open(request, job, token);
        await news.idle();
        return { won: [], mayFindMore: true };
      }
      if (job.status === 'assigned') picked.begun.push(ahead.begin(dispatcher, job));
      else picked.now.push(job);
    }
    return this.#win(request, picked, token, false);
  }

  async #win(request: ClaimRequest, { now, begun, left }: Picked, token: string, mayFindMore: boolean): Promise<Look> {
    const { shares, news, running, ahead } = this.sources;
    const forLater = left.slice(0, ahead.appetite(request.dispatcher, left.length));
    const written = await this.#written(request, { now, forLater, token }, begun.length > 0);
    const won = written.filter(({ status }) => status === 'active');
    ahead.add(
      request.dispatcher,
      written.filter(({ status }) => status === 'assigned'),
    );
    for (const job of [...begun, ...won]) {
      running.add(job);
      news.changed(job);
    }
    const lost = now.filter(({ _id }) => !won.some((job) => job._id.equals(_id)));
    await Promise.all(lost.map(({ _id }) => shares.free(attemptKey({ id: _id.toHexString(), token }))));
    return { won: [...begun, ...won].sort(inOrder), mayFindMore: mayFindMore || lost.length > 0 };
  }

  /** What was taken. After an error nobody knows: places are given back, and what was taken all the same is found by a round. */
  async #written(request: ClaimRequest, chosen: Chosen, hasOthers: boolean): Promise<readonly JobDocument[]> {
    if (chosen.now.length + chosen.forLater.length === 0) return [];
    try {
      return await this.#write(request, chosen);
    } catch (error) {
      const keys = chosen.now.map(({ _id }) => attemptKey({ id: _id.toHexString(), token: chosen.token }));
      for (const key of keys) this.sources.shares.freeSoon(key);
      if (hasOthers) return [];
      throw error;
    }
  }

  async #write({ dispatcher }: ClaimRequest, { now, forLater, token }: Chosen): Promise<readonly JobDocument[]> {
    const { collections, leases, time } = this.sources;
    const fence = leases.fence(dispatcher);
    if (fence === undefined) return [];
    const chosen = [...now, ...forLater];
    const ids = chosen.map(({ _id }) => _id);
    const inTime = { $or: [{ $gt: ['$attempts', 0] }, { $lt: [time.now, { $ifNull: ['$startBy', { $literal: new Date(8.64e15) }] }] }] };
    const isNow = { $in: ['$_id', { $literal: now.map(({ _id }) => _id) }] };
    const written = asPipeline({
      status: new Computed({ $cond: [isNow, 'active', 'assigned'] }),
      owner: dispatcher,
      token,
      startedAt: new Computed({ $cond: [isNow, time.now, '$startedAt'] }),
      attempts: new Computed({ $add: ['$attempts', { $cond: [isNow, 1, 0] }] }),
      bell: undefined,
    });
    const filter = { _id: { $in: ids }, status: 'pending' as const, $expr: { $and: [fence, inTime] } };
    const { modifiedCount } = await collections.jobs.updateMany(filter, [{ $set: written }], { hint: { _id: 1 } });
    if (modifiedCount !== ids.length) return collections.jobs.find({ _id: { $in: ids }, token }).toArray();
    return [
      ...now.map((job) => taken(job, { owner: dispatcher, token, startedAt: time.estimate() })),
      ...forLater.map(({ bell: _, ...job }): JobDocument => ({ ...job, status: 'assigned', owner: dispatcher, token })),
    ];
  }

  async #open({ dispatcher }: ClaimRequest, batch: JobDocument, token: string): Promise<void> {
    const { collections, leases, time, shares, tender, news, relief } = this.sources;
    const fence = leases.fence(dispatcher);
    const id = batch._id.toHexString();
    const key = attemptKey({ id, token });
    const hasPlaces = Object.keys(batch.quotas).length > 0;
    const written = asPipeline({
      status: 'active',
      waiting: 'steps',
      owner: this.sources.process,
      attempts: 1,
      startedAt: new Computed(time.now),
      bell: undefined,
      startBy: undefined,
      ...(hasPlaces ? { held: true } : {}),
    });
    const filter = { _id: batch._id, status: 'pending' as const, $expr: fence ?? false };
    let opened: JobDocument | null = null;
    try {
      opened = await collections.jobs.findOneAndUpdate(filter, [{ $set: written }], { returnDocument: 'after' });
      // Only who has opened it makes the places the batch's own.
      if (opened !== null && hasPlaces && batch.held !== true) await shares.keepFor(id, key);
    } finally {
      await shares.free(key);
    }
    if (opened === null) return;
    news.changed(opened);
    await tender.open(opened);
    relief.add(opened);
  }

  async #claimedJob(document: JobDocument): Promise<ClaimedJob> {
    const { token = '', attempts, failures } = document;
    const job = toJob(document);
    const attempt = { token, number: attempts, failures };
    const given = job.input === 'none' || document.parent === undefined ? undefined : await this.#given(document, document.parent);
    return given === undefined ? { job, attempt } : { job, attempt, given };
  }

  async #given({ input }: JobDocument, parent: ObjectId): Promise<ClaimedJob['given']> {
    const { collections, tender } = this.sources;
    if (input !== 'jobs') return tender.outcomeOf((await collections.jobs.findOne({ _id: parent })) ?? undefined);
    const steps = await collections.jobs.find({ parent, role: 'step' }).sort({ index: 1 }).toArray();
    return steps.map(referenceOf) satisfies readonly JobReference[];
  }
}

/** A job as the write left it: nothing else can have changed while it was pending, but a wish to cancel ends it at once. */
function taken({ bell: _, ...job }: JobDocument, by: Pick<JobDocument, 'owner' | 'token' | 'startedAt'>): JobDocument {
  return { ...job, ...by, status: 'active', attempts: job.attempts + 1 };
}

/** One that must not be begun twice has to be recorded as begun before it is; one that expires stays where it is looked for. */
function mayBeClaimedAhead({ kind, status, limits, startBy }: JobDocument): boolean {
  return kind === 'task' && status === 'pending' && limits.interruptions > 0 && startBy === undefined;
}
