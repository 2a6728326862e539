/** Contract cases for hints that there may be work, or that a job will be due: a hint may come too often, but is never missing. */

import { ok } from 'node:assert/strict';
import { both, onSuccess, serial, steps, summary, work } from './plans.js';
import { cases } from './store-case.js';
import { completed, keyOf, type StoreLab } from './store-lab.js';

const ONE = { default: 1 } as const;
const DELAYED = { interruptions: { limit: 3, delayMs: 4_000 } } as const;

export const ringing = cases('hints', {
  'rings for jobs and batches that are queued, in their queues': async (lab) => {
    for (const plan of [work({ queue: 'mail' }), serial([work()], { queue: 'mail' })]) await rings(lab, 'mail', () => lab.queue(plan));
    await rings(lab, '', () => lab.queueAll(work({ queue: 'mail' }), work()));
  },

  'rings for the next step, the postprocess, a nested batch': async (lab) => {
    await lab.queue(serial([work(), work({ queue: 'mail' }, 'two'), serial(steps('three'))], { postprocess: summary({ queue: 'mail' }) }));
    const first = await lab.takeNext();
    await rings(lab, 'mail', () => lab.complete(first));
    const second = await lab.takeNext({ queue: 'mail' });
    await rings(lab, '', () => lab.complete(second));
    const third = await lab.takeNext();
    await rings(lab, 'mail', () => lab.complete(third));
  },

  'rings for callbacks that are released, in the queue of the side that is chosen': async (lab) => {
    await lab.queue(work({ callbacks: [onSuccess({ queue: 'mail' }), both()] }));
    const [first] = await lab.takeTasks('work');
    await rings(lab, 'mail', () => lab.complete(first));
    await lab.queue(work({ callbacks: [both()] }, 'other'));
    const second = await lab.takeNext({ tasks: ['other'] });
    await rings(lab, '', () => lab.complete(second));
  },

  'rings for a callback of a job that has ended': async (lab) => {
    const id = await lab.queue(work());
    await lab.drain();
    await rings(lab, 'mail', () => lab.addCallback(id, both({ queue: 'mail' })));
  },

  'rings for the step after one that was cancelled or expired': async (lab) => {
    const [one, two] = await lab.queueAll(
      serial(steps('one', 'two')),
      serial([work({ beginBy: lab.in(1_000) }, 'three'), work({}, 'four')]),
    );
    await lab.claim({ tasks: [] });
    const first = await lab.child(one, 'one');
    await rings(lab, '', () => lab.cancel([first]));
    await rings(lab, '', () => lab.later(1_001));
    await lab.expect('pending', await lab.child(two, 'four'));
  },

  'rings for jobs that have become due': async (lab) => {
    await lab.queue(work({ delayMs: 1_000, queue: 'mail' }));
    await rings(lab, 'mail', () => lab.later(1_000));
    const run = await lab.takeNext({ queue: 'mail' });
    await lab.again(run, 1_000);
    await rings(lab, 'mail', () => lab.later(1_000));
  },

  'rings for jobs that are handed back or interrupted': async (lab) => {
    const id = await lab.queue(work());
    for (const hasBegun of [false, true]) {
      const run = await lab.take(id);
      await rings(lab, '', () => lab.release(run, hasBegun));
    }
  },

  'rings for jobs that are brought back from the dead': async (lab) => {
    await lab.take(await lab.queue(work()), 'a');
    await rings(lab, '', () => lab.lose('a'));
  },

  'notifies every queue that waits for places when they come free': async (lab) => {
    for (const [queue, end] of [
      ['', 'end'],
      ['mail', 'end'],
      ['mail', 'delay'],
      ['mail', 'interruption'],
      ['mail', 'kept-places'],
    ] as const) {
      const [first, second] = await lab.queueAll(work({ places: ONE, ...DELAYED }, 'first'), work({ places: ONE, queue }, 'second'));
      const run = await lab.takeNext({ tasks: ['first'] });
      await lab.claim({ queue, tasks: ['second'] });
      if (end === 'kept-places') await lab.together(lab.store.settle([{ ...keyOf(run), outcome: completed(), keepsPlaces: true }]));
      await rings(lab, queue, async () => {
        if (end === 'end') return lab.complete(run);
        if (end === 'delay') return lab.again(run, 1_000);
        return lab.release(run, true);
      });
      await lab.complete(await lab.takeNext({ queue, tasks: ['second'] }));
      await lab.cancel([first, second]);
    }
  },

  'rings for the places of a batch that has ended, or of a job that is cancelled while it waits with them': async (lab) => {
    await lab.queue(serial(steps('one'), { places: ONE }));
    const run = await lab.takeNext();
    const second = await lab.queue(work({ places: ONE }));
    await lab.claim();
    await rings(lab, '', () => lab.complete(run));
    await lab.release(await lab.take(second), true);
    await lab.queue(work({ places: ONE, queue: 'mail' }));
    await lab.claim({ queue: 'mail' });
    await rings(lab, 'mail', () => lab.cancel([second]));
  },

  'announces the time of a scheduled job': async (lab) => {
    await announces(lab, lab.in(2_000), () => lab.queue(work({ delayMs: 2_000 })));
    await announces(lab, lab.in(3_000), () => lab.queue(work({ beginAfter: lab.in(3_000) })));
  },

  'announces the time of a step and of a callback that are released to run later': async (lab) => {
    await lab.queueAll(serial([work({}, 'one'), work({ delayMs: 2_000 })]), work({ callbacks: [both({ delayMs: 3_000 })] }, 'two'));
    const [one, two] = await lab.takeTasks('one', 'two');
    await announces(lab, lab.in(2_000), () => lab.complete(one));
    await announces(lab, lab.in(3_000), () => lab.complete(two));
  },

  'announces the time of a job that is put off, or interrupted to run later': async (lab) => {
    const id = await lab.queue(work(DELAYED));
    const run = await lab.take(id);
    await announces(lab, lab.in(2_000), () => lab.again(run, 2_000));
    await lab.later(2_000);
    const again = await lab.take(id);
    await announces(lab, lab.in(4_000), () => lab.release(again, true));
  },

  'announces the time by which a job must have begun, one that is blocked as well': async (lab) => {
    await announces(lab, lab.in(2_000), () => lab.queue(work({ beginBy: lab.in(2_000) })));
    await announces(lab, lab.in(1_000), () => lab.queue(serial([work(), work({ beginBy: lab.in(1_000) })])));
  },

  'announces the deadline of the side of a callback that is chosen': async (lab) => {
    await lab.queue(work({ callbacks: [onSuccess({ beginBy: lab.in(2_000) })] }));
    const run = await lab.takeNext();
    await announces(lab, lab.in(2_000), () => lab.complete(run));
  },

  'announces once more the deadline of a job that is handed back': async (lab) => {
    const id = await lab.queue(work({ beginBy: lab.in(2_000) }));
    const run = await lab.take(id);
    await lab.recover();
    await announces(lab, lab.in(2_000), () => lab.release(run, false));
  },
});

/** Whether a subscription to the work of a queue is notified by a call. */
async function rings(lab: StoreLab, queue: string, call: () => Promise<unknown>): Promise<void> {
  const watch = await lab.watch({ work: queue });
  await lab.together(call());
  ok(
    watch.seen.some(({ type }) => type === 'work'),
    `something rings in the queue '${queue}'`,
  );
  watch.leave();
}

/** Whether subscribers to due times are notified of one that is no later than this. */
async function announces(lab: StoreLab, at: Date, call: () => Promise<unknown>): Promise<void> {
  const watch = await lab.watch({ due: true });
  await lab.together(call());
  const times = watch.seen.map((change) => (change.type === 'due' ? change.at.getTime() : 0));
  ok(
    times.some((time) => time >= lab.now && time <= at.getTime()),
    `something is announced for ${at.toISOString()}`,
  );
  watch.leave();
}
