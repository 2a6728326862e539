/** The log messages about jobs that wait, with advice: one notice for each queue, task or quota. */

import { DEFAULT_QUOTA } from '../job/places.js';
import { taskNameIn } from '../job/task-version.js';
import type { DispatcherStatus } from '../store/store-insight.js';
import type { Line, WaitingReason } from './waiting-reasons.js';

/** Something that jobs wait for. */
export interface Notice {
  /** The same for all jobs that wait for the same thing. */
  readonly key: string;
  /** `warn` where nobody will run the jobs unless something is done; `info` where they run later. */
  readonly level: 'warn' | 'info';
  readonly text: (count: number) => string;
}

/** The facts besides its reason on which a notice depends. */
export interface Scene {
  readonly dispatchers: readonly DispatcherStatus[];
  /** No other process can see the jobs. */
  readonly isEmbedded: boolean;
}

/** The notices for a line, by the reasons for which its jobs wait. */
export function noticesOf(line: Line, reasons: readonly WaitingReason[], scene: Scene): readonly Notice[] {
  const [first] = reasons;
  if (first === undefined) return [];
  // These come first, and nothing else matters while they hold.
  if (first.because === 'paused' || first.because === 'no-dispatcher-accepts' || first.because === 'dispatchers-busy')
    return [noticeOf(first, line, scene)];
  return reasons.map((reason) => noticeOf(reason, line, scene));
}

function noticeOf(reason: WaitingReason, line: Line, scene: Scene): Notice {
  switch (reason.because) {
    case 'paused':
      return paused(reason.what, line);
    case 'no-dispatcher-accepts':
      return unaccepted(line, scene);
    case 'dispatchers-busy':
      return {
        key: `busy ${line.queue}`,
        level: 'info',
        text: (count) =>
          `${queue(line)} has ${jobs(count)} waiting, since every slot for them is taken: give its agents more \`concurrency\`, or start more processes`,
      };
    case 'quota-too-small':
      return {
        key: `too small ${reason.quota} ${line.taskVersion}`,
        level: 'warn',
        text: (count) =>
          `${task(line)} has ${jobs(count)} waiting, which need ${reason.needs} places of the quota \`${reason.quota}\` each, and it has only ${reason.size}, so they never run: make it larger, with \`quotas\` of asyncModule or \`async.resizeQuota\``,
      };
    case 'quota-full':
      return { key: `full ${reason.quota}`, level: 'info', text: full(reason.quota, reason.size) };
    case 'rate':
      return {
        key: `rate ${reason.quota}`,
        level: 'info',
        text: (count) =>
          `${jobs(count)} ${wait(count)} for the rate of the quota \`${reason.quota}\`, which lets ${reason.rate.starts} begin in ${reason.rate.perMs} ms: give it another \`rate\` in \`quotas\` of asyncModule if that is too slow`,
      };
  }
}

function full(quota: string, size: number): (count: number) => string {
  const remedy =
    quota === DEFAULT_QUOTA
      ? 'give the task other quotas, or none (`@Task({ quotas: [] })`), or make `default` larger (`quotas: { default: 10 }` of asyncModule)'
      : 'make it larger, with `quotas` of asyncModule or `async.resizeQuota`, if more may run at once';
  return (count) =>
    `${jobs(count)} ${wait(count)} for the quota \`${quota}\` of size ${size} while slots are free${quota === DEFAULT_QUOTA && size === 1 ? ', and run one at a time' : ''}: ${remedy}`;
}

function paused(what: 'everything' | 'queue' | 'task', line: Line): Notice {
  const level = 'warn';
  if (what === 'everything')
    return {
      key: 'paused',
      level,
      text: (count) => `everything is paused, and ${jobs(count)} ${wait(count)}: \`async.resume('everything')\` lets them begin`,
    };
  if (what === 'queue')
    return {
      key: `paused queue ${line.queue}`,
      level,
      text: (count) =>
        `${queue(line)} is paused and has ${jobs(count)} waiting: \`async.resume({ queue: '${line.queue}' })\` lets them begin`,
    };
  return {
    key: `paused task ${taskNameIn(line.taskVersion)}`,
    level,
    text: (count) => `${task(line)} is paused and has ${jobs(count)} waiting: \`async.resume({ task })\` lets them begin`,
  };
}

function unaccepted(line: Line, scene: Scene): Notice {
  const { key, of, lack } = lackFor(line, scene);
  return { key, level: 'warn', text: (count) => `${of} has ${jobs(count)} waiting, and ${lack}` };
}

/** The reason why no living dispatcher accepts the jobs, with advice. */
export function lackFor(
  line: Line,
  { dispatchers, isEmbedded }: Scene,
): { readonly key: string; readonly of: string; readonly lack: string } {
  if (dispatchers.length === 0)
    return isEmbedded
      ? { key: ALONE, of: queue(line), lack: `no dispatcher is alive: ${ALONE}` }
      : { key: `nobody in ${line.queue}`, of: queue(line), lack: `no dispatcher is alive: ${START_ONE}` };
  if (!dispatchers.some(({ agents }) => agents.some((agent) => agent.queue === line.queue)))
    return {
      key: `no agent for ${line.queue}`,
      of: queue(line),
      lack: `no living dispatcher has an agent for it: add \`{ queue: '${line.queue}' }\` to \`dispatcher.agents\` of a process that has the tasks`,
    };
  const lack = isKnown(line, dispatchers)
    ? 'no living dispatcher reads that version of its arguments: deploy a build that does'
    : "no living dispatcher runs it there: add it to `tasks` of asyncModule in a process that serves this queue, with its old names as `aliases`, and see that the agent's `accepts` lets it pass";
  return { key: `no task ${line.taskVersion} in ${line.queue}`, of: `${task(line)} in ${queue(line)}`, lack };
}

/** Why nobody runs the jobs of a memory store, if no service that shares it works. */
export const ALONE =
  '`dispatcher` is `false` here, and no other process sees the jobs of a `memoryStore()`; leave `dispatcher` out, or use `mongoStore` and a process that works';
const START_ONE = 'start a process whose asyncModule has the tasks, and `dispatcher` not `false`';

/** Whether a dispatcher runs other versions of the task. */
function isKnown({ queue, taskVersion }: Line, dispatchers: readonly DispatcherStatus[]): boolean {
  const name = taskNameIn(taskVersion);
  return dispatchers.some(({ agents }) =>
    agents.some((agent) => agent.queue === queue && agent.taskVersions.some((one) => taskNameIn(one) === name)),
  );
}

function queue({ queue: name }: Line): string {
  return name === '' ? 'the default queue' : `queue \`${name}\``;
}

function task({ taskVersion, isComposite }: Line): string {
  return isComposite ? `the kind of batch \`${taskVersion}\`` : `task \`${taskNameIn(taskVersion)}\``;
}

function jobs(count: number): string {
  if (count >= MAX_COUNTED) return `at least ${count} jobs`;
  return count === 1 ? '1 job' : `${count} jobs`;
}

function wait(count: number): string {
  return count === 1 ? 'waits' : 'wait';
}

/** The number of jobs that are counted. */
export const MAX_COUNTED = 1_000;
