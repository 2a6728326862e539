/** The journal that the tasks of a program write while they run: the runs, their times and inputs, and the places taken. */

import { type Call, type Holder, SIZES } from './program.js';

export interface Run {
  readonly call: Call;
  readonly job: string;
  readonly attempt: number;
  readonly process: number;
  readonly input: string;
  readonly began: number;
  /** `undefined` while it runs. */
  ended: number | undefined;
}

export class Journal {
  readonly runs: Run[] = [];
  /** Observations that must not occur, a line each. */
  readonly faults: string[] = [];
  /** The processes that looked for work without end. */
  readonly restless = new Set<number>();
  readonly #open = new Set<Run>();
  #moments = 0;

  begin(run: Omit<Run, 'began' | 'ended'>): Run {
    const begun: Run = { ...run, began: ++this.#moments, ended: undefined };
    this.runs.push(begun);
    if ([...this.#open].some(({ job }) => job === run.job)) this.faults.push(`${run.call.name} runs twice at once`);
    this.#open.add(begun);
    this.#checkPlaces();
    return begun;
  }

  end(run: Run): void {
    if (this.#open.delete(run)) run.ended = ++this.#moments;
  }

  /** Of what a process was doing, nothing goes on. */
  die(process: number): void {
    for (const run of this.#open) if (run.process === process) this.end(run);
  }

  runsOf(job: string): number {
    return this.runs.filter((run) => run.job === job).length;
  }

  /** A batch has places as long as anything runs in it. */
  #checkPlaces(): void {
    const holders = new Map<string, Holder>();
    for (const { call, job } of this.#open) {
      holders.set(job, call);
      for (const batch of call.around) holders.set(batch.name, batch);
    }
    for (const [quota, size] of Object.entries(SIZES)) {
      const taking = [...holders.values()].filter(({ places }) => places[quota] !== undefined);
      const taken = taking.reduce((sum, { places }) => sum + (places[quota] ?? 0), 0);
      if (taken > size) this.faults.push(`${taking.map(({ name }) => name).join(', ')} have ${taken} places of ${quota}, of ${size}`);
    }
  }
}

/** Runs by what they have in common. */
export function grouped(runs: readonly Run[], keyOf: (run: Run) => string): ReadonlyMap<string, readonly Run[]> {
  const groups = new Map<string, Run[]>();
  for (const run of runs) groups.set(keyOf(run), [...(groups.get(keyOf(run)) ?? []), run]);
  return groups;
}
