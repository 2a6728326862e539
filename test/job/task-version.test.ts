/** The form of a job as text, made and read again; and the level of the log for its failure. */

import { expect, it } from 'vitest';
import { failureLogLevelOf } from '../../src/job/failure-log-level.js';
import { taskNameIn, taskVersionOf } from '../../src/job/task-version.js';

it.each([
  [{ taskName: 'Mail.send' }, 'Mail.send'],
  [{ taskName: 'Mail.send', version: 1 }, 'Mail.send'],
  [{ taskName: 'Mail.send', version: 2 }, 'Mail.send\u00002'],
])('the form of %j is its name, and the version from the second on', (job, form) => {
  expect(taskVersionOf(job)).toBe(form);
  expect(taskNameIn(form)).toBe('Mail.send');
});

it.each([
  [{}, 'error'],
  [{ failureLogLevel: 'none' }, 'none'],
  [{ failureLogLevel: 'debug' }, 'debug'],
  [{ failureLogLevel: 'verbose' }, 'error'],
] as const)('the failure of a job with %j is logged as %s', (job, level) => {
  expect(failureLogLevelOf(job)).toBe(level);
});
