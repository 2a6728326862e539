/** The store contract for a store that is stopped, and started again. */

import { deepEqual, equal } from 'node:assert/strict';
import { both, work } from './plans.js';
import { cases } from './store-case.js';
import { everyInterest, LAB_QUOTAS, type StoreLab } from './store-lab.js';

export const restarting = cases('a store that is started again', {
  'sends nothing in between: subscriptions complete at once': async (lab) => {
    const id = await lab.queue(work());
    await lab.stop();
    for (const interest of everyInterest(id)) equal((await lab.watch(interest)).isComplete, true);
  },

  'has the jobs that it had, runs them with all that follows, and notifies': async (lab) => {
    const id = await lab.queue(work({ callbacks: [both()] }));
    await lab.restart();
    await lab.recover();
    const [bell, outcomes, job] = [await lab.watch({ work: '' }), await lab.watch({ outcomes: 'here' }), await lab.watch({ job: id })];
    const later = await lab.queue(work({ delayMs: 1_000 }, 'later'));
    deepEqual(await lab.drain(), ['work', 'after']);
    await lab.later(1_001);
    deepEqual(await lab.drain(), ['later']);
    await lab.expect('completed', id, later);
    equal(bell.seen.length > 0, true);
    deepEqual([outcomes.records.length, job.isComplete, bell.isComplete], [3, true, false]);
  },

  'can be paused, and resumed': async (lab) => {
    await lab.restart();
    await lab.store.controls.pause({ queue: '' }, true);
    const id = await lab.queue(work());
    deepEqual(await lab.claimIds(), []);
    await lab.store.controls.pause({ queue: '' }, false);
    deepEqual(await lab.claimIds(), [id]);
  },

  'runs transactions': async (lab) => {
    await lab.restart();
    await lab.store.transactions.run(async (session) => {
      await lab.store.insert([lab.plant(work())], session);
    });
    await lab.settled();
    deepEqual(await lab.drain(), ['work']);
  },

  'works as often as it is started': async (lab) => {
    for (let life = 0; life < 3; life++) {
      await lab.restart();
      await works(lab);
    }
  },

  'stays open while another service has it, though that began to start before the other stopped': async (lab) => {
    const starting = lab.store.start({ clock: lab.clock, quotas: LAB_QUOTAS });
    await Promise.all([starting, lab.store.stop()]);
    await works(lab);
  },

  'is stopped by nobody who has not started it': async (lab) => {
    await lab.stop();
    await lab.store.stop();
    await lab.restart();
    await works(lab);
  },
});

async function works(lab: StoreLab): Promise<void> {
  const bell = await lab.watch({ work: '' });
  const id = await lab.queue(work());
  await lab.complete(await lab.take(id));
  deepEqual([bell.seen.length > 0, bell.isComplete], [true, false]);
}
