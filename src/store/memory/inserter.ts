/** Inserts trees, at once or with a transaction; for a tree with a unique key, or a retry, another job may exist already. */

import { ConflictError, type MillraceError } from '../../errors.js';
import { notBelow, notExtended, takesSteps } from '../../job/batch-rule.js';
import { jobGone } from '../../job/job-errors.js';
import { firstState, type JobRecord, type JobTree, type QueuedJob } from '../../job/job-record.js';
import { debounce, hasKey, hasYetToBegin, isDebouncedBy } from '../../job/unique-key-rule.js';
import { recordOrThrow } from '../insert-result.js';
import type { InsertResult } from '../store-messages.js';
import type { InsertionPoint } from './job-table.js';
import type { MemoryContext } from './memory-context.js';
import type { MemorySession, StagedTree } from './memory-session.js';

export class Inserter {
  constructor(private readonly context: MemoryContext) {}

  /** Trees with their places in the order, which they have from now on. */
  placed(trees: readonly JobTree[]): readonly StagedTree[] {
    const now = this.context.now();
    const place = (): InsertionPoint => this.context.table.place(now);
    return trees.map((tree) => ({ tree, places: [place(), ...tree.slice(1).map(place)] }));
  }

  /** @returns the inserted tree, or the existing job in its place */
  insert({ tree, places }: StagedTree): InsertResult {
    const { table, completion } = this.context;
    const [root] = tree;
    const existing = table.get(root.id);
    if (existing !== undefined) return { record: existing };
    const refusal = this.#refusal(root);
    if (refusal !== undefined) return { refused: refusal };
    const instead = this.#retryBefore(root) ?? this.#holderPutOff(root, places[0].now);
    if (instead !== undefined) return { record: instead };
    this.#noteRetry(root);
    for (const [index, at] of places.entries()) {
      const job = index === 0 ? this.#numbered(root) : tree[index];
      if (job !== undefined) table.add(job, at, index > 0 || job.parent !== undefined);
    }
    if (root.role === 'callback') completion.releaseCallback(root.id);
    if (root.role === 'step') completion.extended(root.id, root.parent ?? '');
    return { record: table.get(root.id) as JobRecord };
  }

  /** @returns the tree that the commit will insert, or the existing job in its place */
  stage(staged: StagedTree, session: MemorySession): InsertResult {
    const [job] = staged.tree;
    const retry = this.#retryBefore(job) ?? this.#stagedRetry(job, session);
    if (retry !== undefined) return { record: retry };
    const holder = this.#holderWithin(job, session);
    if (holder === undefined) session.stage([staged]);
    else if (hasYetToBegin(holder.job)) session.stage([{ ...staged, holder: holder.job.id }]);
    return { record: holder === undefined ? firstRecord(staged) : this.#afterAnswer(holder, staged) };
  }

  /** Inserts all at once; or nothing, if the job of a callback is gone, or a unique key or retry that was read has changed. */
  commit(staged: readonly StagedTree[]): void {
    const jobs = new Map(staged.flatMap(({ tree }) => tree.map((job) => [job.id, job] as const)));
    for (const { tree, holder } of staged) {
      const [root] = tree;
      const above = jobs.get(root.parent ?? '');
      const refusal = above === undefined ? this.#refusal(root) : notBelow(root, above);
      if (refusal !== undefined) throw refusal;
      const holderThere = jobs.has(holder ?? '') ? undefined : holder;
      if (this.#holderOf(root)?.job.id !== holderThere)
        throw new ConflictError(`queued, or run, the job of the unique key ${root.unique?.key}`);
      if (this.#retryBefore(root) !== undefined) throw new ConflictError(`retried job ${root.retryOf}`);
    }
    for (const one of staged) recordOrThrow(this.insert(one));
  }

  #refusal({ parent, role, retryOf }: QueuedJob): MillraceError | undefined {
    const { table } = this.context;
    const above = parent === undefined ? undefined : table.get(parent);
    if (parent !== undefined && above === undefined) return jobGone(parent, 'nothing can be added to it');
    if (above !== undefined && role === 'step') {
      const { postprocess } = table.family.of(above.job.id);
      const after = postprocess === undefined ? undefined : table.get(postprocess)?.state.status;
      if (!takesSteps(above, after)) return notExtended(above);
    }
    if (retryOf !== undefined && table.get(retryOf) === undefined) return jobGone(retryOf, 'it cannot be retried');
    return undefined;
  }

  /** A step that is added has the place after those that are there. */
  #numbered(job: QueuedJob): QueuedJob {
    return job.role === 'step' && job.parent !== undefined
      ? { ...job, position: this.context.table.family.of(job.parent).steps.length }
      : job;
  }

  /** The job that has the unique key of one that is to be inserted. */
  #holderOf({ unique }: QueuedJob): JobRecord | undefined {
    return unique === undefined ? undefined : this.context.table.holderOf(unique.key, this.context.now());
  }

  /** The same; a debounced one is put off by it. */
  #holderPutOff(job: QueuedJob, at: Date): JobRecord | undefined {
    const holder = this.#holderOf(job);
    return holder !== undefined && isDebouncedBy(job, holder.job)
      ? this.context.table.replace(debounce(holder, job, at, this.context.putOff))
      : holder;
  }

  /** The same as a transaction sees it, with the jobs that it has queued before. */
  #holderWithin(job: QueuedJob, session: MemorySession): JobRecord | undefined {
    const holder = this.#stagedHolder(job, session) ?? this.#holderOf(job);
    return holder === undefined
      ? undefined
      : session.answeredWith(holder.job.id).reduce((record, staged) => this.#afterAnswer(record, staged), holder);
  }

  /** The job that has the key of another one, after that was answered with it. */
  #afterAnswer(holder: JobRecord, { tree: [job], places: [at] }: StagedTree): JobRecord {
    return isDebouncedBy(job, holder.job) ? debounce(holder, job, at.now, this.context.putOff) : holder;
  }

  /** The job that was queued in place of the one that this is to retry. */
  #retryBefore({ retryOf = '' }: QueuedJob): JobRecord | undefined {
    const { table } = this.context;
    return table.get(table.get(retryOf)?.state.retriedAs ?? '');
  }

  #stagedRetry({ retryOf }: QueuedJob, session: MemorySession): JobRecord | undefined {
    const before = retryOf === undefined ? undefined : session.retryOf(retryOf);
    return before === undefined ? undefined : firstRecord(before);
  }

  #stagedHolder({ unique }: QueuedJob, session: MemorySession): JobRecord | undefined {
    const before = unique === undefined ? undefined : session.lastUnder(unique.key);
    if (before === undefined) return undefined;
    const record = firstRecord(before);
    return hasKey(record.job, record.state, this.context.now()) ? record : undefined;
  }

  #noteRetry({ id, retryOf = '' }: QueuedJob): void {
    const retried = this.context.table.get(retryOf);
    if (retried !== undefined) this.context.table.note(retried, { retriedAs: id });
  }
}

/** A job as it will be there when its transaction commits. */
function firstRecord({ tree: [job], places: [at] }: StagedTree): JobRecord {
  return { job, state: firstState(job, at, job.parent !== undefined) };
}
