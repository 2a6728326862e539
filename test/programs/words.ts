/** Says what jobs were called with, and how they ended, in the words of the model. */

import type { Job, Outcome, StoredError } from '../../src/index.js';
import type { Ending } from './model.js';

export function endingOf(outcome: Outcome<unknown>): Ending {
  const { status } = outcome;
  if (status === 'completed') return { status, value: inWords(outcome.result) };
  return { status, value: status === 'failed' ? errorInWords(outcome.error) : String(outcome.reason) };
}

/** A value as a task is given it; jobs by their ids. */
export function inWords(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((job: Job<unknown>) => job.id).join()}]`;
  if (typeof value !== 'object' || value === null) return String(value);
  if ('status' in value) {
    const { status, value: words } = endingOf(value as Outcome<unknown>);
    return `${status} ${words}`;
  }
  return errorInWords(value as StoredError);
}

/** The input of a postprocess. */
export function stepsInWords(jobs: readonly Job<unknown>[]): string {
  return `[${jobs.map(({ id, status }) => `${id} ${status}`).join()}]`;
}

function errorInWords({ code, message, cause }: StoredError): string {
  if (code !== 'MILLRACE_BATCH_FAILED' || cause === undefined) return message;
  return `${message.split(' jobs ')[0]} failed: ${errorInWords(cause)}`;
}
