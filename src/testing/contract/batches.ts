/** Contract cases for batches: their steps, their results, and that each ends once, whatever its steps do. */

import { deepEqual, equal } from 'node:assert/strict';
import type { JobPlan } from '../../job/job-plan.js';
import { JobReference } from '../../job/job-reference.js';
import { both, parallel, serial, steps, summary, work } from './plans.js';
import { cases } from './store-case.js';
import type { StoreLab } from './store-lab.js';

export const batches = cases('batches', {
  'runs the steps of a serial batch one after another, in declared order': async (lab) => {
    const batch = await lab.queue(serial(steps('one', 'two', 'three')));
    for (const task of ['one', 'two', 'three']) {
      const run = await lab.takeNext();
      deepEqual([run.job.taskName, await lab.claim()], [task, []]);
      await lab.expect('active', batch);
      await lab.complete(run);
    }
    await lab.expect('completed', batch);
  },

  'hands out the steps of a parallel batch side by side, in declared order': async (lab) => {
    const batch = await lab.queue(parallel(steps('one', 'two', 'three')));
    deepEqual(await lab.claimIds(), await lab.children(batch));
  },

  'completes a parallel batch with its last step, in any order': async (lab) => {
    const batch = await lab.queue(parallel(steps('one', 'two', 'three')));
    const [one, two, three] = await lab.takeTasks('one', 'two', 'three');
    for (const run of [three, one, two]) {
      await lab.expect('active', batch);
      await lab.complete(run);
    }
    await lab.expect('completed', batch);
  },

  'is active without an owner while its steps are under way': async (lab) => {
    const batches = await lab.queueAll(serial(steps('one')), parallel(steps('two')));
    await lab.claim();
    for (const id of batches) {
      const { status, waitsFor, owner, outcome } = await lab.state(id);
      deepEqual([status, waitsFor, owner, outcome], ['active', 'steps', undefined, undefined]);
    }
  },

  'has its steps as its result, in declared order': async (lab) => {
    const batch = await lab.queue(parallel([work({}, 'one'), serial(steps('two')), work({}, 'three')]));
    const [one, two, three] = await lab.takeTasks('one', 'two', 'three');
    await lab.completeAll(three, two, one);
    const [, nested] = await lab.children(batch);
    const expected = [[one.id, 'one'], [nested, 'serial'], [three.id, 'three']]; // biome-ignore format: one line says it
    deepEqual(await resultOf(lab, batch), expected);
  },

  'completes with an empty list where it has no steps': async (lab) => {
    const ids = await lab.queueAll(serial([]), parallel([]), serial([], { onFailure: 'fail' }));
    deepEqual(await lab.claim(), []);
    for (const id of ids) deepEqual(await lab.outcome(id), ['completed', []]);
  },

  'gives the postprocess of an empty batch an empty list': async (lab) => {
    const batch = await lab.queue(parallel([], { postprocess: summary() }));
    const run = await lab.takeNext();
    deepEqual(run.input, []);
    await lab.complete(run, 0);
    deepEqual(await lab.outcome(batch), ['completed', 0]);
  },

  'begins the postprocess when the last step has ended, callbacks included': async (lab) => {
    await lab.queue(parallel([work({ callbacks: [both()] }, 'one'), work({}, 'two')], { postprocess: summary() }));
    const [one, two] = await lab.takeTasks('one', 'two');
    await lab.completeAll(one, two);
    const [after] = await lab.takeTasks('after');
    await lab.complete(after);
    await lab.takeTasks('summary');
  },

  'gives its postprocess the steps in declared order': async (lab) => {
    const batch = await lab.queue(parallel(steps('one', 'two'), { postprocess: summary() }));
    const [one, two] = await lab.takeTasks('one', 'two');
    await lab.completeAll(two, one);
    const { input } = await lab.takeNext();
    const references = [new JobReference(one.id, 'one'), new JobReference(two.id, 'two')];
    deepEqual(input, references);
    await lab.expect('active', batch);
  },

  'takes over the outcome of its postprocess': async (lab) => {
    const ids = await lab.queueAll(...[1, 2, 3].map(() => serial([], { postprocess: summary() })));
    await lab.complete(await lab.takeNext(), 42);
    await lab.fail(await lab.takeNext(), 'no sum');
    await lab.settle(await lab.takeNext(), { status: 'cancelled', reason: 'enough' });
    deepEqual(await Promise.all(ids.map((id) => lab.outcome(id))), [
      ['completed', 42],
      ['failed', 'no sum'],
      ['cancelled', 'enough'],
    ]);
  },

  'waits for the callbacks of its postprocess': async (lab) => {
    const batch = await lab.queue(serial([], { postprocess: summary({ callbacks: [both()] }) }));
    await lab.complete(await lab.takeNext(), 42);
    await lab.expect('active', batch);
    deepEqual(await lab.drain(), ['after']);
    deepEqual(await lab.outcome(batch), ['completed', 42]);
  },

  'finishes batches ten deep, one job at a time': async (lab) => {
    const kinds = [serial, parallel];
    let plan: JobPlan = work({}, 'core');
    for (let depth = 0; depth < 10; depth++) plan = (kinds[depth % 2] ?? serial)([work({}, 'before'), plan, work({}, 'behind')]);
    const batch = await lab.queue(plan);
    const ran = await lab.drain();
    deepEqual([ran.length, ran.filter((task) => task === 'core')], [21, ['core']]);
    await lab.expect('completed', batch);
    equal(await lab.store.count({ statuses: ['completed'] }), 31);
  },

  'keeps the order of serial batches within one another': async (lab) => {
    await lab.queue(serial([work({}, 'one'), serial([serial(steps('two')), work({}, 'three')]), work({}, 'four')]));
    deepEqual(await lab.drain(), ['one', 'two', 'three', 'four']);
  },

  'lets batches of no work end one another up to the top': async (lab) => {
    const batch = await lab.queue(serial([serial([parallel([])]), parallel([serial([]), serial([])]), serial([])]));
    await lab.drain();
    await lab.expect('completed', batch);
  },

  'waits in a serial batch for the callbacks of a step before the next': async (lab) => {
    await lab.queue(serial([work({ callbacks: [both()] }, 'one'), work({}, 'two')]));
    deepEqual(await lab.drain(), ['one', 'after', 'two']);
  },

  'applies its own options to itself alone': async (lab) => {
    const alone = { name: 'mine', delayMs: 1_000, beginBy: lab.in(3_000), places: { default: 1 }, callbacks: [both()] } as const;
    const batch = await lab.queue(parallel(steps('one'), { ...alone, priority: 3, queue: 'mail' }));
    await lab.later(1_000);
    const { job } = await lab.takeNext({ queue: 'mail' });
    deepEqual([job.parent, job.queue, job.priority], [batch, 'mail', 3]);
    deepEqual([job.name, job.delayMs, job.beginBy, Object.keys(job.places)], [undefined, undefined, undefined, []]);
    deepEqual(await lab.children(job.id), []);
  },

  'runs a step in the queue that it names itself': async (lab) => {
    const batch = await lab.queue(serial([work({ queue: 'mail' }, 'one'), work({}, 'two')]));
    deepEqual(await lab.claim(), []);
    await lab.complete(await lab.takeNext({ queue: 'mail' }));
    deepEqual(await lab.drain(), ['two']);
    await lab.expect('completed', batch);
  },

  'ends once when its last two steps end in one call': async (lab) => {
    const batch = await lab.queue(parallel(steps('one', 'two'), { callbacks: [both()] }));
    await lab.completeAll(...(await lab.takeTasks('one', 'two')));
    await endsOnce(lab, batch);
  },

  'ends once when its last two steps end in one turn': async (lab) => {
    const batch = await lab.queue(parallel(steps('one', 'two'), { callbacks: [both()] }));
    const [one, two] = await lab.takeTasks('one', 'two');
    await lab.together(lab.complete(one), lab.complete(two));
    await endsOnce(lab, batch);
  },

  'ends once when the batches that are its last two steps end in one call': async (lab) => {
    const batch = await lab.queue(parallel([serial(steps('one')), parallel(steps('two'))], { callbacks: [both()] }));
    await lab.completeAll(...(await lab.takeTasks('one', 'two')));
    await endsOnce(lab, batch);
  },

  'begins its postprocess once when its last two steps end in one call': async (lab) => {
    const batch = await lab.queue(parallel(steps('one', 'two'), { postprocess: summary() }));
    await lab.completeAll(...(await lab.takeTasks('one', 'two')));
    deepEqual(await lab.drain(), ['summary']);
    await lab.expect('completed', batch);
  },

  'goes on when the next step is cancelled in the turn in which it is released': async (lab) => {
    for (const isCancelledFirst of [true, false]) {
      const batch = await lab.queue(serial(steps('one', 'two', 'three')));
      const [one] = await lab.takeTasks('one');
      const two = await lab.child(batch, 'two');
      const calls = [() => lab.cancel([two]), () => lab.complete(one)];
      await lab.together(...(isCancelledFirst ? calls : calls.reverse()).map((call) => call()));
      await lab.expect('cancelled', two);
      deepEqual(await lab.drain(), ['three']);
      await lab.expect('completed', batch);
    }
  },

  'goes on when the next step expires in the turn in which it is released': async (lab) => {
    const batch = await lab.queue(serial([work({}, 'one'), work({ beginBy: lab.in(1_000) }, 'two'), work({}, 'three')]));
    const [one] = await lab.takeTasks('one');
    await lab.advance(1_001);
    await lab.together(lab.complete(one), lab.recover());
    await lab.recover();
    deepEqual(await lab.drain(), ['three']);
    equal(await lab.errorName(await lab.child(batch, 'two')), 'ExpiredError');
    await lab.expect('completed', batch);
  },
});

/** Ids and tasks of the jobs in a batch's result. */
async function resultOf(lab: StoreLab, batch: string): Promise<readonly (readonly string[])[]> {
  const [status, result] = (await lab.outcome(batch)) ?? [];
  equal(status, 'completed');
  return (result as readonly JobReference[]).map(({ id, taskName }) => [id, taskName]);
}

/** Whether a batch whose work is over runs its callback once, and then is final. */
async function endsOnce(lab: StoreLab, batch: string): Promise<void> {
  await lab.expect('callbacks', batch);
  deepEqual(await lab.drain(), ['after']);
  await lab.expect('completed', batch);
}
