/** Middleware: code of the application around each attempt of each task. */

import type { Metadata } from '../job/metadata.js';

/** An attempt as middleware and events see it; in the task, `currentTask()` has the rest. */
export interface AttemptView {
  readonly id: string;
  readonly taskName: string;
  readonly queue: string;
  /** Which run of the job this is, from 1. */
  readonly attempt: number;
  /** Whether its writes, its jobs and its end are one transaction: it can run again after a conflict, and nothing of it is there before the commit. */
  readonly isTransactional: boolean;
  readonly metadata: Metadata;
}

/**
 * Runs code before and after an attempt. It calls `next` once; that runs `setUp` and the task, and resolves with the task's result or
 * rejects with its error. The attempt ends as the task does, whatever the middleware returns, unless the middleware itself throws: then the
 * attempt fails with that error.
 * @example
 * const timed: Around = async ({ taskName }, next) => {
 *   const begin = performance.now();
 *   try {
 *     await next();
 *   } finally {
 *     histogram.record(performance.now() - begin, { taskName });
 *   }
 * };
 */
export type Around = (job: AttemptView, next: () => Promise<unknown>) => unknown;
