/** The pauses: a job that is paused does not begin; a running one goes on. */

import { partsOf } from './lane.js';
import { taskNameIn } from './task-version.js';

/** Everything, the jobs of a queue, or those of a task, which may be stored under several names. */
export type Pausable = 'everything' | { readonly queue: string } | { readonly taskNames: readonly string[] };

/** The pauses at one moment. */
export interface Paused {
  readonly everything: boolean;
  readonly queues: readonly string[];
  /** By the names under which jobs are stored. */
  readonly taskNames: readonly string[];
}

export const NOTHING_PAUSED: Paused = Object.freeze({ everything: false, queues: Object.freeze([]), taskNames: Object.freeze([]) });

/** With one more pause, or one fewer; a queue or task that was paused on its own stays paused when everything is resumed. */
export function withPause(paused: Paused, what: Pausable, isPaused: boolean): Paused {
  if (what === 'everything') return { ...paused, everything: isPaused };
  const but = (all: readonly string[], some: readonly string[]): readonly string[] => {
    const rest = all.filter((one) => !some.includes(one));
    return isPaused ? [...rest, ...some] : rest;
  };
  if ('queue' in what) return { ...paused, queues: but(paused.queues, [what.queue]) };
  return { ...paused, taskNames: but(paused.taskNames, what.taskNames) };
}

/** Whether no job of a task version may begin in a queue; without a version, whether none may at all. */
export function isPaused({ everything, queues, taskNames }: Paused, queue: string, taskVersion?: string): boolean {
  if (everything || queues.includes(queue)) return true;
  return taskVersion !== undefined && taskNames.length > 0 && taskNames.includes(taskNameIn(taskVersion));
}

/** Whether no job of a lane may begin. */
export function isLanePaused(paused: Paused, lane: string): boolean {
  const { queue, taskVersion, isComposite } = partsOf(lane);
  return isPaused(paused, queue, isComposite ? undefined : taskVersion);
}
