/** The set-up of a contract case: a fresh store, its time, live dispatchers, and short ways to use them. */

import { deepEqual, equal, fail, ok } from 'node:assert/strict';
import { type Observable, Subscription } from 'rxjs';
import type { Clock } from '../../clock.js';
import { expand, expandCallback } from '../../job/expand-plan.js';
import type { ExpansionContext } from '../../job/expansion-context.js';
import { JobIds } from '../../job/job-id.js';
import type { CallbackPlan, JobPlan } from '../../job/job-plan.js';
import type { JobRecord, JobState, JobTree, QueuedJob } from '../../job/job-record.js';
import { FINAL, type FinalStatus, type Status } from '../../job/job-status.js';
import type { StoredOutcome } from '../../job/outcome.js';
import { Payload } from '../../job/payload.js';
import { taskVersionOf } from '../../job/task-version.js';
import type { JobStore } from '../../store/job-store.js';
import type { ChangeFilter, StoreChange } from '../../store/store-changes.js';
import type {
  AttemptInfo,
  AttemptKey,
  ClaimedJob,
  InsertResult,
  RescheduleRequest,
  RescheduleResult,
  Settlement,
} from '../../store/store-messages.js';
import { seededRandom } from '../seeded-random.js';

/** Given by the test that runs the contract: a new store for each case, and control of its time. */
export interface StoreBench {
  /** Not started yet. */
  readonly store: JobStore;
  readonly clock: Clock;
  /** Moves the time of the store and of the clock. */
  advance(ms: number): Promise<void>;
  /** Resolves when all follow-ups of earlier calls have been done, and listeners notified. */
  settled(): Promise<void>;
}

/** The quotas of every case, in their lock order. */
export const LAB_QUOTAS: ReadonlyMap<string, number> = new Map([
  ['default', 1],
  ['pair', 2],
  ['trio', 3],
  ['wide', 10],
]);

/** The same as they are configured: the place of `default` there does not matter. */
const CONFIGURED = new Map([...[...LAB_QUOTAS].slice(1), ['default', 1]] as const);

export const LEASE_MS = 30_000;
const BEAT_MS = 10_000;
/** Longer than any store waits until it takes a lease for over. */
const DEATH_MS = 2 * LEASE_MS;
const MANY = 100;

/** One interest of each kind. @param job - the one that is watched */
export function everyInterest(job: string): readonly ChangeFilter[] {
  return [{ work: '' }, { due: true }, { cancelsOf: 'a' }, { job }, { outcomes: 'here' }, { outcomes: 'everywhere' }];
}

/** A claimed job, which also is the key of its attempt. */
export interface Run extends ClaimedJob, AttemptKey {}

export interface Claim {
  readonly by?: string;
  readonly limit?: number;
  readonly queue?: string;
  /** Every task that was planted, unless given. */
  readonly tasks?: readonly string[];
  /** Those of them whose attempts end in transactions. */
  readonly transactional?: readonly string[];
}

/** The changes that a subscription to `changes` emits, gathered until the case is over. */
export interface Watch {
  readonly seen: readonly StoreChange[];
  readonly records: readonly JobRecord[];
  readonly isComplete: boolean;
  /** Listens no more. */
  leave(): void;
}

export class StoreLab {
  readonly store: JobStore;
  readonly expansion: ExpansionContext;
  readonly #tasks = new Set<string>();
  readonly #alive = new Set<string>();
  readonly #subscriptions: Subscription[] = [];
  #isStopped = true;

  private constructor(private readonly bench: StoreBench) {
    this.store = bench.store;
    const ids = new JobIds(seededRandom(1));
    this.expansion = {
      nextId: () => ids.next(bench.clock.now()),
      book: LAB_QUOTAS,
      valueLimitBytes: 1_000_000,
      inheritMetadata: ['tenant'],
    };
  }

  /** Starts the store, with `a` and `b` as live dispatchers. */
  static async open(bench: StoreBench): Promise<StoreLab> {
    const lab = new StoreLab(bench);
    await lab.#start();
    return lab;
  }

  async #start(): Promise<void> {
    await this.store.start({ clock: this.bench.clock, quotas: CONFIGURED });
    this.#isStopped = false;
    await this.keepAlive('a');
    await this.keepAlive('b');
  }

  /** Stops the store, if it is not stopped, and starts it again. */
  async restart(): Promise<void> {
    await this.stop();
    await this.#start();
  }

  async close(): Promise<void> {
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
    await this.stop();
  }

  /** Stops the store, once. */
  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    await this.store.stop();
  }

  // ---- Time

  get clock(): Clock {
    return this.bench.clock;
  }

  get now(): number {
    return this.bench.clock.now();
  }

  /** The time `ms` milliseconds from now. */
  in(ms: number): Date {
    return new Date(this.now + ms);
  }

  settled(): Promise<void> {
    return this.bench.settled();
  }

  /** Lets calls that are under way, and their follow-ups, go as far as they can before a transaction has ended. */
  async meanwhile(): Promise<void> {
    for (let look = 0; look < MANY; look++) await this.store.count({});
  }

  /** Makes calls of the port in one turn, in this order, and waits for all that follows. */
  async together<const C extends readonly Promise<unknown>[]>(...calls: C): Promise<{ -readonly [I in keyof C]: Awaited<C[I]> }> {
    const answers = await Promise.all(calls);
    await this.settled();
    return answers;
  }

  /** Moves time; dispatchers that are kept alive renew their leases on the way. */
  async advance(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= BEAT_MS) {
      await this.bench.advance(Math.min(left, BEAT_MS));
      for (const dispatcher of this.#alive) await this.store.heartbeat(dispatcher, LEASE_MS);
    }
  }

  /** Moves time, then lets the store handle the jobs that have come due. */
  async later(ms: number): Promise<void> {
    await this.advance(ms);
    await this.recover();
  }

  async recover(by = 'b'): Promise<Date | undefined> {
    const { nextAt } = await this.store.recover(by);
    await this.settled();
    return nextAt;
  }

  async keepAlive(dispatcher: string): Promise<void> {
    ok(await this.store.heartbeat(dispatcher, LEASE_MS), `a new dispatcher gets a lease: ${dispatcher}`);
    this.#alive.add(dispatcher);
  }

  /** From now on its lease is not renewed. */
  silence(dispatcher: string): void {
    this.#alive.delete(dispatcher);
  }

  /** Lets a dispatcher's lease run out, and others take its jobs. */
  async lose(dispatcher: string): Promise<void> {
    this.silence(dispatcher);
    await this.later(DEATH_MS);
  }

  // ---- Queueing

  plant(plan: JobPlan): JobTree {
    return this.known(expand(plan, this.expansion));
  }

  async insert(...trees: readonly JobTree[]): Promise<readonly InsertResult[]> {
    const inserted = await this.store.insert(trees);
    await this.settled();
    return inserted;
  }

  /** Queues one job. @returns its id */
  async queue(plan: JobPlan): Promise<string> {
    const tree = this.plant(plan);
    const [inserted] = await this.insert(tree);
    ok(inserted !== undefined && 'record' in inserted, 'the job is inserted');
    return tree[0].id;
  }

  /** Queues jobs in one call. */
  async queueAll<const P extends readonly JobPlan[]>(...plans: P): Promise<{ readonly [I in keyof P]: string }> {
    const trees = plans.map((plan) => this.plant(plan));
    await this.insert(...trees);
    return trees.map(([root]) => root.id) as { readonly [I in keyof P]: string };
  }

  /** The tree of a callback of a job that is there. */
  async plantCallback(id: string, callback: CallbackPlan): Promise<JobTree> {
    return this.plantCallbackOf((await this.record(id)).job, callback);
  }

  /** Of a job that need not be there. */
  plantCallbackOf(job: QueuedJob, callback: CallbackPlan): JobTree {
    return this.known(expandCallback(callback, job, this.expansion));
  }

  async addCallback(id: string, callback: CallbackPlan): Promise<string> {
    const tree = await this.plantCallback(id, callback);
    await this.insert(tree);
    return tree[0].id;
  }

  /** A tree whose tasks `claim` takes from now on. */
  known(tree: JobTree): JobTree {
    for (const job of tree) {
      this.#tasks.add(taskVersionOf(job));
      for (const side of [job.branches?.success, job.branches?.failure]) if (side !== undefined) this.known(side);
    }
    return tree;
  }

  // ---- Running

  /** Claims all jobs that may be claimed, up to the limit. */
  async claim({ by = 'a', limit = MANY, queue = '', tasks = [...this.#tasks], transactional = [] }: Claim = {}): Promise<readonly Run[]> {
    const taskVersions = { taskVersions: new Set(tasks), transactional: new Set(transactional) };
    const claimed = await this.store.claim({ dispatcher: by, queue, ...taskVersions, limit });
    await this.settled();
    return claimed.map((one) => ({ ...one, id: one.job.id, token: one.attempt.token }));
  }

  async claimIds(claim?: Claim): Promise<readonly string[]> {
    return (await this.claim(claim)).map(({ id }) => id);
  }

  /** Claims one job, which must be this one. */
  async take(id: string, by = 'a'): Promise<Run> {
    const [run] = await this.claim({ by, limit: 1 });
    equal(run?.id, id, 'the job that is claimed next');
    return run;
  }

  /** Claims one job, whichever it is. */
  async takeNext(claim?: Claim): Promise<Run> {
    const [run] = await this.claim({ limit: 1, ...claim });
    ok(run !== undefined, 'there is a job to claim');
    return run;
  }

  /** Claims everything there is, which must be one job of each of these tasks. @returns the runs in the order of the names */
  async takeTasks<const N extends readonly string[]>(...names: N): Promise<{ readonly [I in keyof N]: Run }> {
    const runs = await this.claim();
    deepEqual(runs.map(({ job }) => job.taskName).sort(), [...names].sort(), 'the tasks of the claimed jobs');
    return names.map((name) => runs.find(({ job }) => job.taskName === name)) as unknown as { readonly [I in keyof N]: Run };
  }

  async settle(run: AttemptKey, outcome: Settlement['outcome']): Promise<boolean> {
    const [isSettled] = await this.store.settle([{ ...keyOf(run), outcome }]);
    await this.settled();
    return isSettled === true;
  }

  /** Completes several attempts in one call. */
  async completeAll(...runs: readonly AttemptKey[]): Promise<void> {
    const answers = await this.store.settle(runs.map((run) => ({ ...keyOf(run), outcome: completed() })));
    await this.settled();
    deepEqual(
      answers,
      runs.map(() => true),
    );
  }

  complete(run: AttemptKey, value?: unknown): Promise<boolean> {
    return this.settle(run, completed(value));
  }

  fail(run: AttemptKey, message = 'broken'): Promise<boolean> {
    return this.settle(run, failed(message));
  }

  follow(run: AttemptKey, job: string): Promise<boolean> {
    return this.settle(run, { status: 'follows', job });
  }

  /** Asks for another attempt, at once or later. */
  async again(
    run: AttemptKey,
    delayMs: number,
    more: Pick<RescheduleRequest, 'error' | 'seal'> = {},
  ): Promise<RescheduleResult | undefined> {
    const [result] = await this.store.reschedule([{ ...keyOf(run), delayMs, ...more }]);
    await this.settled();
    return result;
  }

  /** Asks for another attempt at once, and gets it. */
  async rerun(run: AttemptKey, more: Pick<RescheduleRequest, 'error' | 'seal'> = {}): Promise<AttemptInfo> {
    const result = await this.again(run, 0, more);
    if (typeof result !== 'object') fail(`job ${run.id} gets no attempt at once, but is ${result}`);
    return result;
  }

  async release(run: AttemptKey, hasBegun: boolean): Promise<void> {
    await this.store.release([{ ...keyOf(run), hasBegun }]);
    await this.settled();
  }

  async cancel(ids: readonly string[], reason?: string): Promise<void> {
    await this.store.cancel(ids, reason);
    await this.settled();
  }

  /** Runs one job after another until none is left to claim; those of the tasks named fail. @returns the tasks that ran */
  async drain({ failing = [], ...claim }: Claim & { readonly failing?: readonly string[] } = {}): Promise<readonly string[]> {
    const ran: string[] = [];
    // A batch without work may be opened, and end, by a claim that finds nothing else.
    for (let ended = -1, endedBefore = -2; ended > endedBefore; endedBefore = ended, ended = await this.store.count({ statuses: FINAL })) {
      for (let [run] = await this.claim({ ...claim, limit: 1 }); run !== undefined; [run] = await this.claim({ ...claim, limit: 1 })) {
        ran.push(run.job.taskName);
        ok(await (failing.includes(run.job.taskName) ? this.fail(run) : this.complete(run)), 'a current attempt is settled');
      }
    }
    return ran;
  }

  // ---- Looking

  async record(id: string): Promise<JobRecord> {
    const [record] = await this.store.find({ ids: [id] });
    ok(record !== undefined, `job ${id} is there`);
    return record;
  }

  async state(id: string): Promise<JobState> {
    const { state } = await this.record(id);
    return Object.fromEntries(Object.entries(state).filter(([, value]) => value !== undefined)) as unknown as JobState;
  }

  async statuses(...ids: readonly string[]): Promise<readonly Status[]> {
    return Promise.all(ids.map(async (id) => (await this.state(id)).status));
  }

  /** Throws unless the jobs have this status. */
  async expect(status: Status, ...ids: readonly string[]): Promise<void> {
    deepEqual(
      await this.statuses(...ids),
      ids.map(() => status),
    );
  }

  /** Ids of the steps, postprocess and callbacks of a job, in the order of their insertion. */
  async children(parent: string): Promise<readonly string[]> {
    return (await this.store.find({ parents: [parent] })).map(({ job }) => job.id);
  }

  /** The one child of a job that runs this task. */
  async child(parent: string, taskName: string): Promise<string> {
    const [found, ...others] = await this.store.find({ parents: [parent], taskNames: [taskName] });
    ok(found !== undefined && others.length === 0, `job ${parent} has one child that runs ${taskName}`);
    return found.job.id;
  }

  /** The outcome, with a value that can be compared: the result, the error's message or the reason. */
  async outcome(id: string): Promise<readonly [FinalStatus, unknown] | undefined> {
    const { outcome } = await this.state(id);
    return outcome === undefined ? undefined : readable(outcome);
  }

  /** The code and name of the error with which a job failed. */
  async errorName(id: string): Promise<string | undefined> {
    const { outcome } = await this.state(id);
    return outcome?.status === 'failed' ? outcome.error.name : undefined;
  }

  /** Listens from the moment the answer is there. */
  async watch(interest: ChangeFilter): Promise<Watch> {
    const changes: Observable<StoreChange> = this.store.changes(interest);
    const subscription = new Subscription();
    const watch = { seen: [] as StoreChange[], records: [] as JobRecord[], isComplete: false, leave: () => subscription.unsubscribe() };
    const next = (change: StoreChange): void => {
      watch.seen.push(change);
      if (change.type === 'job') watch.records.push(change.record);
    };
    const complete = (): void => {
      watch.isComplete = true;
    };
    this.#subscriptions.push(subscription);
    subscription.add(changes.subscribe({ next, complete }));
    await this.settled();
    return watch;
  }
}

export function keyOf({ id, token }: AttemptKey): AttemptKey {
  return { id, token };
}

export function completed(value?: unknown): StoredOutcome {
  return { status: 'completed', result: Payload.of(value, 'result') };
}

export function failed(message = 'broken'): StoredOutcome {
  return { status: 'failed', error: { name: 'Error', message } };
}

export function readable(outcome: StoredOutcome): readonly [FinalStatus, unknown] {
  if (outcome.status === 'completed') return ['completed', outcome.result.read()];
  return outcome.status === 'failed' ? ['failed', outcome.error.message] : ['cancelled', outcome.reason];
}
