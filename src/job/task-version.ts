/** The form of a job: its task, and the version of the task's arguments that were stored; who runs it must be able to read them. */

import type { QueuedJob } from './job-record.js';

/** The version of tasks whose arguments have never changed. */
export const FIRST_VERSION = 1;

/** As text, which is the task's name for the first version. */
export function taskVersionOf({ taskName, version = FIRST_VERSION }: Pick<QueuedJob, 'taskName' | 'version'>): string {
  return version === FIRST_VERSION ? taskName : `${taskName}\u0000${version}`;
}

/** The name of the task of a form. */
export function taskNameIn(taskVersion: string): string {
  return taskVersion.split('\u0000', 1)[0] ?? taskVersion;
}
