/** Contract cases for quotas: never exceeded, all places or none, and no job waits for a quota of another job. */

import { deepEqual, equal } from 'node:assert/strict';
import { parallel, serial, work } from './plans.js';
import { cases } from './store-case.js';
import { completed, keyOf, LAB_QUOTAS, type StoreLab } from './store-lab.js';

const ONE = { default: 1 } as const;

export const quotas = cases('quotas', {
  'has `default` before all other quotas in the lock order, wherever the configuration names it': async (lab) => {
    deepEqual([...lab.store.quotas], [...LAB_QUOTAS]);
  },

  'runs no more jobs at once than a quota has places': async (lab) => {
    const [a, b, c] = await lab.queueAll(
      work({ places: { pair: 1 } }),
      work({ places: { pair: 1 } }, 'other'),
      work({ places: { pair: 1 } }),
    );
    deepEqual(await lab.claimIds({ by: 'a', limit: 1 }), [a]);
    deepEqual(await lab.claimIds({ by: 'b' }), [b]);
    deepEqual(await lab.claimIds({ by: 'a' }), []);
    await lab.expect('pending', c);
  },

  'counts weights': async (lab) => {
    const [two, , one] = await lab.queueAll(
      work({ places: { trio: 2 } }),
      work({ places: { trio: 2 } }),
      work({ places: { trio: 1 } }, 'other'),
    );
    deepEqual(await lab.claimIds(), [two, one]);
  },

  'counts a quota over all queues': async (lab) => {
    await lab.queueAll(work({ places: ONE }), work({ places: ONE, queue: 'mail' }));
    equal((await lab.claim()).length, 1);
    deepEqual(await lab.claim({ queue: 'mail' }), []);
  },

  'takes all places of a job or none': async (lab) => {
    const [first, second, third] = await lab.queueAll(
      work({ places: { trio: 1 } }),
      work({ places: { pair: 1, trio: 3 } }, 'greedy'),
      work({ places: { pair: 2 } }),
    );
    deepEqual(await lab.claimIds(), [first, third]);
    await lab.expect('pending', second);
  },

  'gives the places back when the work ends, before the callbacks': async (lab) => {
    const [a, b] = await lab.queueAll(work({ places: ONE, callbacks: [{ both: work({}, 'after') }] }), work({ places: ONE }));
    await lab.complete(await lab.take(a));
    equal((await lab.claimIds({ tasks: ['work'] })).join(), b);
    await lab.expect('callbacks', a);
  },

  'lets jobs behind a full quota pass': async (lab) => {
    const [held, waits, free, other] = await lab.queueAll(
      work({ places: ONE }),
      work({ places: ONE }),
      work(),
      work({ places: { pair: 1 } }),
    );
    deepEqual(await lab.claimIds(), [held, free, other]);
    await lab.expect('pending', waits);
  },

  'runs jobs of a quota of 1 in the order of their insertion': async (lab) => {
    const ids = await lab.queueAll(work({ places: ONE }), work({ places: ONE }, 'other'), work({ places: ONE }));
    for (const id of ids) await lab.complete(await lab.take(id));
  },

  'saves up places after a second for a job that needs several': async (lab) => {
    const { big, small } = await crowd(lab);
    await lab.advance(1_500);
    await lab.complete(small);
    deepEqual(await lab.claim(), []);
    await finishAll(lab, 'trio');
    deepEqual(await lab.claimIds({ limit: 1 }), [big]);
  },

  'saves up nothing before a job has waited a second': async (lab) => {
    const { big, small } = await crowd(lab);
    await lab.advance(500);
    await lab.complete(small);
    equal((await lab.claim()).length, 1);
    await lab.expect('pending', big);
  },

  'saves up places of several quotas': async (lab) => {
    const [pair, trio] = await lab.queueAll(work({ places: { pair: 2 } }), work({ places: { trio: 3 } }));
    const runs = await lab.claim();
    const [big] = await lab.queueAll(work({ places: { pair: 1, trio: 1 } }, 'big'));
    deepEqual(await lab.claim(), []);
    await lab.queueAll(work({ places: { pair: 2 } }), work({ places: { trio: 3 } }));
    await lab.advance(1_500);
    for (const id of [pair, trio]) {
      await lab.complete(runs.find((run) => run.id === id) ?? { id, token: '' });
      deepEqual(await lab.claimIds({ limit: 1 }), id === pair ? [] : [big]);
    }
  },

  'saves nothing any more for a job that was cancelled': async (lab) => {
    const { big, small } = await crowd(lab);
    await lab.advance(1_500);
    await lab.complete(small);
    await lab.cancel([big]);
    equal((await lab.claim()).length, 1);
  },

  'saves nothing any more for a job that nobody alive would run': async (lab) => {
    const { small } = await crowd(lab);
    await lab.later(1_500);
    await lab.keepAlive('c');
    await lab.lose('a');
    await lab.complete(small);
    equal((await lab.claim({ by: 'c', tasks: ['work'] })).length, 1);
  },

  'keeps the places of a method that still runs until they are released': async (lab) => {
    const [a, b] = await lab.queueAll(work({ places: ONE }), work({ places: ONE }));
    const run = await lab.take(a);
    deepEqual(await lab.store.settle([{ ...keyOf(run), outcome: completed(), keepsPlaces: true }]), [true]);
    await lab.expect('completed', a);
    deepEqual(await lab.claim(), []);
    await lab.release(run, true);
    deepEqual(await lab.outcome(a), ['completed', undefined]);
    deepEqual(await lab.claimIds(), [b]);
  },

  'holds the places of a batch while its steps run, which take none': async (lab) => {
    const batch = await lab.queue(serial([work(), work()], { places: ONE }));
    const after = await lab.queue(work({ places: ONE }, 'later'));
    await lab.complete(await lab.takeNext());
    const step = await lab.takeNext();
    equal(step.job.parent, batch);
    deepEqual(await lab.claim(), []);
    await lab.complete(step);
    await lab.take(after);
  },

  'opens no more batches at once than a quota has places': async (lab) => {
    const [first, second] = await lab.queueAll(parallel([work()], { places: ONE }), parallel([work()], { places: ONE }));
    const [run, ...others] = await lab.claim();
    equal(run?.job.parent, first);
    deepEqual(others, []);
    await lab.expect('pending', second);
  },

  'takes the places that a step names': async (lab) => {
    await lab.queue(
      parallel([work({ places: { pair: 1 } }), work({ places: { pair: 1 } }), work({ places: { pair: 1 } })], { places: ONE }),
    );
    equal((await lab.claim()).length, 2);
  },

  'gives back the places of a batch that was cancelled once its steps have ended': async (lab) => {
    const batch = await lab.queue(serial([work()], { places: ONE }));
    const run = await lab.takeNext();
    const next = await lab.queue(work({ places: ONE }));
    await lab.cancel([batch]);
    deepEqual(await lab.claim(), []);
    await lab.complete(run);
    await lab.take(next);
  },
});

/** A full quota of 3, a job that needs two of it and has tried, and one more that needs one. */
async function crowd(lab: StoreLab): Promise<{ readonly big: string; readonly small: { readonly id: string; readonly token: string } }> {
  const place = { places: { trio: 1 } } as const;
  await lab.queueAll(work(place), work(place), work(place));
  const [small] = await lab.claim({ by: 'b' });
  const big = await lab.queue(work({ places: { trio: 2 } }, 'big'));
  await lab.queue(work(place));
  deepEqual(await lab.claim(), []);
  return { big, small: small ?? { id: '', token: '' } };
}

/** Completes the jobs that run with places of a quota. */
async function finishAll(lab: StoreLab, quota: string): Promise<void> {
  for (const { job, state } of await lab.store.find({ statuses: ['active'] })) {
    if (quota in job.places) await lab.complete({ id: job.id, token: state.token ?? '' });
  }
}
