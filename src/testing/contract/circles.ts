/** Contract cases for jobs that would wait for themselves: a circle is refused, and no job waits without end. */

import { equal } from 'node:assert/strict';
import { FINAL } from '../../job/job-status.js';
import { both, parallel, serial, steps, summary, work } from './plans.js';
import { cases } from './store-case.js';
import { keyOf, type Run, type StoreLab } from './store-lab.js';

export const circles = cases('circles', {
  'refuses a job that returns itself': async (lab) => {
    const id = await lab.queue(work());
    await refuses(lab, await lab.take(id), id);
  },

  'refuses a step that returns its batch, or the one around that': async (lab) => {
    const inner = parallel(steps('one', 'two'));
    const outer = await lab.queue(serial([inner]));
    const [one, two] = await lab.takeTasks('one', 'two');
    await refuses(lab, one, await lab.child(outer, 'parallel'));
    await refuses(lab, two, outer);
    await lab.expect('completed', outer);
  },

  'refuses a step that returns a later step of its serial batch, or one within that': async (lab) => {
    const batch = await lab.queue(serial([...steps('one', 'two'), parallel(steps('three'))]));
    const [one] = await lab.takeTasks('one');
    await refuses(lab, one, await lab.child(batch, 'two'));
    const [two] = await lab.takeTasks('two');
    await refuses(lab, two, await lab.child(await lab.child(batch, 'parallel'), 'three'));
    await allEnd(lab);
  },

  'refuses a callback of a step that returns its batch, which was cancelled before it began': async (lab) => {
    const batch = await lab.queue(serial([work({ callbacks: [both()] })]));
    await lab.cancel([batch]);
    await refuses(lab, await lab.takeNext(), batch);
    await lab.expect('cancelled', batch);
  },

  'refuses a step that returns the postprocess of its batch': async (lab) => {
    const batch = await lab.queue(parallel(steps('one'), { postprocess: summary() }));
    const [one] = await lab.takeTasks('one');
    await refuses(lab, one, await lab.child(batch, 'summary'));
    await allEnd(lab);
  },

  'refuses a postprocess that returns its batch': async (lab) => {
    const batch = await lab.queue(parallel([], { postprocess: summary() }));
    await refuses(lab, await lab.takeNext(), batch);
    equal(await lab.errorName(batch), 'CircularJobError');
  },

  'refuses a job that returns its own callback, or a callback of that': async (lab) => {
    const [id, other] = await lab.queueAll(
      work({ callbacks: [both({ callbacks: [both()] })] }, 'one'),
      work({ callbacks: [both()] }, 'two'),
    );
    const [one, two] = await lab.takeTasks('one', 'two');
    await refuses(lab, one, await lab.child(await lab.child(id, 'after'), 'after'));
    await refuses(lab, two, await lab.child(other, 'after'));
    await allEnd(lab);
  },

  'refuses a step that returns a callback of its batch': async (lab) => {
    const batch = await lab.queue(parallel(steps('one'), { callbacks: [both()] }));
    const [one] = await lab.takeTasks('one');
    await refuses(lab, one, await lab.child(batch, 'after'));
    await allEnd(lab);
  },

  'refuses a callback that returns its job': async (lab) => {
    const id = await lab.queue(work({ callbacks: [both()] }));
    await lab.complete(await lab.takeNext(), 42);
    await refuses(lab, await lab.takeNext(), id);
    await lab.expect('completed', id);
  },

  'refuses the second of two that return each other, and both fail': async (lab) => {
    const ids = await lab.queueAll(...steps('one', 'two'));
    const [one, two] = await lab.takeTasks('one', 'two');
    await lab.follow(one, two.id);
    await refuses(lab, two, one.id);
    await bothFailed(lab, ids);
  },

  'refuses one of two that return each other in one call, or in one turn': async (lab) => {
    for (const isOneCall of [true, false]) {
      const ids = await lab.queueAll(...steps('one', 'two'));
      const [one, two] = await lab.takeTasks('one', 'two');
      const ends = [[one, two.id], [two, one.id]] as const; // biome-ignore format: one line says it
      if (isOneCall)
        await lab.together(lab.store.settle(ends.map(([run, job]) => ({ ...keyOf(run), outcome: { status: 'follows', job } }))));
      else await lab.together(...ends.map(([run, job]) => lab.follow(run, job)));
      await bothFailed(lab, ids);
    }
  },

  'refuses a circle over several jobs': async (lab) => {
    const ids = await lab.queueAll(...steps('one', 'two', 'three'));
    const [one, two, three] = await lab.takeTasks('one', 'two', 'three');
    await lab.follow(one, two.id);
    await lab.follow(two, three.id);
    await refuses(lab, three, one.id);
    await bothFailed(lab, ids);
  },

  'lets a job end that returned a job which needs the places of its batch': async (lab) => {
    const [, inner] = await lab.queueAll(serial(steps('one'), { places: { default: 1 } }), work({ places: { default: 1 } }, 'inner'));
    const [one] = await lab.takeTasks('one');
    await lab.follow(one, inner);
    await allEnd(lab);
  },

  'refuses a circle over the steps of two batches': async (lab) => {
    const batches = await lab.queueAll(serial(steps('one', 'two')), parallel(steps('three')));
    const [one, three] = await lab.takeTasks('one', 'three');
    await lab.follow(three, await lab.child(batches[0], 'two'));
    await refuses(lab, one, batches[1]);
    await allEnd(lab);
  },
});

/** Whether an attempt that returns this job fails for the circle. */
async function refuses(lab: StoreLab, run: Run, job: string): Promise<void> {
  equal(await lab.follow(run, job), true);
  equal(await lab.errorName(run.id), 'CircularJobError');
}

/** The one that was refused, and all that followed it. */
async function bothFailed(lab: StoreLab, ids: readonly string[]): Promise<void> {
  for (const id of ids) equal(await lab.errorName(id), 'CircularJobError');
  await lab.expect('failed', ...ids);
}

async function allEnd(lab: StoreLab): Promise<void> {
  await lab.drain();
  equal(await lab.store.count({ statuses: FINAL }), await lab.store.count({}));
}
