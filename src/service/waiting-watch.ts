/** Watches for jobs that have waited for long, and logs once for each queue, task and quota why they wait, and the next step. */

import type { Subscription } from 'rxjs';
import { MAX_TIMER_MS } from '../check.js';
import { type Clock, elapsedMs, idleTimer, isReal } from '../clock.js';
import type { JobTree } from '../job/job-record.js';
import { taskVersionOf } from '../job/task-version.js';
import type { JobStore } from '../store/job-store.js';
import type { Logger } from '../task/logger.js';
import { agentReasons, type Line, lineOfLane, look, type Sight, waitingReasons } from './waiting-reasons.js';
import { ALONE, lackFor, MAX_COUNTED, type Notice, noticesOf, type Scene } from './waiting-words.js';

/** From the moment that jobs are queued to the first look at them; then the time doubles for as long as jobs wait. */
const FIRST_LOOK_MS = 30_000;
const LONGEST_PAUSE_MS = 86_400_000;
/** The same while more jobs are queued. */
const BUSY_PAUSE_MS = 300_000;
/** Shorter waits are not logged. It is a little less than the time until the first look, since clocks differ. */
const LONG_MS = 25_000;
/** The most notices of one look, and the most lanes that are counted for one of them; other notices come with the next looks. */
const MAX_NOTICES = 20;
const MAX_LANES = 100;
/** The number of looks for jobs that are due later, which it remembers. */
const MAX_LATER = 100;

/** A schedule, and the jobs that it queues each time. */
export interface ScheduledJobs {
  readonly name: string;
  readonly tree: JobTree;
}

export interface WaitingWatchSources {
  readonly store: Pick<JobStore, 'controls' | 'insight' | 'isEmbedded'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How many jobs the dispatcher of this process has claimed; `undefined` where it has none. */
  readonly claimed: () => number | undefined;
}

/** A notice, and the lanes that it is about. */
interface Group {
  readonly notice: Notice;
  readonly lanes: string[];
}

export class WaitingWatch {
  /** The next look, as `elapsedMs` counts; and those for jobs that are due later. */
  #next = Number.POSITIVE_INFINITY;
  readonly #later = new Set<number>();
  #timer: Subscription | undefined;
  #timerAt: number | undefined;
  #lastLook = Number.NEGATIVE_INFINITY;
  /** From a look that found jobs waiting to the next. */
  #pauseMs = FIRST_LOOK_MS;
  /** How many jobs were queued here since the last look, and how many had been claimed by then. */
  #queued = 0;
  #claimedBefore = 0;
  #isAskedFor = false;
  readonly #told = new Map<string, boolean>();
  #isStopped = false;
  #schedules: readonly ScheduledJobs[] = [];

  constructor(private readonly sources: WaitingWatchSources) {}

  /** @param schedules - those of this process, whose jobs somebody must accept */
  async start(schedules: readonly ScheduledJobs[]): Promise<void> {
    const { store, claimed, clock, logger } = this.sources;
    const works = claimed() !== undefined;
    this.#schedules = schedules;
    // The rounds of a dispatcher see waiting jobs.
    if (schedules.length > 0 || !works || store.isEmbedded === true) this.noteWaiting();
    // A test may only want to see queued jobs.
    if (works || store.isEmbedded !== true || !isReal(clock) || (await store.insight.dispatchers()).length > 0) return;
    this.#told.set(ALONE, true);
    logger.warn(`nothing runs the jobs that are queued here, unless another service of this process shares the store: ${ALONE}`);
  }

  /** Jobs are queued here. */
  noteQueued(tree: JobTree): void {
    const [{ delayMs, beginAfter }] = tree;
    this.#queued += tree.filter(({ kind }) => kind === 'task').length;
    this.#plan(Math.max(0, delayMs ?? (beginAfter === undefined ? 0 : beginAfter.getTime() - this.sources.clock.now())));
  }

  /** Jobs may wait that nobody here has queued. */
  noteWaiting(): void {
    this.#isAskedFor = true;
    this.#plan(0);
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.unsubscribe();
  }

  /** Plans a look at jobs that may be claimed after this time, for when they have waited for a while. */
  #plan(dueInMs: number): void {
    const at = this.#now + dueInMs + FIRST_LOOK_MS;
    if (dueInMs > 0) this.#planLater(at);
    else this.#planNext(Math.max(at, this.#lastLook + Math.min(this.#pauseMs, BUSY_PAUSE_MS)));
  }

  #planNext(at: number): void {
    this.#next = Math.min(this.#next, at);
    this.#setTimer();
  }

  #planLater(at: number): void {
    if ([...this.#later].some((planned) => planned >= at && planned < at + FIRST_LOOK_MS)) return;
    const last = Math.max(...this.#later);
    // The last one sees all that the others would have seen.
    if (this.#later.size >= MAX_LATER && at < last) return;
    if (this.#later.size >= MAX_LATER) this.#later.delete(last);
    this.#later.add(at);
    this.#setTimer();
  }

  get #now(): number {
    return elapsedMs(this.sources.clock);
  }

  #setTimer(): void {
    const at = Math.min(this.#next, ...this.#later);
    if (this.#isStopped || at === this.#timerAt) return;
    this.#timer?.unsubscribe();
    this.#timerAt = at;
    if (at === Number.POSITIVE_INFINITY) return;
    const ms = Math.min(Math.max(0, at - this.#now), MAX_TIMER_MS);
    this.#timer = idleTimer(ms, this.sources.clock).subscribe(() => this.#ring(at));
  }

  /** The time has come, or it was too long for a timer. */
  #ring(at: number): void {
    this.#timerAt = undefined;
    if (this.#now >= at) {
      if (this.#next <= at) this.#next = Number.POSITIVE_INFINITY;
      this.#later.delete(at);
      void this.#look();
    }
    this.#setTimer();
  }

  async #look(): Promise<void> {
    this.#lastLook = this.#now;
    if (!this.#isWorthwhile()) return;
    try {
      const lanes = await this.sources.store.insight.lanes();
      await this.#tell(lanes);
      if (lanes.length === 0) this.#pauseMs = FIRST_LOOK_MS;
      else this.#lookAgain();
    } catch {
      // Others log that the store fails.
      this.#lookAgain();
    }
  }

  #lookAgain(): void {
    this.#isAskedFor = true;
    this.#pauseMs = Math.min(2 * this.#pauseMs, LONGEST_PAUSE_MS);
    this.#planNext(this.#lastLook + this.#pauseMs);
  }

  /** Whether jobs may be waiting, as far as is known without a command: the dispatcher may have claimed as many as were queued here. */
  #isWorthwhile(): boolean {
    const claimed = this.sources.claimed();
    const isLeft = claimed === undefined || this.#queued > claimed - this.#claimedBefore;
    const isWorthwhile = this.#isAskedFor || isLeft || this.sources.store.isEmbedded === true;
    this.#queued = 0;
    this.#claimedBefore = claimed ?? 0;
    this.#isAskedFor = false;
    return isWorthwhile;
  }

  async #tell(lanes: readonly string[]): Promise<void> {
    const { store } = this.sources;
    const schedules = this.#schedules;
    if (lanes.length === 0 && schedules.length === 0) return this.#forgetBut(new Map());
    const lines = lanes.map(lineOfLane);
    const sight = await look(store, lines);
    const scene: Scene = { dispatchers: sight.dispatchers, isEmbedded: store.isEmbedded === true };
    this.#tellOfSchedules(schedules, scene);
    this.#schedules = [];
    const groups = grouped(lanes, { lines, sight, scene });
    this.#forgetBut(groups);
    const news = [...groups.values()].filter(({ notice }) => !this.#told.has(notice.key));
    for (const group of news.slice(0, MAX_NOTICES)) await this.#tellOf(group);
  }

  #forgetBut(groups: ReadonlyMap<string, Group>): void {
    for (const [key, isForGood] of this.#told) if (!isForGood && !groups.has(key)) this.#told.delete(key);
  }

  async #tellOf({ notice: { key, level, text }, lanes }: Group): Promise<void> {
    const { store, logger } = this.sources;
    const waiting = await Promise.all(lanes.slice(0, MAX_LANES).map((lane) => store.insight.waiting(lane, MAX_COUNTED)));
    if (waiting.every(({ waitedMs }) => waitedMs < LONG_MS)) return;
    this.#told.set(key, level === 'info');
    logger[level](text(waiting.reduce((sum, { count }) => sum + count, 0)));
  }

  #tellOfSchedules(schedules: readonly ScheduledJobs[], scene: Scene): void {
    for (const { name, tree } of schedules) {
      const lines = tree.map(
        (job): Line => ({ queue: job.queue, taskVersion: taskVersionOf(job), isComposite: job.kind !== 'task', places: job.places }),
      );
      const line = lines.find((one) => agentReasons(one, scene.dispatchers).some(({ because }) => because === 'no-dispatcher-accepts'));
      if (line === undefined) continue;
      const { of, lack } = lackFor(line, scene);
      this.sources.logger.warn(`the schedule \`${name}\` queues jobs for ${of}, and ${lack}`);
    }
  }
}

function grouped(
  lanes: readonly string[],
  { lines, sight, scene }: { readonly lines: readonly Line[]; readonly sight: Sight; readonly scene: Scene },
): ReadonlyMap<string, Group> {
  const groups = new Map<string, Group>();
  for (const [index, line] of lines.entries()) {
    for (const notice of noticesOf(line, waitingReasons(line, sight), scene)) {
      const group = groups.get(notice.key) ?? { notice, lanes: [] };
      group.lanes.push(lanes[index] ?? '');
      groups.set(notice.key, group);
    }
  }
  return groups;
}
