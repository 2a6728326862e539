/** A process that plays parts of a program, and may die of it. */

import { firstValueFrom, fromEvent, race, timer } from 'rxjs';
import { nextTurn } from '../../src/clock.js';
import { currentTask, type Job, type JobStore, task } from '../../src/index.js';
import type { Process, ProcessOptions, Stage } from '../support/both-stores.js';
import { untilAborted } from '../support/deferred.js';
import { Drafts, type Players } from './drafts.js';
import type { Journal } from './journal.js';
import { type Call, type Death, type Part, SIZES } from './program.js';
import { inWords, stepsInWords } from './words.js';

/** Of processes of which one may die: few signs of life, each of which costs a look at everything. */
const MORTAL = { leaseMs: 30_000, heartbeatMs: 20_000, idleHeartbeatMs: 20_000, pollMs: 20_000 } as const;

/** More often than this nobody has a reason to look for work while no time passes. */
const MAX_CLAIMS_AT_ONCE = 1_000;

export interface ActorSources {
  readonly number: number;
  readonly parts: ReadonlyMap<string, Part>;
  readonly journal: Journal;
  /** Called whenever a run has begun. */
  readonly onRun: () => void;
  readonly death?: Death | undefined;
}

export class Actor {
  readonly players: Players;
  readonly drafts: Drafts;
  isDead = false;
  readonly #done = { run: 0, claim: 0, settle: 0 };
  #claims: { readonly at: number | undefined; readonly count: number } = { at: undefined, count: 0 };
  #process: Process | undefined;

  constructor(private readonly sources: ActorSources) {
    const play = (value: unknown, name: string): Promise<unknown> => this.#play(value, name);
    this.players = { free: task('free', { quotas: [] }, play), usual: task('usual', play) };
    this.drafts = new Drafts(this.players);
  }

  /** @param concurrency - how many jobs of a queue it runs at once; absent for one that only queues */
  async start(stage: Stage, concurrency: number | undefined, isMortal: boolean): Promise<void> {
    const times = isMortal ? MORTAL : {};
    const agents = ['', 'side'].map((queue) => ({ queue, ...(concurrency === undefined ? {} : { concurrency }) }));
    const options: ProcessOptions = {
      faults: (store) => this.#faults(store),
      tasks: Object.values(this.players),
      quotas: SIZES,
      dispatcher: concurrency === undefined ? false : { ...times, agents },
    };
    this.#process = await stage.start(options);
  }

  get process(): Process {
    if (this.#process === undefined) throw new Error('the process has not started');
    return this.#process;
  }

  async #play(value: unknown, name: string): Promise<unknown> {
    if (this.isDead) return untilAborted();
    const { parts, journal, number, onRun } = this.sources;
    const call = parts.get(name) as Call;
    const input = call.input === 'jobs' ? stepsInWords(value as readonly Job<unknown>[]) : inWords(value);
    const nth = ++this.#done.run;
    const run = journal.begin({ call, job: currentTask().job.id, attempt: currentTask().attempt, process: number, input });
    onRun();
    this.#mayDie('run', nth, false);
    await this.#last(call);
    this.#mayDie('run', nth, true);
    if (this.isDead) return untilAborted();
    journal.end(run);
    return this.#end(call, input);
  }

  async #last({ lastsMs, heedsSignal }: Call): Promise<void> {
    await firstValueFrom(nextTurn());
    if (lastsMs === 0) return;
    const { signal } = currentTask();
    const end = timer(lastsMs, this.process.clock.scheduler);
    await firstValueFrom(heedsSignal && !signal.aborted ? race(end, fromEvent(signal, 'abort')) : end);
  }

  #end({ name, heedsSignal, failures, returns }: Call, input: string): unknown {
    const { job, signal } = currentTask();
    if (signal.aborted && heedsSignal) throw signal.reason;
    if (this.sources.journal.runsOf(job.id) <= failures) throw new Error(`${name} fails`);
    if (returns === undefined) return `${name}(${input})`;
    const draft = this.drafts.of(returns.part);
    return returns.as === 'draft' ? draft : this.process.async.queueJob(draft);
  }

  #faults(store: JobStore): Partial<JobStore> {
    const mortal = async <T>(what: 'claim' | 'settle', call: () => Promise<T>): Promise<T> => {
      const nth = this.#process === undefined ? 0 : ++this.#done[what];
      this.#mayDie(what, nth, false);
      if (this.isDead) throw new Error('it died before it could say so');
      const answer = await call();
      this.#mayDie(what, nth, true);
      return answer;
    };
    return {
      claim: async (request) => {
        this.#checkClaims();
        return mortal('claim', () => store.claim(request));
      },
      settle: (ends) => mortal('settle', () => store.settle(ends)),
    };
  }

  /** A process that looks for work without end would keep the test from ever ending: it is made to wait. */
  #checkClaims(): void {
    const now = this.#process?.clock.now();
    this.#claims = now === this.#claims.at ? { at: now, count: this.#claims.count + 1 } : { at: now, count: 1 };
    if (this.#claims.count <= MAX_CLAIMS_AT_ONCE) return;
    this.sources.journal.restless.add(this.sources.number);
    throw new Error('it has looked for work too often');
  }

  #mayDie(what: Death['what'], nth: number, isAfter: boolean): void {
    const { death, journal, number } = this.sources;
    if (death?.what !== what || death.nth !== nth || death.isAfter !== isAfter) return;
    this.isDead = true;
    journal.die(number);
    this.process.die();
  }
}
