/** The surroundings that a plan needs to be turned into jobs. */

import type { JobSealer } from './job-sealer.js';
import type { Metadata } from './metadata.js';
import type { QuotaLimits } from './places.js';
import type { PrincipalReference } from './principal.js';

export interface ExpansionContext {
  readonly nextId: () => string;
  readonly book: QuotaLimits;
  /** The limit on the arguments of one job, in bytes. */
  readonly valueLimitBytes: number;
  /** On whose behalf code runs here; `undefined` outside of every `runAs` and task. */
  readonly principal?: () => PrincipalReference | undefined;
  /** Of the job whose task's code runs here. */
  readonly metadata?: () => Metadata | undefined;
  /** The keys of the metadata that a job takes over from the one above it, or from the one that queues it. */
  readonly inheritMetadata?: readonly string[];
  /** Seals and encrypts; if absent, nothing is sealed. */
  readonly sealer?: JobSealer;
}
