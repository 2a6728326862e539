/** Compares the outcome of a program with its meaning. */

import type { Job } from '../../src/index.js';
import type { JobRecord } from '../../src/job/job-record.js';
import { isFinal } from '../../src/job/job-status.js';
import { grouped, type Run } from './journal.js';
import { type Ending, type Expected, expectedOf, shown } from './model.js';
import { outOfOrder } from './order.js';
import type { Performance } from './performance.js';
import type { Program } from './program.js';
import { endingOf } from './words.js';

/** @returns what is not as it should be, a line each */
export function complaintsOf(program: Program, performance: Performance): readonly string[] {
  return new Inquest(program, performance).complaints();
}

class Inquest {
  readonly #names: ReadonlyMap<string, string>;
  readonly #endings = new Map<string, Ending>();
  readonly #expected: ReadonlyMap<string, Expected>;
  readonly #runs: ReadonlyMap<string, readonly Run[]>;

  constructor(
    private readonly program: Program,
    private readonly performance: Performance,
  ) {
    const { records, jobs, journal } = performance;
    this.#names = new Map(records.map(({ job }) => [job.id, job.name ?? job.kind]));
    for (const { job } of records) {
      const ending = this.#endingOf(jobs.get(job.id));
      if (job.name !== undefined && ending !== undefined) this.#endings.set(job.name, ending);
    }
    this.#expected = expectedOf(program, { seen: (name) => this.#endings.get(name) });
    this.#runs = grouped(journal.runs, ({ job }) => job);
  }

  complaints(): readonly string[] {
    const { records, journal, holders } = this.performance;
    return [
      ...journal.faults,
      ...[...this.#expected.keys()].filter((name) => !this.#endings.has(name)).map((name) => `${name} is not there`),
      ...records.flatMap((record) => (record.job.name === undefined ? this.#aboutPassed(record) : this.#about(record, record.job.name))),
      ...outOfOrder(this.program, { runs: journal.runs, endings: this.#endings }),
      ...holders.map((holder) => `there are places left: ${JSON.stringify(holder)}`),
    ];
  }

  #about(record: JobRecord, name: string): readonly string[] {
    const expected = this.#expected.get(name);
    const ending = this.#endingOf(this.performance.jobs.get(record.job.id));
    if (expected === undefined) return [`${name} should not be there`];
    if (ending === undefined) return [`${name} has not ended: ${record.state.status}`];
    const isRight = shown(ending) === shown(expected.ending);
    return [...(isRight ? [] : [`${name} is ${shown(ending)}, not ${shown(expected.ending)}`]), ...this.#aboutRuns(record, expected)];
  }

  #aboutRuns({ job, state }: JobRecord, expected: Expected): readonly string[] {
    if (job.kind !== 'task') return [];
    const runs = this.#runs.get(job.id) ?? [];
    const wrong = runs.map(({ input }) => this.#named(input)).find((input) => input !== expected.input);
    const { attempts, failures, interruptions } = state;
    const isCancelled = expected.ending.status === 'cancelled';
    const most = expected.runs + interruptions;
    const fewest = isCancelled ? 0 : this.performance.hasDied ? 1 : expected.runs;
    // A job may be cancelled when its next run is recorded, and not called yet.
    const uncalled = isCancelled ? attempts - runs.length : 0;
    const isWhole = this.performance.hasDied || runs.length + Math.min(uncalled, 1) === attempts;
    const isExplained = attempts <= failures + interruptions + 1 && isWhole;
    return [
      ...(wrong === undefined ? [] : [`${job.name} is called with ${wrong}, not with ${expected.input}`]),
      ...(runs.length >= fewest && runs.length <= most ? [] : [`${job.name} runs ${runs.length} times, not ${fewest} to ${most}`]),
      ...(isExplained && runs.length <= attempts
        ? []
        : [`${job.name} runs ${runs.length} times: ${JSON.stringify({ attempts, failures, interruptions })}`]),
    ];
  }

  /** A callback without the side that is needed has the outcome of its job. */
  #aboutPassed({ job }: JobRecord): readonly string[] {
    const { jobs } = this.performance;
    const [own, parent] = [this.#endingOf(jobs.get(job.id)), this.#endingOf(jobs.get(job.parent ?? ''))];
    if (job.kind === 'choice' && own !== undefined && parent !== undefined && shown(own) === shown(parent)) return [];
    return [`a ${job.kind} of ${this.#names.get(job.parent ?? '')} is ${own && shown(own)}, not ${parent && shown(parent)}`];
  }

  #endingOf(job: Job<unknown> | undefined): Ending | undefined {
    if (job?.outcome === undefined || !isFinal(job.status)) return undefined;
    const { status, value } = endingOf(job.outcome);
    return { status, value: this.#named(value) };
  }

  #named(text: string): string {
    return text.replaceAll(/[0-9a-f]{24}/g, (id) => this.#names.get(id) ?? id);
  }
}
