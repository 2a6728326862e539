/** Says in words why a job is not running now. */

import type { QuotaHolder } from '../store/store-insight.js';
import { type Explanation, type Reason, WAITED_FOR } from './explanation.js';

/** One line for the job, and one for each reason. */
export function inWords({ id, taskName, queue, status, reasons, ahead }: Omit<Explanation, 'text'>): string {
  const where = queue === '' ? '' : ` in the queue '${queue}'`;
  const line = ahead === undefined || ahead === 0 ? '' : `; ${ahead} pending ${ahead === 1 ? 'job comes' : 'jobs come'} before it`;
  const next = status === 'pending' && reasons.length === 0 && ahead === 0 ? '; the next claim takes it' : '';
  return [`job ${id} (${taskName})${where} is ${status}${line}${next}`, ...reasons.map((reason) => `- ${said(reason)}`)].join('\n');
}

function said(reason: Reason): string {
  switch (reason.because) {
    case 'running':
      return `it runs${by(reason.dispatcher)}${since(reason.since)}`;
    case 'claimed':
      return `it is claimed${by(reason.dispatcher)}, and begins when a place of its quotas is free`;
    case 'scheduled':
      return `it is due at ${reason.until?.toISOString() ?? 'a time of the store'}${after(reason.lastError)}`;
    case 'waits-for':
      return `it waits for ${WAITED_FOR[reason.what]}: ${reason.jobs.join(', ')}`;
    case 'paused':
      return { everything: 'everything is paused', queue: 'its queue is paused', task: 'its task is paused' }[reason.what];
    case 'no-dispatcher-accepts':
      return `none of ${reason.dispatchers} living dispatcher(s) runs this task in this queue`;
    case 'dispatchers-busy':
      return `every slot for it is taken: ${reason.dispatchers.join(', ')}`;
    case 'quota-full':
      return `the quota '${reason.quota}' has ${reason.free} of ${reason.size} place(s) free, and it needs ${reason.needs}: ${holders(reason.holders)}`;
    case 'quota-too-small':
      return `the quota '${reason.quota}' has only ${reason.size} place(s), and it needs ${reason.needs}: it never runs unless the quota is made larger`;
    case 'rate':
      return `the quota '${reason.quota}' lets ${reason.rate.starts} job(s) begin in ${reason.rate.perMs} ms: the next one at ${reason.until.toISOString()}`;
  }
}

function holders(all: readonly QuotaHolder[]): string {
  return all
    .map(({ places, job, dispatcher, since: from }) => {
      const who = job === undefined ? `dispatcher ${dispatcher ?? 'unknown'}, for its next jobs,` : `job ${job.id} (${job.taskName})`;
      return `${who} has ${places}${since(from)}`;
    })
    .join('; ');
}

function by(dispatcher: string | undefined): string {
  return dispatcher === undefined ? '' : ` by ${dispatcher}`;
}

function since(date: Date | undefined): string {
  return date === undefined ? '' : ` since ${date.toISOString()}`;
}

function after(error: { readonly message: string } | undefined): string {
  return error === undefined ? '' : `, after it failed: ${error.message}`;
}
