/** Why pending jobs wait, from the data of the store: one rule for `explain` of a job and for the log lines of a lane. */

import type { JobRecord } from '../job/job-record.js';
import { type LaneParts, partsOf, placesIn } from '../job/lane.js';
import { isPaused, type Paused } from '../job/pauses.js';
import { NO_PLACES, type Places, weightOf } from '../job/places.js';
import { taskVersionOf } from '../job/task-version.js';
import type { JobStore } from '../store/job-store.js';
import type { AgentInfo, DispatcherStatus, QuotaStatus } from '../store/store-insight.js';
import type { Reason } from './explanation.js';

/** The reasons for which pending jobs may wait; all jobs of a lane have the same. */
export type WaitingReason = Extract<
  Reason,
  { readonly because: 'paused' | 'no-dispatcher-accepts' | 'dispatchers-busy' | 'quota-full' | 'quota-too-small' | 'rate' }
>;

/** The facts that decide about a pending job. */
export interface Line extends LaneParts {
  readonly places: Places;
}

/** The state of a store at about one moment. */
export interface Sight {
  readonly paused: Paused;
  readonly dispatchers: readonly DispatcherStatus[];
  readonly quotas: readonly QuotaStatus[];
}

/** The line in which a job waits; one that goes on with its places lacks none. */
export function lineOf({ job, state }: JobRecord): Line {
  const places = state.hasPlaces === true ? NO_PLACES : job.places;
  return { queue: job.queue, taskVersion: taskVersionOf(job), isComposite: job.kind !== 'task', places };
}

export function lineOfLane(lane: string): Line {
  return { ...partsOf(lane), places: placesIn(lane) };
}

export async function look(store: Pick<JobStore, 'controls' | 'insight'>, lines: readonly Line[]): Promise<Sight> {
  const names = new Set(lines.flatMap(({ places }) => Object.keys(places)));
  const [paused, dispatchers, quotas] = await Promise.all([
    store.controls.paused(),
    store.insight.dispatchers(),
    store.insight.quotas([...names]),
  ]);
  return { paused, dispatchers, quotas };
}

/** None for a job that the next claim takes. */
export function waitingReasons(line: Line, { paused, dispatchers, quotas }: Sight): readonly WaitingReason[] {
  const ofQuotas = Object.keys(line.places).flatMap((name) => quotaReasons(line, name, quotas));
  return [...pauseReasons(line, paused), ...agentReasons(line, dispatchers), ...ofQuotas];
}

function pauseReasons({ queue, taskVersion, isComposite }: Line, paused: Paused): readonly WaitingReason[] {
  if (paused.everything) return [{ because: 'paused', what: 'everything' }];
  if (isPaused(paused, queue)) return [{ because: 'paused', what: 'queue' }];
  return !isComposite && isPaused(paused, queue, taskVersion) ? [{ because: 'paused', what: 'task' }] : [];
}

export function agentReasons(line: Line, dispatchers: readonly DispatcherStatus[]): readonly WaitingReason[] {
  // A batch is opened by any agent of its queue, and takes no slot.
  const accepts = ({ queue, taskVersions }: AgentInfo): boolean =>
    queue === line.queue && (line.isComposite || taskVersions.includes(line.taskVersion));
  const able = dispatchers.filter(({ agents }) => agents.some(accepts));
  if (able.length === 0) return [{ because: 'no-dispatcher-accepts', dispatchers: dispatchers.length }];
  const isBusy = ({ agents, running }: DispatcherStatus): boolean => {
    const mine = agents.filter(accepts);
    const load = running.filter(
      ({ queue, taskVersion }) => queue === line.queue && mine.some(({ taskVersions }) => taskVersions.includes(taskVersion)),
    ).length;
    return load >= mine.reduce((sum, { concurrency }) => sum + concurrency, 0);
  };
  if (line.isComposite || !able.every(isBusy)) return [];
  return [{ because: 'dispatchers-busy', dispatchers: able.map(({ dispatcher }) => dispatcher) }];
}

/** A quota that is not there has no places. */
function quotaReasons({ places }: Line, quota: string, quotas: readonly QuotaStatus[]): readonly WaitingReason[] {
  const needs = weightOf(places, quota);
  const { size = 0, holders = [], rate, nextStart } = quotas.find(({ name }) => name === quota) ?? {};
  if (needs > size) return [{ because: 'quota-too-small', quota, size, needs }];
  const free = holders.reduce((left, holder) => left - holder.places, size);
  const full: readonly WaitingReason[] =
    needs > free ? [{ because: 'quota-full', quota, size, needs, free: Math.max(0, free), holders }] : [];
  return rate === undefined || nextStart === undefined ? full : [...full, { because: 'rate', quota, rate, until: nextStart }];
}
