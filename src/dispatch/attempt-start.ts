/** Begins an attempt, plain or in a transaction, and judges how it ended. */

import type { JobPlan } from '../job/job-plan.js';
import type { AttemptKey, ClaimedJob } from '../store/store-messages.js';
import type { AttemptEvents } from '../task/attempt-events.js';
import type { TaskDefinition } from '../task/task-definition.js';
import type { Attempt, Ending } from './attempt.js';
import type { SettlementWriter } from './settlement-writer.js';
import type { TaskCaller } from './task-caller.js';
import { TransactionalAttempt, type TransactionalSources } from './transactional-attempt.js';
import { type AttemptContext, type Conflict, following, judge, retryPlanOf, type Verdict } from './verdict.js';

export interface AttemptSources {
  readonly caller: TaskCaller;
  readonly settlementWriter: SettlementWriter;
  readonly transactional: TransactionalSources;
  readonly attemptEvents: AttemptEvents;
}

/** The input for the start of an attempt. */
export interface AttemptStart {
  readonly key: AttemptKey;
  readonly attempt: Attempt;
  readonly context: AttemptContext;
  /** As it is stored. */
  readonly claimed: ClaimedJob;
  /** As its task is given it. */
  readonly opened: ClaimedJob;
}

/**
 * An attempt under way: `returned` when its method has returned; `over` when its effects are final; its verdict, unless that is recorded
 * already.
 */
export interface StartedAttempt {
  readonly returned: Promise<Ending>;
  readonly over: Promise<unknown>;
  readonly verdict: () => Promise<Verdict | Conflict | undefined>;
}

export function beginAttempt(task: TaskDefinition, start: AttemptStart, sources: AttemptSources): StartedAttempt {
  const { caller, settlementWriter, transactional, attemptEvents } = sources;
  const { key, attempt, context, claimed, opened } = start;
  const code = (): unknown => {
    attemptEvents.emit(() => ({ type: 'started', job: attempt.view }));
    return caller.call(task, opened, attempt);
  };
  if (!task.options.transactional) {
    const returned = attempt.run(code);
    return { returned, over: returned, verdict: async () => verdictOn(await returned, start, sources) };
  }
  const { returned, verdict } = new TransactionalAttempt(transactional, {
    key,
    attempt,
    context,
    code,
    planted: (plan) => caller.planted(plan, claimed, attempt),
    reported: () => settlementWriter.reported(key),
  });
  return { returned, over: verdict, verdict: () => verdict };
}

async function verdictOn(ending: Ending, start: AttemptStart, sources: AttemptSources): Promise<Verdict> {
  const plan = 'value' in ending ? retryPlanOf(ending.value) : undefined;
  return plan === undefined ? judge(ending, start.attempt.aborted, start.context) : queued(plan, start, sources);
}

/** The verdict on an attempt that returned a draft, which is queued on the way. */
async function queued(
  plan: JobPlan,
  { claimed, attempt, context }: AttemptStart,
  { caller, settlementWriter }: AttemptSources,
): Promise<Verdict> {
  try {
    const tree = await caller.planted(plan, claimed, attempt);
    const inserted = await settlementWriter.insert(tree);
    if (inserted === undefined) return { type: 'interrupted' };
    return { type: 'end', outcome: following(tree, inserted) };
  } catch (thrown) {
    return judge({ thrown }, undefined, context);
  }
}
