/** Performs a program with several processes on one store, until everything has ended. */

import type { IAsyncService, Job, QuotaHolder } from '../../src/index.js';
import type { JobRecord } from '../../src/job/job-record.js';
import { OPEN } from '../../src/job/job-status.js';
import { DEATH_MS, type Process, type Stage } from '../support/both-stores.js';
import { Actor } from './actor.js';
import { Journal } from './journal.js';
import { reasonFor } from './model.js';
import { type Incident, type Program, partsOf, SIZES } from './program.js';

const STEP_MS = 10_000;
/** More than all delays of a program together. */
const MAX_STEPS = 100;
/** A process that can write nothing leaves a timer behind when it is stopped, which is let go by here. */
const LEFT_TIMER_MS = 1_000;

export interface Performance {
  readonly journal: Journal;
  readonly hasDied: boolean;
  /** All jobs, as they are stored at the end. */
  readonly records: readonly JobRecord[];
  /** The same, as the application sees them. */
  readonly jobs: ReadonlyMap<string, Job<unknown>>;
  /** The holders of quota places when all processes have stopped. */
  readonly holders: readonly QuotaHolder[];
}

/** @throws Error when some job never ends */
export async function perform(stage: Stage, program: Program): Promise<Performance> {
  return new Show(stage, program).perform();
}

class Show {
  readonly #journal = new Journal();
  readonly #observer: Actor;
  readonly #workers: readonly Actor[];
  readonly #roots = new Map<string, Job<unknown>>();
  readonly #toCome: Incident[];
  readonly #happening: Promise<void>[] = [];

  constructor(
    private readonly stage: Stage,
    private readonly program: Program,
  ) {
    const common = { parts: partsOf(program), journal: this.#journal, onRun: () => this.#happen(this.#journal.runs.length) };
    this.#observer = new Actor({ ...common, number: 0 });
    this.#workers = program.processes.map((_, index) => {
      return new Actor({ ...common, number: index + 1, death: index === 0 ? program.death : undefined });
    });
    this.#toCome = [...program.incidents];
  }

  async perform(): Promise<Performance> {
    await this.#start();
    await this.#queue();
    this.#happen(0);
    await this.#untilAllEnded();
    this.#happen(Number.POSITIVE_INFINITY);
    await this.#untilAllEnded();
    return this.#result();
  }

  get #process(): Process {
    return this.#observer.process;
  }

  async #start(): Promise<void> {
    const isMortal = this.program.death !== undefined;
    await this.#observer.start(this.stage, undefined, isMortal);
    for (const [index, actor] of this.#workers.entries()) await actor.start(this.stage, this.program.processes[index], isMortal);
  }

  /** From a process that runs jobs, or from one that does not. */
  async #queue(): Promise<void> {
    const actor = this.program.seed % 2 === 0 ? this.#observer : (this.#workers.at(-1) ?? this.#observer);
    const { roots } = this.program;
    const jobs = await actor.process.async.queueJobs(roots.map((root) => actor.drafts.of(root)));
    for (const [index, { name }] of roots.entries()) {
      const job = jobs[index];
      if (job !== undefined) this.#roots.set(name, job);
    }
  }

  #happen(runs: number): void {
    // A job may run before the answer is there that it is queued.
    if (this.#roots.size < this.program.roots.length) return;
    for (const incident of this.#toCome.filter(({ afterRuns }) => afterRuns <= runs)) {
      this.#toCome.splice(this.#toCome.indexOf(incident), 1);
      this.#happening.push(incident.type === 'cancel' ? this.#cancel(incident.name) : this.#add(incident));
    }
  }

  async #cancel(name: string): Promise<void> {
    const record = (await this.#process.store.find({})).find(({ job }) => job.name === name);
    if (record !== undefined) await (await this.#async.getJob(record.job.id))?.cancel(reasonFor(name));
  }

  async #add({ name, chain }: Incident & { readonly type: 'add' }): Promise<void> {
    let job = this.#roots.get(name);
    for (const callbacks of chain) job = job && (await this.#observer.drafts.addTo(job, callbacks));
  }

  async #untilAllEnded(): Promise<void> {
    const { advance, drain, store } = this.#process;
    await drain();
    for (let step = 0; (await store.count({ statuses: OPEN })) > 0; step++) {
      if (step === MAX_STEPS) throw new Error(`these never end: ${(await store.find({ statuses: OPEN })).map(inWords).join('; ')}`);
      await advance(STEP_MS);
    }
    await Promise.all(this.#happening);
    await drain();
  }

  async #result(): Promise<Performance> {
    const hasDied = this.#workers.some(({ isDead }) => isDead);
    const { advance, store } = this.#process;
    if (hasDied) await advance(DEATH_MS);
    for (const { process } of this.#workers) await process.stop();
    if (hasDied) await advance(LEFT_TIMER_MS);
    const uses = await store.insight.quotas(Object.keys(SIZES));
    const jobs = await this.#async.getJobs();
    return {
      journal: this.#journal,
      hasDied,
      records: await store.find({}),
      jobs: new Map(jobs.map((job) => [job.id, job])),
      holders: uses.flatMap(({ holders }) => holders),
    };
  }

  get #async(): IAsyncService {
    return this.#process.async;
  }
}

function inWords({ job, state }: JobRecord): string {
  return `${job.name ?? job.kind} is ${state.status}${state.waitsFor === undefined ? '' : `, waits for ${JSON.stringify(state.waitsFor)}`}`;
}
