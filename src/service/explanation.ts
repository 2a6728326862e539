/** Why a job is not running now: the result of `job.explain()`. */

import type { Status } from '../job/job-status.js';
import type { Rate } from '../job/rates.js';
import type { StoredError } from '../job/stored-error.js';
import type { QuotaHolder } from '../store/store-insight.js';

/** A job as it is at about one moment, and the conditions that it still waits for. */
export interface Explanation {
  readonly id: string;
  readonly taskName: string;
  readonly queue: string;
  readonly status: Status;
  /** All that keeps it; none for one that has ended, or that the next claim takes. */
  readonly reasons: readonly Reason[];
  /** How many pending jobs of its queue come before it, up to 1,000, some of which may be kept by other things; while it is pending. */
  readonly ahead: number | undefined;
  /** The same in words, a line for each reason. */
  readonly text: string;
}

/** One thing that keeps a job from running, or that it waits for. */
export type Reason =
  /** Its code runs. */
  | { readonly because: 'running'; readonly dispatcher: string | undefined; readonly since: Date | undefined }
  /** A dispatcher has it, and begins it as soon as a place is free. */
  | { readonly because: 'claimed'; readonly dispatcher: string | undefined }
  /** Its time has not come; after a retry with the error that it failed with. */
  | { readonly because: 'scheduled'; readonly until: Date | undefined; readonly lastError: StoredError | undefined }
  /**
   * It comes after other jobs: those before it in its batch, its own steps or callbacks, the job that it is a callback of, or that it
   * returned.
   */
  | {
      readonly because: 'waits-for';
      readonly what: 'earlier-steps' | 'steps' | 'callbacks' | 'its-job' | 'returned-job';
      readonly jobs: readonly string[];
    }
  /** It, its task or its queue was paused. */
  | { readonly because: 'paused'; readonly what: 'everything' | 'queue' | 'task' }
  /** No living dispatcher runs this task, with these arguments, in its queue. */
  | { readonly because: 'no-dispatcher-accepts'; readonly dispatchers: number }
  /** Those that would run it have as many jobs as they take at once. */
  | { readonly because: 'dispatchers-busy'; readonly dispatchers: readonly string[] }
  /** A quota has too few places left. */
  | {
      readonly because: 'quota-full';
      readonly quota: string;
      readonly size: number;
      readonly needs: number;
      readonly free: number;
      readonly holders: readonly QuotaHolder[];
    }
  /** A quota has been made smaller than the job needs: it never runs unless that is undone. */
  | { readonly because: 'quota-too-small'; readonly quota: string; readonly size: number; readonly needs: number }
  /** A quota lets no more jobs begin for now. */
  | { readonly because: 'rate'; readonly quota: string; readonly rate: Rate; readonly until: Date };

/** The identifiers of reasons, and their meanings; `text` of an explanation has the details. */
export const REASONS: Readonly<Record<Reason['because'], string>> = Object.freeze({
  running: 'its code runs',
  claimed: 'a dispatcher has it, and begins it when a place of its quotas is free',
  scheduled: 'its time has not come',
  'waits-for': 'it waits for other jobs; `what` says which',
  paused: 'it, its task or its queue is paused',
  'no-dispatcher-accepts': 'no living dispatcher runs this task, with these arguments, in its queue',
  'dispatchers-busy': 'the dispatchers that would run it have as many jobs as they take at once',
  'quota-full': 'a quota has too few places free',
  'quota-too-small': 'a quota has fewer places than the job needs: it never runs unless the quota is made larger',
  rate: 'a quota lets no more jobs begin for now',
});

/** The identifiers of jobs that are waited for, and their texts. */
export const WAITED_FOR: Readonly<Record<Extract<Reason, { readonly because: 'waits-for' }>['what'], string>> = Object.freeze({
  'earlier-steps': 'earlier steps',
  steps: 'steps',
  callbacks: 'callbacks',
  'its-job': 'its job',
  'returned-job': 'the job it returned',
});
