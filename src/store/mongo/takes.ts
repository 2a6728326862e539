/** Takes jobs by one conditional write; where its answer is lost, the next look reads by the token what was taken. */

import type { ObjectId } from 'mongodb';
import type { Collections } from './collections.js';
import type { JobDocument } from './documents.js';
import { type Expression, literal, numberIn } from './expression.js';
import { asPipeline, Computed } from './jobs.js';
import type { Leases } from './leases.js';
import { attemptKey } from './running.js';
import type { ServerTime } from './server-time.js';
import type { Asker } from './shares.js';
import type { Where } from './table.js';
import type { Uses } from './uses.js';

export interface TakeSources {
  readonly collections: Collections;
  readonly leases: Leases;
  readonly uses: Uses;
  readonly time: ServerTime;
}

/** What is to be taken under one token: to be run now, and ahead. */
export interface Chosen {
  readonly now: readonly JobDocument[];
  readonly forLater: readonly JobDocument[];
  readonly token: string;
  /** Those of them whose attempts end in transactions. */
  readonly apart?: readonly JobDocument[];
}

export class Takes {
  /** By dispatcher and queue: writes that were not answered; the places of their jobs stay in use. */
  readonly #unanswered = new Map<string, readonly Chosen[]>();
  /** The tokens of all writes of which it is not known yet what they took. */
  readonly #open = new Set<string>();

  constructor(private readonly sources: TakeSources) {}

  /** What was taken; of all else, the places are free again. */
  async take(asker: Asker, chosen: Chosen): Promise<readonly JobDocument[]> {
    if (chosen.now.length + chosen.forLater.length === 0) return [];
    return this.under(asker, chosen, () => this.#write(asker.dispatcher, chosen));
  }

  /** What was taken by a write under a token, which is remembered until it is known. */
  async under(asker: Asker, chosen: Chosen, write: () => Promise<readonly JobDocument[]>): Promise<readonly JobDocument[]> {
    this.#open.add(chosen.token);
    try {
      return this.#known(chosen, await write());
    } catch (error) {
      this.#noteUnanswered(asker, [chosen]);
      throw error;
    }
  }

  /** What was taken by writes that were not answered, told once. One that is done even later is found by a round: its jobs have not begun. */
  async takenUnanswered(asker: Asker): Promise<readonly JobDocument[]> {
    const unanswered = this.#unanswered.get(nameOf(asker));
    if (unanswered === undefined) return [];
    this.#unanswered.delete(nameOf(asker));
    try {
      const found = await Promise.all(unanswered.map((chosen) => this.#taken(chosen)));
      return unanswered.flatMap((chosen, index) => this.#known(chosen, found[index] ?? []));
    } catch (error) {
      this.#noteUnanswered(asker, unanswered);
      throw error;
    }
  }

  /** The life of a dispatcher is over. */
  forget(dispatcher: string): void {
    for (const [name, unanswered] of this.#unanswered) {
      if (!isOf(dispatcher, name)) continue;
      this.#unanswered.delete(name);
      for (const { token } of unanswered) this.#open.delete(token);
    }
  }

  /** Whether it is still to be seen what was taken under a token. */
  isOpen(token: string): boolean {
    return this.#open.has(token);
  }

  #noteUnanswered(asker: Asker, unanswered: readonly Chosen[]): void {
    this.#unanswered.set(nameOf(asker), [...(this.#unanswered.get(nameOf(asker)) ?? []), ...unanswered]);
  }

  #known({ now, token }: Chosen, taken: readonly JobDocument[]): readonly JobDocument[] {
    this.#open.delete(token);
    const ids = new Set(taken.map(({ _id }) => _id.toHexString()));
    for (const { _id } of now) {
      const id = _id.toHexString();
      if (!ids.has(id)) this.sources.uses.freeSoon(attemptKey({ id, token }));
    }
    return taken;
  }

  #taken({ now, forLater, token }: Chosen): Promise<readonly JobDocument[]> {
    const open = { status: { $in: ['active' as const, 'assigned' as const] } };
    return this.sources.collections.jobs.find({ _id: { $in: idsOf([...now, ...forLater]) }, token, ...open });
  }

  async #write(dispatcher: string, chosen: Chosen): Promise<readonly JobDocument[]> {
    const { collections, leases, time } = this.sources;
    const { now, forLater, token, apart = [] } = chosen;
    const fence = leases.fence(dispatcher);
    if (fence === undefined) return [];
    const ids = idsOf([...now, ...forLater]);
    const inTime: Expression = { $or: [{ $gt: ['$attempts', 0] }, { $lt: [time.now, { $ifNull: ['$startBy', new Date(8.64e15)] }] }] };
    const isNow: Expression = { $in: ['$_id', literal(idsOf(now))] };
    const written = asPipeline({
      status: new Computed({ $cond: [isNow, 'active', 'assigned'] }),
      owner: dispatcher,
      token,
      startedAt: new Computed({ $cond: [isNow, time.now, '$startedAt'] }),
      attempts: new Computed({ $add: [numberIn('$attempts'), { $cond: [isNow, 1, 0] }] }),
      bell: undefined,
      ...(apart.length === 0 ? {} : { apart: new Computed({ $cond: [{ $in: ['$_id', literal(idsOf(apart))] }, true, '$apart'] }) }),
    });
    const filter: Where<JobDocument> = { _id: { $in: ids }, status: 'pending' as const, $expr: { $and: [fence, inTime] } };
    const { modifiedCount } = await collections.jobs.updateMany(filter, [{ $set: written }], { hint: { _id: 1 } });
    if (modifiedCount === 0) return [];
    if (modifiedCount !== ids.length) return this.#taken(chosen);
    const by = { owner: dispatcher, token, startedAt: time.estimate() };
    return [
      ...now.map((job) => taken(job, apart.includes(job) ? { ...by, apart: true } : by)),
      ...forLater.map(({ bell: _, ...job }): JobDocument => ({ ...job, status: 'assigned', owner: dispatcher, token })),
    ];
  }
}

/** Names one queue of a dispatcher in memory; as JSON, since both may have any characters. */
export function nameOf({ dispatcher, queue }: Asker): string {
  return JSON.stringify([dispatcher, queue]);
}

/** Whether a name is that of a queue of a dispatcher. */
export function isOf(dispatcher: string, name: string): boolean {
  return name.startsWith(`[${JSON.stringify(dispatcher)},`);
}

function idsOf(jobs: readonly JobDocument[]): ObjectId[] {
  return jobs.map(({ _id }) => _id);
}

/** A job as the write left it: nothing else can have changed while it was pending, but a wish to cancel ends it at once. */
function taken({ bell: _, ...job }: JobDocument, by: Pick<JobDocument, 'owner' | 'token' | 'startedAt' | 'apart'>): JobDocument {
  return { ...job, ...by, status: 'active', attempts: job.attempts + 1 };
}
