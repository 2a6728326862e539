/** The parts that the memory store shares among its classes. */

import type { Debounce } from '../../job/job-sealer.js';
import type { Completion } from './completion.js';
import type { JobTable } from './job-table.js';
import type { QuotaLedger } from './quota-ledger.js';

export interface MemoryContext {
  readonly table: JobTable;
  readonly ledger: QuotaLedger;
  readonly completion: Completion;
  readonly now: () => Date;
  readonly newToken: () => string;
  /** Combines a debounced job with the one that puts it off. */
  readonly putOff: Debounce;
}
