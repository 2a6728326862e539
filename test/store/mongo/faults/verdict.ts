/** The conditions that hold when a scenario is over, whichever fault it met: a line for each that does not. */

import { MongoServerError } from 'mongodb';
import { isHeld } from '../../../../src/store/mongo/quotas/quota-pipelines.js';
import type { JobDocument, QuotaDocument } from '../../../../src/store/mongo/schema/documents.js';
import { SIZES } from './bodies.js';
import { EXPECTED, type Scenario } from './scenario.js';
import type { Stage } from './stage.js';

const FINAL: ReadonlySet<unknown> = new Set(['completed', 'failed', 'cancelled']);
/** Long enough for some rounds, and for a lease to end. */
const AFTERWARDS_MS = 70_000;
const WRITE_CONFLICT = 112;

export async function verdict(stage: Stage, scenario: Scenario): Promise<readonly string[]> {
  await stage.advance(AFTERWARDS_MS);
  // Also one that came only now, with the commands of an idle minute.
  await stage.outlast();
  // A heartbeat that was applied late may have renewed the lease of a life that was over by then.
  if (stage.clock.now() - stage.strike.endedAtMs < AFTERWARDS_MS) await stage.advance(AFTERWARDS_MS);
  const jobs = await stage.documents('jobs');
  return [
    ...Object.entries(EXPECTED).flatMap(([name, outcome]) => differs(`${name} has ended as`, scenario.outcomes[name], outcome)),
    ...jobs.filter((job) => !isForgotten(job, scenario)).flatMap((job) => ofJob(job, stage, scenario)),
    ...ofRefused(jobs, scenario),
    ...scenario.bodies.excesses,
    ...(await stage.documents('quotas')).flatMap(ofQuota),
  ];
}

/** When both services have stopped, they hold nothing. */
export async function verdictAfterStop(stage: Stage): Promise<readonly string[]> {
  const quotas = await stage.documents('quotas');
  return quotas.flatMap(({ _id, holders }) =>
    holders.some(({ places }) => places > 0) ? [`quota ${_id} is held after the stop: ${JSON.stringify(holders)}`] : [],
  );
}

function ofJob(job: JobDocument, stage: Stage, { bodies }: Scenario): readonly string[] {
  const { status, owner, attempts, failures, interruptions, kind } = job;
  const id = String(job._id);
  const label = `${job.name ?? job.taskName} (${status}, ${attempts} attempts, ${failures} failures, ${interruptions} interruptions)`;
  const runs = bodies.runsOf(id);
  const written = stage.outcomes.filter((each) => each === id).length;
  return [
    ...(FINAL.has(status) ? [] : [`${label} is not final`]),
    ...(owner === undefined ? [] : [`${label} has an owner still: ${owner}`]),
    ...(job.reservation === undefined ? [] : [`${label} holds places still`]),
    ...(written > 1 ? [`the outcome of ${label} was written ${written} times`] : []),
    ...(kind === 'task' && runs > attempts ? [`${label} ran ${runs} times`] : []),
    ...(stage.strike.isPeaceful && kind === 'task' && runs !== attempts ? [`${label} ran ${runs} times`] : []),
    ...(interruptions > 0 && stage.strike.isPeaceful ? [`${label} was interrupted`] : []),
    ...(attempts > failures + interruptions + 1 ? [`${label} has attempts that nothing explains`] : []),
  ];
}

/** Of two that hang, since it was not certain whether the first was queued, only the second is cancelled. */
function isForgotten({ name, taskName }: JobDocument, { refused }: Scenario): boolean {
  return taskName === 'hang' && refused.some((one) => one.name === name && one.isUncertain);
}

/** A job that was refused for certain does not exist; and no caller sees a conflict, since a conflict passes. */
function ofRefused(jobs: readonly JobDocument[], { refused }: Scenario): readonly string[] {
  const names = new Set(jobs.map(({ name }) => name));
  return refused.flatMap(({ name, error, isUncertain }) => [
    ...(!isUncertain && names.has(name) ? [`${name} was queued, but answered with ${error}`] : []),
    ...(isConflict(error) ? [`${name} was not tried again after ${error}`] : []),
  ]);
}

function isConflict(error: unknown): boolean {
  return error instanceof MongoServerError && error.code === WRITE_CONFLICT;
}

function ofQuota({ _id, size, holders }: QuotaDocument): readonly string[] {
  const total = holders.reduce((sum, { places }) => sum + places, 0);
  return [
    ...differs(`the size of ${_id} is`, size, SIZES[_id as keyof typeof SIZES]),
    ...(total > size ? [`${total} of ${size} places of ${_id} are held`] : []),
    ...holders.filter(isHeld).map((entry) => `a place of ${_id} has leaked: ${JSON.stringify(entry)}`),
  ];
}

function differs(what: string, is: unknown, expected: unknown): readonly string[] {
  return is === expected ? [] : [`${what} ${is}, not ${expected}`];
}
