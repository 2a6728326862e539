/** A store's answer for one tree. */

import type { JobRecord } from '../job/job-record.js';
import type { InsertResult } from './store-messages.js';

/** The record of its root. @throws why there is none */
export function recordOrThrow(answer: InsertResult): JobRecord {
  if ('refused' in answer) throw answer.refused;
  if ('failed' in answer) throw answer.failed;
  return answer.record;
}
