/** Has every claimed job worked on, side by side; its slot becomes free when the job is finished, or earlier. */

import { Observable, type OperatorFunction } from 'rxjs';
import type { ClaimedJob } from '../store/store-messages.js';
import type { JobRunner } from './job-runner.js';
import type { Slots } from './slots.js';

/**
 * Emits nothing, and completes when the last job is done with after the source has completed. Like
 * `mergeMap`, but for an inner observable with its subscriptions it takes one promise a job.
 */
export function runJobs(jobRunner: Pick<JobRunner, 'work'>, slots: Slots): OperatorFunction<ClaimedJob, never> {
  return (jobs) =>
    new Observable<never>((subscriber) => {
      let inHand = 0;
      let isComplete = false;
      const ended = (): void => {
        if (--inHand === 0 && isComplete) subscriber.complete();
      };
      return jobs.subscribe({
        next: (job) => {
          inHand++;
          const freeSlot = slots.once();
          void jobRunner.work(job, freeSlot).then(() => {
            freeSlot();
            ended();
          });
        },
        error: (error) => subscriber.error(error),
        complete: () => {
          isComplete = true;
          if (inHand === 0) subscriber.complete();
        },
      });
    });
}
