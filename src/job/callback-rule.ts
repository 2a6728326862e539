/** The callback rule: which of its two drafts a callback becomes when its job has ended. */

import type { FinalStatus } from './job-status.js';

/** @returns `undefined` where the callback passes the outcome on: there is no draft for it, or the job was cancelled */
export function branchFor<T>({ success, failure }: { readonly success?: T; readonly failure?: T }, status: FinalStatus): T | undefined {
  if (status === 'completed') return success;
  return status === 'failed' ? failure : undefined;
}
