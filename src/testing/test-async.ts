/** Everything a test of tasks needs, in one call: container, memory store, virtual clock, dispatcher. */

import { Container } from 'inversify';
import { firstValueFrom } from 'rxjs';
import { checkOption, checkOptions, is, type Rules } from '../check.js';
import { areTurnsFaked, nextTurn, realMs } from '../clock.js';
import { asyncModule, start } from '../container/async-module.js';
import { type AsyncModuleOptions, MODULE_RULES } from '../container/module-options.js';
import { EndlessJobsError, StartError } from '../errors.js';
import type { JobRecord } from '../job/job-record.js';
import { isWaiting, OPEN } from '../job/job-status.js';
import type { IAsyncService } from '../service/i-async-service.js';
import type { JobStore } from '../store/job-store.js';
import { memoryStore } from '../store/memory/memory-store.js';
import { seededRandom } from './seeded-random.js';
import { VirtualClock } from './virtual-clock.js';

export interface TestAsyncOptions extends Omit<AsyncModuleOptions, 'store' | 'clock' | 'random'> {
  /** A store of your own. @default memoryStore() */
  readonly store?: JobStore | undefined;
  /** A container with the dependencies of the tasks. @default a new one */
  readonly container?: Container | undefined;
  /** When virtual time begins. @default 2030-01-01 */
  readonly startAt?: Date | undefined;
  /** The same seed gives the same run: ids, jitter. @default 1 */
  readonly seed?: number | undefined;
  /** As for `asyncModule`, but with a lease of a day, since virtual time moves in leaps. */
  readonly dispatcher?: AsyncModuleOptions['dispatcher'];
}

/** The service, container and time of a test. */
export interface TestAsync {
  readonly async: IAsyncService;
  readonly container: Container;
  readonly store: JobStore;
  readonly clock: VirtualClock;
  /**
   * Runs until nothing is left to do at this moment of virtual time. Jobs that run on for 50 real milliseconds
   * while nothing else happens are taken to wait for time to move, or for the test, and are left running.
   */
  drain(): Promise<void>;
  /** Moves time by `ms` milliseconds; jobs that become due on the way run. */
  advance(ms: number): Promise<void>;
  /**
   * Moves time until every job has ended.
   * @throws EndlessJobsError when there are jobs that nothing will ever end, and says which
   */
  waitForAllJobs(): Promise<void>;
  /** Stops the service. Jobs that still run are aborted. */
  stop(): Promise<void>;
}

/** How many turns of the event loop in a row nothing must happen in. */
const QUIET_TURNS = 3;
const PATIENCE_MS = 50;
/** How far `waitForAllJobs` moves time at least, and how often at most. */
const STEP_MS = 60_000;
const MAX_STEPS = 100_000;
/** A day. */
const MAX_STEPS_OF_A_RUN = 1_440;

/** Signs of life are rare in virtual time, so that it can be moved by days at little cost. */
const RARE_SIGNS = { name: 'test', leaseMs: 86_400_000, heartbeatMs: 21_600_000, pollMs: 21_600_000 } as const;

const { clock: _clock, random: _random, ...FOR_MODULE } = MODULE_RULES;
const RULES: Rules<TestAsyncOptions> = { ...FOR_MODULE, container: is.object, startAt: is.date, seed: is.integer };

/**
 * Starts Millrace for a test. Faked timers, as of vitest or jest, do no harm, and do not move its virtual time.
 * @throws OptionError, StartError
 * @example
 * const { async, drain, advance } = await testAsync({ tasks: [Documents] });
 */
export async function testAsync(options: TestAsyncOptions = {}): Promise<TestAsync> {
  checkOption('`testAsync`', 'options', options, is.object);
  if (areTurnsFaked())
    throw new StartError([
      'timers were faked before `millrace` was loaded, so nothing would ever run: import it first, then call `useFakeTimers`',
    ]);
  checkOptions<TestAsyncOptions>('`testAsync`', options, RULES);
  const { store = memoryStore(), container = new Container(), startAt, seed = 1, ...rest } = options;
  const clock = new VirtualClock(startAt);
  const dispatcher = rest.dispatcher === false ? false : { ...RARE_SIGNS, ...rest.dispatcher };
  container.load(asyncModule({ ...rest, dispatcher, store, clock, random: seededRandom(seed + countBench(store)) }));
  const async = await start(container);
  return new Bench(async, container, store, clock);
}

const benches = new WeakMap<JobStore, number>();

/** How many benches share the store already: each needs ids of its own. */
function countBench(store: JobStore): number {
  const before = benches.get(store) ?? 0;
  benches.set(store, before + 1);
  return before;
}

class Bench implements TestAsync {
  constructor(
    readonly async: IAsyncService,
    readonly container: Container,
    readonly store: JobStore,
    readonly clock: VirtualClock,
  ) {}

  /** Runs, by job and attempt, that did not end while waited for: they wait for time, or for the test. */
  #given = new Set<string>();

  readonly drain = async (): Promise<void> => {
    const patience = new Patience();
    let claimed = -1;
    for (let quiet = 0; quiet < QUIET_TURNS; ) {
      await firstValueFrom(nextTurn());
      const running = this.async.dispatcher?.running.map(({ id, attempt }) => `${id} ${attempt}`) ?? [];
      if (patience.isOver(running)) this.#given = new Set(running);
      const total = this.async.dispatcher?.claimed ?? 0;
      const hasClaimed = total !== claimed;
      claimed = total;
      quiet = !hasClaimed && this.#isSettled && running.every((run) => this.#given.has(run)) ? quiet + 1 : 0;
    }
  };

  readonly advance = (ms: number): Promise<void> => this.clock.advance(ms, this.drain);

  readonly waitForAllJobs = async (): Promise<void> => {
    await this.drain();
    for (let step = 0; step < MAX_STEPS; step++) {
      const open = await this.#open();
      if (open.length === 0) return;
      if (!open.some((record) => mayEnd(record, step)))
        throw new EndlessJobsError(`these jobs will never end: ${open.map(shown).join(', ')}`);
      await this.advance(Math.max(STEP_MS, this.#msUntilNext(open)));
    }
    throw new EndlessJobsError(
      `these jobs have not ended after ${MAX_STEPS} steps of virtual time: ${(await this.#open()).map(shown).join(', ')}`,
    );
  };

  /** How long nothing will happen: until something is due, unless jobs run. */
  #msUntilNext(open: readonly JobRecord[]): number {
    if (open.some(({ state }) => state.owner !== undefined)) return 0;
    const times = open.flatMap(({ job, state }) => [
      state.dueAt,
      isWaiting(state.status) && state.attempts === 0 ? job.beginBy : undefined,
    ]);
    const future = times.flatMap((time) => (time !== undefined && time.getTime() > this.clock.now() ? [time.getTime()] : []));
    return future.length === 0 ? 0 : Math.min(...future) - this.clock.now();
  }

  readonly stop = async (): Promise<void> => {
    let hasStopped = false;
    const stopping = this.async.stop().finally(() => {
      hasStopped = true;
    });
    while (!hasStopped) {
      await this.clock.advance(1_000, () => firstValueFrom(nextTurn()));
    }
    await stopping;
  };

  get #isSettled(): boolean {
    return (this.async as { readonly isIdle?: boolean }).isIdle !== false && (this.async.dispatcher?.isSettled ?? true);
  }

  #open(): Promise<readonly JobRecord[]> {
    return this.store.find({ statuses: OPEN });
  }
}

/** How long, in real time, jobs may run without one beginning or ending before they are taken to wait for virtual time. */
class Patience {
  #running = '';
  #until = 0;

  isOver(running: readonly string[]): boolean {
    const now = realMs();
    const text = running.join();
    if (text !== this.#running) {
      this.#running = text;
      this.#until = now + PATIENCE_MS;
    }
    return now >= this.#until;
  }
}

/** Whether time alone may end a job; a running job gets a number of steps. */
function mayEnd({ job, state }: JobRecord, step: number): boolean {
  if (state.status === 'scheduled' || (isWaiting(state.status) && state.attempts === 0 && job.beginBy !== undefined)) return true;
  return state.owner !== undefined && step < MAX_STEPS_OF_A_RUN;
}

function shown({ job, state }: JobRecord): string {
  return `${job.id} (${job.taskName}, ${state.status})`;
}
