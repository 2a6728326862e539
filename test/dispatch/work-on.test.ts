import { Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { runJobs } from '../../src/dispatch/run-jobs.js';
import { Slots } from '../../src/dispatch/slots.js';
import type { ClaimedJob } from '../../src/store/store-messages.js';
import { deferred } from '../support/deferred.js';

/** A worker whose jobs take until they are let go. */
function setup() {
  const jobs = new Subject<ClaimedJob>();
  const slots = new Slots(3);
  const begun: string[] = [];
  const gates = { a: deferred<void>(), b: deferred<void>() };
  const worker = {
    work: ({ job }: ClaimedJob, freeSlot: () => void): Promise<void> => {
      begun.push(job.id);
      return gates[job.id as 'a' | 'b'].promise.then(freeSlot);
    },
  };
  const claim = (id: 'a' | 'b'): void => {
    slots.take(1);
    jobs.next({ job: { id } } as ClaimedJob);
  };
  let isComplete = false;
  const subscription = jobs.pipe(runJobs(worker, slots)).subscribe({
    complete: () => {
      isComplete = true;
    },
  });
  return { jobs, slots, begun, gates, claim, subscription, isComplete: () => isComplete };
}

describe('workOn', () => {
  it('works on jobs side by side, and frees the slot of each', async () => {
    const { begun, gates, claim, slots } = setup();
    claim('a');
    claim('b');
    expect(begun).toEqual(['a', 'b']);
    expect(slots.free).toBe(1);
    gates.b.resolve();
    await Promise.resolve();
    expect(slots.free).toBe(2);
  });

  it('completes when the source has, and the last job is done with', async () => {
    const { jobs, gates, claim, isComplete } = setup();
    claim('a');
    claim('b');
    jobs.complete();
    gates.b.resolve();
    await gates.b.promise;
    expect(isComplete()).toBe(false);
    gates.a.resolve();
    await Promise.allSettled([gates.a.promise]);
    await Promise.resolve();
    expect(isComplete()).toBe(true);
  });

  it('completes at once when nothing is in hand', () => {
    const { jobs, isComplete } = setup();
    jobs.complete();
    expect(isComplete()).toBe(true);
  });

  it('takes no more once it is unsubscribed from', () => {
    const { begun, claim, subscription } = setup();
    subscription.unsubscribe();
    claim('a');
    expect(begun).toEqual([]);
  });
});
