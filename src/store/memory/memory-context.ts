/** What the parts of the memory store share. */

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
  /** What is done with a debounced job and the one that puts it off. */
  readonly putOff: Debounce;
}
