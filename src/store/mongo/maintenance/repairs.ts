/** How damaged documents of each collection are repaired. */

import type { JobDetails } from '../../../job/job-details.js';
import type { ServerTime } from '../driver/server-time.js';
import type { Notifier } from '../feed/notifier.js';
import type { JobCollection } from '../jobs/job-collection.js';
import { ServerExpression } from '../jobs/job-update.js';
import type { QuotaCache } from '../quotas/quota-cache.js';
import { NEXT_REVISION } from '../quotas/quota-pipelines.js';
import type { Cares, Collections } from '../schema/collections.js';
import type { DispatcherDocument, NoteDocument, QuotaDocument, ScheduleDocument } from '../schema/documents.js';
import { DISPATCHER_RULES, NOTE_RULES, QUOTA_RULES, SCHEDULE_RULES } from '../schema/other-damage.js';
import type { Completion } from '../settle/completion.js';
import { FieldCare } from './field-care.js';
import { JobCare } from './job-care.js';
import { insteadOfQuotaField } from './quota-care.js';

/** The lease of a dispatcher whose own is damaged: by its end the dispatcher has renewed it, or is dead. */
const FRESH_LEASE_MS = 30_000;

/** The parts that a repair needs. They are created after the collections, which are opened with these repairs. */
export interface RepairParts {
  readonly collections: Collections;
  readonly completion: Completion;
  readonly jobs: JobCollection;
  readonly notifier: Notifier;
  readonly quotas: QuotaCache;
}

export interface RepairSources {
  readonly time: ServerTime;
  readonly process: string;
  readonly parts: () => RepairParts;
  readonly onDamage: (message: string, details?: JobDetails) => void;
}

export function openRepairs(sources: RepairSources): Cares {
  const { time, onDamage } = sources;
  const soon = (): Date => new Date(time.estimate().getTime() + FRESH_LEASE_MS);
  const ofDispatcher: Record<string, () => unknown> = {
    state: () => 'alive',
    leaseMs: () => FRESH_LEASE_MS,
    leaseUntil: soon,
    since: () => time.estimate(),
  };
  const ofNote: Record<string, () => unknown> = { attempt: () => 0, expireAt: soon };
  const ofSchedule: Record<string, () => unknown> = { firedUntil: () => time.estimate() };
  return {
    jobs: repairsOfJobs(sources),
    quotas: repairsOfQuotas(sources),
    dispatchers: new FieldCare<DispatcherDocument>({ rules: DISPATCHER_RULES, insteadOf: (field) => ofDispatcher[field]?.(), onDamage }),
    notes: new FieldCare<NoteDocument>({ rules: NOTE_RULES, insteadOf: (field) => ofNote[field]?.(), onDamage }),
    schedules: new FieldCare<ScheduleDocument>({ rules: SCHEDULE_RULES, insteadOf: (field) => ofSchedule[field]?.(), onDamage }),
  };
}

function repairsOfJobs({ time, process, parts, onDamage }: RepairSources): JobCare {
  return new JobCare({
    time,
    process,
    completion: () => parts().completion,
    waitingIn: (root) => parts().jobs.find({ root, status: { $in: ['active', 'callbacks'] } }),
    cancel: (owner, id, reason) => parts().notifier.cancelOf(owner, id, reason),
    onDamage,
    onBackground: (work) => parts().notifier.track(work),
  });
}

function repairsOfQuotas({ time, parts, onDamage }: RepairSources): FieldCare<QuotaDocument> {
  return new FieldCare<QuotaDocument>({
    rules: QUOTA_RULES,
    concerns: (document) => !('control' in document),
    insteadOf: (field, damaged) => insteadOfQuotaField(field, damaged, { ...parts(), time }),
    besides: (fields) => (fields.includes('revision') ? {} : { revision: new ServerExpression(NEXT_REVISION) }),
    onDamage,
  });
}
