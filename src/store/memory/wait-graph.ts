/** Answers the searches of the wait rule over the jobs of the memory store. */

import type { JobRecord } from '../../job/job-record.js';
import { isFinal } from '../../job/job-status.js';
import * as rule from '../../job/wait-rule.js';
import type { MemoryContext } from './memory-context.js';

export class WaitGraph {
  constructor(private readonly context: MemoryContext) {}

  /** Whether the end of `job` has to wait for the outcome of `other`, over however many jobs. */
  waitsFor(job: JobRecord, other: JobRecord): boolean {
    const { table, completion } = this.context;
    const { id, parent } = other.job;
    const mayBeAwaited = parent !== undefined || table.family.childrenOf(id).length > 0 || completion.followersOf(id).size > 0;
    // Without this, a chain of jobs that each wait for an earlier one would be walked along.
    return (job.job.id === id || mayBeAwaited) && this.#search(rule.waitsFor(job, id));
  }

  /** A quota of which the waiters of a job hold so much that another job, or one that it waits for, could not start before they end. */
  quotaHeldAround(job: JobRecord, other: JobRecord): string | undefined {
    const { table, ledger } = this.context;
    const needed = this.#search(rule.placesNeeded(other));
    const names = new Set(needed.flatMap((places) => Object.keys(places)));
    const isBatch = ({ id }: { readonly id: string }): boolean => table.get(id)?.state.waitsFor === 'steps';
    if (![...names].some((name) => ledger.holdersOf(name).some(isBatch))) return undefined;
    const waiters = this.#search(rule.waitersOf(job));
    return rule.quotaLacking(
      needed,
      waiters.map((id) => ledger.heldBy(id)),
      ledger.sizes,
    );
  }

  #search<T>(search: rule.Search<T>): T {
    for (let step = search.next(); ; step = search.next(this.#answer(step.value))) if (step.done === true) return step.value;
  }

  #answer(question: rule.Question): readonly JobRecord[] {
    const { table, completion } = this.context;
    const recordsOf = (ids: Iterable<string>): readonly JobRecord[] => [...ids].flatMap((id) => table.get(id) ?? []);
    if (question.find === 'job') return recordsOf([question.id]);
    if (question.find === 'followers') return recordsOf(completion.followersOf(question.id));
    const below = table.family.of(question.id);
    table.family.firstOpenStep(below);
    const { steps, firstOpen, postprocess, callbacks } = below;
    const ids = { step: steps.slice(firstOpen), postprocess: postprocess === undefined ? [] : [postprocess], callback: callbacks };
    const found = recordsOf(question.roles.flatMap((role) => ids[role]));
    return found.filter(({ state }) => !isFinal(state.status));
  }
}
