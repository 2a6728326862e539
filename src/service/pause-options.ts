/** Pausing, as an application says it: queues by their names, tasks as values. */

import { checkOptions, is, type Rules } from '../check.js';
import { OptionError } from '../errors.js';
import type { Pausable as StoredPausable } from '../job/pauses.js';
import { namesOf } from '../task/definition-of.js';
import type { TaskLike } from '../task/task.js';

/** The target of a pause: everything, a queue, or a task under all its names. */
export type Pausable = 'everything' | { readonly queue: string } | { readonly task: TaskLike };

const RULES: Rules<{ readonly queue?: string; readonly task?: TaskLike }> = { queue: is.labelOrEmpty, task: is.anything };

/** @param what - what messages call it. @throws OptionError, NotATaskError */
export function pausableOf(what: string, paused: Pausable): StoredPausable {
  if (paused === 'everything') return paused;
  checkOptions(what, paused, RULES);
  const { queue, task } = paused as { readonly queue?: string; readonly task?: TaskLike };
  if ((queue === undefined) === (task === undefined))
    throw new OptionError(`${what} must be 'everything', or name a queue or a task, \`{ queue }\` or \`{ task }\`, one of the two`);
  return queue === undefined ? { taskNames: namesOf(task as TaskLike) } : { queue };
}
