/** The changes that a store emits, and the filters for them. */

import type { JobRecord } from '../job/job-record.js';

export type ChangeFilter =
  /** There may be something to claim in the queue. */
  | { readonly work: string }
  /** Something will be due at a time by the clock of this process, which may be earlier than the one that `recover` knew. */
  | { readonly due: true }
  /** Cancellation was asked for a job that the dispatcher runs. */
  | { readonly cancelsOf: string }
  /** A round of this process has seen that jobs wait for long; an embedded store need not say so. */
  | { readonly longWaits: 'here' }
  /** A job: as it is now, then after each change, until it is final; nothing for a job that is not there. */
  | { readonly job: string }
  /** A job once it is final, and perhaps before; for calls that only wait for the end. */
  | { readonly ended: string }
  /** Jobs whose outcome this process recorded, once each. */
  | { readonly outcomes: 'here' }
  /** Jobs whose failure this process recorded, once each. */
  | { readonly failures: 'here' }
  /** Jobs whose outcome any process recorded, from about when one begins to listen. */
  | { readonly outcomes: 'everywhere' };

export type StoreChange =
  | { readonly type: 'work' }
  | { readonly type: 'long-wait' }
  | { readonly type: 'due'; readonly at: Date }
  | { readonly type: 'cancel'; readonly id: string; readonly reason: string | undefined }
  | { readonly type: 'job'; readonly record: JobRecord };
