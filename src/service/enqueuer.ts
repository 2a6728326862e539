/** Queues plans: checks permissions, makes jobs, and inserts them, at once or with the transaction around the call. */

import { firstValueFrom, from, map, race, timer } from 'rxjs';
import { UncertainError } from '../errors.js';
import { expand, expandCallback, expandStep } from '../job/expand-plan.js';
import type { ExpansionContext } from '../job/expansion-context.js';
import { jobGone } from '../job/job-errors.js';
import { type CallbackPlan, type JobPlan, sidesOf } from '../job/job-plan.js';
import { firstState, type JobRecord, type JobTree } from '../job/job-record.js';
import type { JobSealer } from '../job/job-sealer.js';
import { queuedBytes } from '../job/job-size.js';
import type { AccessGuard } from '../principal/access-guard.js';
import { currentActor } from '../principal/actor.js';
import { GroupCommit } from '../store/async/group-commit.js';
import { recordOrThrow } from '../store/insert-result.js';
import type { InsertResult } from '../store/store-messages.js';
import { signalAround, untilAborted } from '../task/current-task.js';
import { AdmissionQueue } from './admission-queue.js';
import type { Job } from './job.js';
import { type JobAccess, NOBODY, see } from './job-access.js';
import { handleOf } from './job-handles.js';
import { retryTree } from './manual-retry.js';
import { runIn, stageAround } from './stage-around.js';
import { StagedJobs } from './staged-jobs.js';

/** How many bytes one call of the store inserts at most. */
const MAX_INSERT_BYTES = 16 * 1024 * 1024;

export interface EnqueuerSources {
  readonly expansion: ExpansionContext;
  readonly accessGuard: AccessGuard;
  readonly sealer: JobSealer;
  readonly queueTimeoutMs: number | undefined;
  /** The access that handles are given. */
  readonly access: JobAccess;
  /** Throws where nothing can be queued now. */
  readonly checkRunning: () => void;
  /** Is called with every job before it is queued. */
  readonly note: (tree: JobTree) => void;
}

export class Enqueuer {
  readonly #inserts: GroupCommit<JobTree, InsertResult>;
  readonly #admissionQueue = new AdmissionQueue();

  constructor(private readonly sources: EnqueuerSources) {
    this.#inserts = new GroupCommit((trees) => sources.access.store.insert(trees), { maxBytes: MAX_INSERT_BYTES, bytesOf: treeBytes });
  }

  /** Whether nothing that was asked for is still to be stored. */
  get isIdle(): boolean {
    return this.#inserts.isIdle && this.#admissionQueue.isEmpty;
  }

  /** Refuses calls that are not admitted yet, and resolves when all others have been stored, or have failed. */
  close(reason: unknown): Promise<void> {
    this.#admissionQueue.giveUp(reason);
    return this.#inserts.idle();
  }

  async queue(plan: JobPlan): Promise<Job<never>> {
    const admitted = this.#admitted([plan]);
    if (admitted !== undefined) await admitted;
    return this.#put(this.#planted(plan));
  }

  /** All of them, where every plan can be planted. */
  async queueAll(plans: readonly JobPlan[]): Promise<readonly Job<never>[]> {
    const admitted = this.#admitted(plans);
    if (admitted !== undefined) await admitted;
    const trees = plans.map((plan) => this.#planted(plan));
    return Promise.all(trees.map((tree) => this.#put(tree)));
  }

  /** @throws JobNotFoundError */
  async extend(batchId: string, plans: readonly JobPlan[]): Promise<readonly Job<never>[]> {
    this.sources.checkRunning();
    const staged = stageAround(this);
    const [record] = await this.sources.access.store.find({ ids: [batchId] });
    const batch = record?.job ?? staged?.jobOf(batchId);
    if (batch === undefined) throw jobGone(batchId, 'no jobs can be added to it');
    await this.#admitted(plans);
    const trees = plans.map((plan) => this.#noted(expandStep(plan, batch, this.sources.expansion)));
    // All or none: one by one, the batch could come to its end before the last.
    const put = (): Promise<readonly Job<never>[]> => Promise.all(trees.map((tree) => this.#put(tree)));
    const [first] = trees;
    return staged !== undefined || first === undefined || trees.length < 2 ? put() : this.#inTime(this.transaction(put), first);
  }

  async addCallback(callback: CallbackPlan, parent: JobRecord): Promise<Job<never>> {
    const admitted = this.#admitted(sidesOf(callback).map(([plan]) => plan));
    if (admitted !== undefined) await admitted;
    return this.#put(this.#noted(expandCallback(callback, parent.job, this.sources.expansion)));
  }

  async retry(id: string): Promise<Job<never>> {
    this.sources.checkRunning();
    const { access, expansion, sealer } = this.sources;
    return this.#put(await retryTree(id, { store: access.store, clock: access.clock, sealer, nextId: expansion.nextId }));
  }

  /** Runs code in a transaction of the store, or in that in which it runs already. */
  async transaction<T>(fn: (session: object) => Promise<T>): Promise<T> {
    this.sources.checkRunning();
    const outer = stageAround(this);
    if (outer?.isOpen === true) return fn(outer.session);
    let stage: StagedJobs | undefined;
    const signal = signalAround();
    return this.sources.access.store.transactions.run(
      (session) => {
        // An earlier try has left nothing.
        stage?.abort();
        stage = this.#newStage(session);
        return this.#staged(stage, () => fn(session));
      },
      signal === undefined ? {} : { signal },
    );
  }

  /** Runs code in the transaction of a session, which the application commits. */
  async within<T>(session: object, fn: () => Promise<T>): Promise<T> {
    this.sources.checkRunning();
    return this.#staged(this.#newStage(session), fn);
  }

  /** The admission to wait for before plans may be queued, if any: waiting for none would change the order of the calls. */
  #admitted(plans: readonly JobPlan[]): Promise<void> | undefined {
    this.sources.checkRunning();
    const admitted = this.#admissionQueue.after(this.sources.accessGuard.admit(plans), currentActor());
    return admitted === undefined ? undefined : untilAborted(admitted, signalAround());
  }

  #planted(plan: JobPlan): JobTree {
    this.sources.checkRunning();
    return this.#noted(expand(plan, this.sources.expansion));
  }

  #noted(tree: JobTree): JobTree {
    this.sources.note(tree);
    return tree;
  }

  /** Stores a tree, at once or with the transaction around it. */
  async #put(tree: JobTree): Promise<Job<never>> {
    const stage = stageAround(this);
    return stage === undefined ? this.#inTime(this.#insert(tree), tree) : this.#stage(stage, tree);
  }

  async #insert(tree: JobTree): Promise<Job<never>> {
    const record = recordOrThrow(await this.#inserts.add(tree));
    return this.#handle(record, record.job.id !== tree[0].id);
  }

  /** The store's answer, or an error if it takes longer than the application wants to wait; the insert goes on all the same. */
  #inTime<T>(stored: Promise<T>, [{ id, taskName }]: JobTree): Promise<T> {
    const { queueTimeoutMs, access } = this.sources;
    if (queueTimeoutMs === undefined) return stored;
    const late = timer(queueTimeoutMs, access.clock.scheduler).pipe(
      map((): never => {
        throw new UncertainError(
          `the store has not answered whether job ${id} (${taskName}) was queued within \`queueTimeoutMs\` of ${queueTimeoutMs}; it may have been, or be yet. Look for it with \`getJob\`, or queue it again under a unique key`,
        );
      }),
    );
    return firstValueFrom(race(from(stored), late));
  }

  async #handle(record: JobRecord, isExisting: boolean): Promise<Job<never>> {
    const { access } = this.sources;
    return handleOf(access, await see(record, access.store), isExisting) as unknown as Job<never>;
  }

  /** @returns a handle that is of use once the transaction has committed */
  async #stage(stage: StagedJobs, tree: JobTree): Promise<Job<never>> {
    const { store, clock } = this.sources.access;
    const [job] = tree;
    if (job.unique !== undefined || job.retryOf !== undefined) {
      // Which job it will be is known only to the store.
      const records = await stage.insertWith(tree, (trees) => store.insert(trees, stage.session));
      const record = records.at(-1) as JobRecord;
      const isExisting = record.job.id !== job.id;
      return isExisting && !stage.has(record.job.id) ? this.#handle(record, isExisting) : this.#stagedHandle(stage, record, isExisting);
    }
    stage.add(tree);
    const state = firstState(job, { order: 0, now: new Date(clock.now()) }, job.parent !== undefined);
    return this.#stagedHandle(stage, { job, state }, false);
  }

  #stagedHandle(stage: StagedJobs, record: JobRecord, isExisting: boolean): Job<never> {
    const checkThere = (id: string): void => stage.check(id);
    const addCallback: JobAccess['addCallback'] = async (callback, parent) => {
      stage.checkFor(stageAround(this), parent.job.id);
      return this.addCallback(callback, parent);
    };
    const access = { ...this.sources.access, checkThere, addCallback };
    return handleOf(access, { record, named: NOBODY }, isExisting) as unknown as Job<never>;
  }

  #newStage(session: object): StagedJobs {
    return new StagedJobs(session, this.sources.access.store.transactions.attach(session));
  }

  /** Runs code whose jobs are stored together when it has ended. */
  async #staged<T>(stage: StagedJobs, fn: () => Promise<T>): Promise<T> {
    try {
      const done = await runIn(stage, this, fn);
      await this.#store(stage);
      return done;
    } catch (error) {
      stage.abort();
      throw error;
    }
  }

  async #store(stage: StagedJobs): Promise<void> {
    const trees = stage.close();
    if (trees.length === 0) return;
    this.sources.checkRunning();
    for (const answer of await this.sources.access.store.insert(trees, stage.session)) recordOrThrow(answer);
  }
}

function treeBytes(tree: JobTree): number {
  return tree.reduce((sum, job) => sum + queuedBytes(job), 0);
}
