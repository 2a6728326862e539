/** Contract cases for callbacks that are added to an existing job, at any moment. */

import { deepEqual, equal } from 'node:assert/strict';
import type { CallbackPlan } from '../../job/job-plan.js';
import { both, onError, onSuccess, parallel, serial, steps, work } from './plans.js';
import { cases } from './store-case.js';
import type { StoreLab } from './store-lab.js';

export const lateCallbacks = cases('callbacks added later', {
  'takes a callback while its job waits, runs, is in `callbacks` and has ended, and runs each once': async (lab) => {
    const id = await lab.queue(work());
    await lab.addCallback(id, { both: work({}, 'one') });
    const [run] = await lab.takeTasks('work');
    await lab.addCallback(id, { both: work({}, 'two') });
    await lab.complete(run);
    await lab.addCallback(id, { both: work({}, 'three') });
    deepEqual((await lab.drain()).toSorted(), ['one', 'three', 'two']);
    await lab.expect('completed', id);
    await lab.addCallback(id, { both: work({}, 'four') });
    deepEqual(await lab.drain(), ['four']);
    deepEqual(await lab.claim(), []);
  },

  'waits in `callbacks` for one that was added there': async (lab) => {
    const id = await lab.queue(work({ callbacks: [{ both: work({}, 'one') }] }));
    await lab.complete(await lab.takeNext());
    const [one] = await lab.takeTasks('one');
    await lab.addCallback(id, { both: work({}, 'two') });
    await lab.complete(one);
    await lab.expect('callbacks', id);
    deepEqual(await lab.drain(), ['two']);
    await lab.expect('completed', id);
  },

  'runs at once on a job that has ended, which stays as it is': async (lab) => {
    for (const [end, side] of [
      ['complete', 'success'],
      ['fail', 'failure'],
    ] as const) {
      // biome-ignore format: a table
      const id = await lab.queue(work());
      await lab[end](await lab.takeNext());
      const before = await lab.state(id);
      await lab.addCallback(id, { ...onSuccess(), ...onError() });
      deepEqual([await lab.drain(), (await lab.state(id)).status], [[side], before.status]);
      deepEqual((await lab.state(id)).outcome, before.outcome);
    }
  },

  'runs on a job that was cancelled': async (lab) => {
    const id = await lab.queue(work());
    await lab.cancel([id], 'enough');
    const choice = await lab.addCallback(id, { ...onSuccess(), ...onError() });
    await lab.addCallback(id, both());
    deepEqual(await lab.drain(), ['after']);
    deepEqual(await lab.outcome(choice), ['cancelled', 'enough']);
    await lab.expect('cancelled', id);
  },

  'passes the outcome through at once where the side is missing on a job that has ended': async (lab) => {
    const id = await lab.queue(work());
    await lab.complete(await lab.takeNext(), 42);
    const first = await lab.addCallback(id, onError());
    deepEqual(await lab.outcome(first), ['completed', 42]);
    const second = await lab.addCallback(first, onSuccess());
    await lab.take(second);
  },

  'runs a whole batch as the callback of a job that has ended': async (lab) => {
    const id = await lab.queue(work());
    await lab.complete(await lab.takeNext());
    const batch = await lab.addCallback(id, { both: serial(steps('one', 'two'), { callbacks: [both()] }) });
    deepEqual(await lab.drain(), ['one', 'two', 'after']);
    await lab.expect('completed', batch, id);
  },

  'takes a callback of a batch, of a step, and of a callback': async (lab) => {
    const batch = await lab.queue(serial(steps('one')));
    const step = await lab.child(batch, 'one');
    await lab.addCallback(batch, { both: work({}, 'of batch') });
    const ofStep = await lab.addCallback(step, { both: work({}, 'of step') });
    await lab.addCallback(ofStep, { both: work({}, 'of callback') });
    deepEqual(await lab.drain(), ['one', 'of step', 'of callback', 'of batch']);
    await lab.expect('completed', batch, step, ofStep);
  },

  'makes a batch wait for the callback that was added to its last step while it ran': async (lab) => {
    const batch = await lab.queue(parallel(steps('one')));
    const [one] = await lab.takeTasks('one');
    await lab.addCallback(one.id, both());
    await lab.complete(one);
    await lab.expect('active', batch);
    deepEqual(await lab.drain(), ['after']);
    await lab.expect('completed', batch);
  },

  'loses none that is added in the turn in which the work of its job ends': async (lab) => {
    for (const callback of [both(), onSuccess(), onError()])
      for (const isAddedFirst of [true, false]) {
        const id = await lab.queue(work());
        const [run] = await lab.takeTasks('work');
        await inOneTurn(lab, { id, callback, isAddedFirst, call: () => lab.complete(run) });
        await runsOnce(lab, id, callback);
      }
  },

  'loses none that is added in the turn in which the last callback of its job ends': async (lab) => {
    for (const callback of [both(), onSuccess(), onError()])
      for (const isAddedFirst of [true, false]) {
        const id = await lab.queue(work({ callbacks: [{ both: work({}, 'before') }] }));
        await lab.complete(await lab.takeNext());
        const [run] = await lab.takeTasks('before');
        await inOneTurn(lab, { id, callback, isAddedFirst, call: () => lab.complete(run) });
        await runsOnce(lab, id, callback);
      }
  },

  'loses none that is added in the turn in which its job is cancelled': async (lab) => {
    for (const isAddedFirst of [true, false]) {
      const id = await lab.queue(work());
      await inOneTurn(lab, { id, callback: both(), isAddedFirst, call: () => lab.cancel([id]) });
      deepEqual(await lab.drain(), ['after']);
      await lab.expect('cancelled', id);
    }
  },

  'loses none that is added in the turn in which the last step of its batch ends': async (lab) => {
    for (const isAddedFirst of [true, false]) {
      const batch = await lab.queue(parallel(steps('one', 'two')));
      const runs = await lab.takeTasks('one', 'two');
      await inOneTurn(lab, { id: batch, callback: both(), isAddedFirst, call: () => lab.completeAll(...runs) });
      await runsOnce(lab, batch, both());
    }
  },

  'takes two callbacks of one job in one turn': async (lab) => {
    const id = await lab.queue(work());
    const [run] = await lab.takeTasks('work');
    const trees = [await lab.plantCallback(id, both()), await lab.plantCallback(id, onSuccess())] as const;
    await lab.together(lab.insert(trees[0]), lab.complete(run), lab.insert(trees[1]));
    deepEqual((await lab.drain()).toSorted(), ['after', 'success']);
    await lab.expect('completed', id);
  },
});

interface Turn {
  readonly id: string;
  readonly callback: CallbackPlan;
  readonly isAddedFirst: boolean;
  readonly call: () => Promise<unknown>;
}

/** Adds a callback in the same turn in which something else is asked of the store, before or after that. */
async function inOneTurn(lab: StoreLab, { id, callback, isAddedFirst, call }: Turn): Promise<void> {
  const tree = await lab.plantCallback(id, callback);
  const calls = [() => lab.insert(tree), call];
  await lab.together(...(isAddedFirst ? calls : calls.reverse()).map((one) => one()));
}

/** Whether the callback of a job that completes runs once, if its side is needed, and the job then is final. */
async function runsOnce(lab: StoreLab, id: string, callback: CallbackPlan): Promise<void> {
  const expected = 'both' in callback ? ['after'] : callback.success === undefined ? [] : ['success'];
  deepEqual(await lab.drain(), expected);
  await lab.expect('completed', id);
  equal(await lab.store.count({ parents: [id], statuses: ['blocked', 'pending', 'active', 'callbacks'] }), 0);
}
