/** Hands a job back to the store that cannot be worked on. */

import type { AttemptInfo, ClaimedJob } from '../store/store-messages.js';
import { jobLogger } from '../task/job-logger.js';
import type { Logger } from '../task/logger.js';
import type { SettlementWriter } from './settlement-writer.js';

/** The job counts as interrupted, such as one of which a part is missing. */
export async function handBack(
  { logger, settlementWriter }: { readonly logger: Logger; readonly settlementWriter: SettlementWriter },
  { job }: ClaimedJob,
  { number, token }: Pick<AttemptInfo, 'number' | 'token'>,
  err: unknown,
): Promise<void> {
  const { id, taskName } = job;
  jobLogger(logger, job, number).error(`job ${id} (${taskName}) could not be ended, and counts as interrupted`, { err });
  await settlementWriter.release({ id, token, hasBegun: true });
}
