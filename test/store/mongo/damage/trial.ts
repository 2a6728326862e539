/** Damages one document while jobs wait, run and end: whoever else is concerned goes on. */

import { type Document, ObjectId } from 'mongodb';
import { expect } from 'vitest';
import { currentTask, type Job, makeJob, parallel, serial, task } from '../../../../src/index.js';
import { type Deferred, deferred } from '../../../support/deferred.js';
import type { Process, Processes } from '../processes.js';
import type { Seed } from './seeds.js';

const HELD = 'held';

/** A deployment of two processes, in which many documents are damaged one after the other. */
export class DamagedDeployment {
  readonly #gates = new Map<string, Deferred<void>>();
  readonly #begun = new Map<string, Deferred<void>>();
  readonly logged: string[] = [];

  readonly quick = task('quick', { quotas: [] }, (x: number) => x + 1);
  readonly quota = task('quota', { quotas: ['narrow'] }, (x: number) => x + 1);
  readonly gated = task('gated', { quotas: ['narrow'] }, async (name: string) => this.#pass(name));
  readonly open = task('open', { quotas: [] }, async (name: string) => this.#pass(name));
  readonly apart = task('apart', { quotas: [], transactional: true }, async (name: string) => {
    currentTask().progress(1);
    currentTask().annotate('a', 1);
    await this.#pass(name);
  });
  web: Process | undefined;
  worker: Process | undefined;

  constructor(private readonly processes: Processes) {}

  async start(): Promise<void> {
    const { quick, quota, gated, open, apart } = this;
    const note = (message: string): void => void this.logged.push(message);
    const logger = { debug: () => {}, info: () => {}, warn: note, error: note };
    const tasks = [quick, quota, gated, open, apart];
    const quotas = { default: 2, narrow: 1 };
    const agents = [{ concurrency: 20 }, { queue: HELD, concurrency: 5 }];
    const schedules = [{ name: 'often', every: '* * * * * *', job: makeJob(quick, 1) }];
    this.worker = await this.processes.start({ tasks, quotas, logger, schedules, dispatcher: { agents, heartbeatMs: 200, pollMs: 500 } });
    this.web = await this.processes.start({ tasks, quotas, logger, dispatcher: false });
  }

  #gate(name: string): Deferred<void> {
    const gate = this.#gates.get(name) ?? deferred();
    this.#gates.set(name, gate);
    return gate;
  }

  #beginning(name: string): Deferred<void> {
    const begun = this.#begun.get(name) ?? deferred();
    this.#begun.set(name, begun);
    return begun;
  }

  async #pass(name: string): Promise<void> {
    this.#beginning(name).resolve();
    await this.#gate(name).promise;
  }

  async run({ title, collection, state, update }: Seed): Promise<void> {
    const { web, worker } = this;
    if (web === undefined || worker === undefined) throw new Error('nothing has been started');
    const { async } = web;
    await async.pause({ queue: HELD });
    const { victim, target = victim } = await this.#victim(title, state);
    const held = { queue: HELD };
    const others: Job<unknown>[] = [
      await async.queueJob(this.quick, 1),
      await async.queueJob(makeJob(this.quick, 1).with(held)),
      await async.queueJob(makeJob(this.quota, 1).with(held)),
      await async.queueJob(makeJob(this.quick, 1).with({ delayMs: 50, name: 'later' })),
      await async.queueJob(this.open, `other ${title}`),
      await async.queueJob(serial(makeJob(this.quick, 1), makeJob(this.quota, 2)).with({ quotas: [] })),
      await async.queueJob(parallel(makeJob(this.quick, 1), makeJob(this.quick, 2)).with({ quotas: [] })),
    ];
    await this.#beginning(`other ${title}`).promise;
    await this.#damage(collection, target, update);
    await async.resume({ queue: HELD });
    others.push(await async.queueJob(this.quota, 5), await async.queueJob(this.quick, 6));
    this.#gate(`other ${title}`).resolve();
    this.#gate(title).resolve();
    for (const other of others) await other.waitForResult();
    expect(Array.isArray(await async.getJobs({ limit: 1_000 }))).toBe(true);
    await this.#endsOrIsListed(target);
    expect(this.logged.filter((message) => message.includes('cannot be reached'))).toEqual([]);
    this.#gates.clear();
    this.#begun.clear();
  }

  /** A job in the state that is asked for, and the one that is damaged where it is another one. */
  async #victim(title: string, state: Seed['state']): Promise<{ readonly victim: Job<unknown>; readonly target?: Job<unknown> }> {
    const async = this.web?.async;
    if (async === undefined) throw new Error('nothing has been started');
    const held = { queue: HELD };
    switch (state) {
      case 'pending':
        return {
          victim: await async.queueJob(makeJob(this.quota, 1).with({ ...held, uniqueKey: title, beginBy: new Date(Date.now() + 60_000) })),
        };
      case 'scheduled':
        return { victim: await async.queueJob(makeJob(this.quota, 1).with({ delayMs: 300, retry: { attempts: 2 } })) };
      case 'running': {
        const victim = await async.queueJob(this.gated, title);
        await this.#beginning(title).promise;
        return { victim };
      }
      case 'transactional': {
        const victim = await async.queueJob(this.apart, title);
        await this.#beginning(title).promise;
        return { victim };
      }
      case 'blocked': {
        const victim = await async.queueJob(serial(makeJob(this.open, title), makeJob(this.quick, 1)).with({ quotas: [] }));
        await this.#beginning(title).promise;
        return { victim, target: await this.#below(victim, 1) };
      }
      case 'open batch': {
        const victim = await async.queueJob(parallel(makeJob(this.open, title), makeJob(this.quick, 1)).with({ quotas: ['default'] }));
        await this.#beginning(title).promise;
        return { victim };
      }
      case 'choice': {
        const victim = await async.queueJob(
          makeJob(this.open, title).withCallbacks({ success: makeJob(this.quick, 1), failure: makeJob(this.quick, 2) }),
        );
        await this.#beginning(title).promise;
        return { victim, target: await this.#below(victim, 0) };
      }
      case 'callbacks': {
        const victim = await async.queueJob(makeJob(this.quick, 1).withCallback(makeJob(this.open, title)));
        await this.#beginning(title).promise;
        return { victim };
      }
      case 'ended': {
        const victim = await async.queueJob(this.quick, 1);
        await victim.waitForResult();
        return { victim };
      }
    }
  }

  async #below(job: Job<unknown>, index: number): Promise<Job<unknown>> {
    const found = await this.processes
      .collection('jobs')
      .find({ parent: new ObjectId(job.id) })
      .sort({ position: 1 })
      .toArray();
    const below = await this.web?.async.getJob(String(found[index]?._id));
    if (below === undefined) throw new Error('there is nothing below');
    return below;
  }

  async #damage(collection: Seed['collection'], target: Job<unknown>, update: Document): Promise<void> {
    const table = this.processes.collection(collection);
    const [field = ''] = Object.keys(update['$set'] ?? update['$unset']);
    if (collection === 'jobs' || collection === 'notes') await table.updateOne({ _id: new ObjectId(target.id) }, update);
    else if (collection === 'quotas') await table.updateOne({ _id: 'narrow' } as object, update);
    else if (collection === 'control')
      await table.updateOne({ _id: ({ paused: 'paused', names: 'quotas' } as Record<string, string>)[field] ?? 'store' } as object, update);
    else await table.updateMany({}, update);
  }

  async #endsOrIsListed(target: Job<unknown>): Promise<void> {
    const async = this.web?.async;
    const isListed = (await async?.getUnreadableJobs({ limit: 1_000 }))?.some(({ job }) => job.id === target.id);
    if (isListed !== true) await target.waitForOutcome();
  }
}
