/** Contract cases for cancelling batches and their steps: which jobs go on, which end at once, which the batch waits for. */

import { deepEqual, equal } from 'node:assert/strict';
import { expandStep } from '../../job/expand-plan.js';
import { OPEN } from '../../job/job-status.js';
import { toldOf } from './cancelling.js';
import { both, type Extras, parallel, serial, steps, summary, work } from './plans.js';
import { cases } from './store-case.js';

const STOPPED = { status: 'cancelled', reason: 'enough' } as const;

export const cancellingBatches = cases('cancelling batches', {
  'cancels a batch that waits, with everything below it': async (lab) => {
    const inner = serial([work(), parallel(steps('deep'))], { postprocess: summary() });
    const tree = lab.plant(parallel([work({ delayMs: 1_000 }), inner], { postprocess: summary() }));
    await lab.insert(tree);
    await lab.cancel([tree[0].id], 'enough');
    for (const { id } of tree) deepEqual(await lab.outcome(id), ['cancelled', 'enough']);
    await lab.expect('cancelled', ...tree.map(({ id }) => id));
    deepEqual(await lab.claim(), []);
  },

  'cancels a batch whose steps all wait, with everything below it': async (lab) => {
    for (const kind of [serial, parallel]) {
      const tree = lab.plant(kind([work({}, 'one'), work({ delayMs: 1_000 }, 'two'), kind(steps('three'))], { postprocess: summary() }));
      await lab.insert(tree);
      await lab.claim({ tasks: [] });
      await lab.expect('active', tree[0].id);
      await lab.cancel([tree[0].id], 'enough');
      for (const { id } of tree) deepEqual(await lab.outcome(id), ['cancelled', 'enough']);
    }
  },

  'notifies the dispatcher that runs a step of it, and ends when that has ended': async (lab) => {
    const batch = await lab.queue(serial([parallel(steps('one', 'two')), work({}, 'three')], { postprocess: summary() }));
    const [one, two] = await lab.takeTasks('one', 'two');
    const told = await lab.watch({ cancelsOf: 'a' });
    await lab.cancel([batch], 'enough');
    deepEqual(new Map(toldOf(told)), new Map([[one.id, 'enough'], [two.id, 'enough']])); // biome-ignore format: one line says it
    await lab.expect('cancelled', await lab.child(batch, 'three'));
    await lab.settle(one, STOPPED);
    await lab.expect('active', batch, two.id);
    await lab.complete(two, 'ready all the same');
    await lab.expect('completed', two.id);
    await lab.expect('cancelled', ...(await lab.children(batch)), batch);
    deepEqual(await lab.outcome(batch), ['cancelled', 'enough']);
  },

  'waits for the callbacks of the step that ran': async (lab) => {
    const batch = await lab.queue(serial([work({ callbacks: [both()] }), work({}, 'next')]));
    const run = await lab.takeNext();
    await lab.cancel([batch]);
    await lab.settle(run, STOPPED);
    await lab.expect('active', batch);
    deepEqual(await lab.drain(), ['after']);
    await lab.expect('cancelled', batch);
  },

  'runs the callbacks for every end of a batch and of all below it': async (lab) => {
    const batch = await lab.queue(serial([work({ callbacks: [{ both: work({}, 'of step') }] })], { callbacks: [both()] }));
    await lab.cancel([batch], 'enough');
    deepEqual((await lab.drain()).toSorted(), ['after', 'of step']);
    await lab.expect('cancelled', batch, await lab.child(batch, 'work'));
  },

  'lets a batch that waited end only when the callbacks of its steps have ended': async (lab) => {
    const of = (taskName: string): Extras => ({ callbacks: [{ both: work({}, taskName) }] });
    const plans = [
      serial([work(of('of step')), work()]),
      parallel([work(), parallel([work(of('of step'))])]),
      serial([work()], { postprocess: summary(of('of step')) }),
      parallel([work(of('of step'))], { delayMs: 1_000 }),
      serial([serial([], of('of step'))], of('of batch')),
    ];
    for (const plan of plans) {
      const batch = await lab.queue(plan);
      const told = await lab.watch({ ended: batch });
      await lab.cancel([batch], 'enough');
      deepEqual(await lab.outcome(batch), ['cancelled', 'enough']);
      const ran: string[] = [];
      for (let [run] = await lab.claim({ limit: 1 }); run !== undefined; [run] = await lab.claim({ limit: 1 })) {
        await lab.expect('callbacks', batch);
        equal(told.isComplete, false);
        await lab.complete(run);
        ran.push(run.job.taskName);
      }
      deepEqual(ran.includes('of step'), true);
      await lab.expect('cancelled', batch);
      equal(told.isComplete, true);
    }
    deepEqual(
      await lab.statuses(
        ...(await lab.store.find({ taskNames: ['work', 'serial', 'parallel', 'summary'], statuses: OPEN })).map(({ job }) => job.id),
      ),
      [],
    );
  },

  'lets a serial batch go on only when the callbacks below a step that was cancelled before its turn have ended': async (lab) => {
    const batch = await lab.queue(serial([parallel([work({ callbacks: [both()] })]), work({}, 'next')], { places: { pair: 1 } }));
    await lab.cancel([await lab.child(batch, 'parallel')]);
    const run = await lab.takeNext();
    deepEqual([run.job.taskName, await lab.claimIds()], ['after', []]);
    await lab.complete(run);
    deepEqual(await lab.drain(), ['next']);
    await lab.expect('completed', batch);
  },

  'adds no step to a batch that was cancelled before it began': async (lab) => {
    const batch = await lab.queue(serial([work({ callbacks: [both()] })]));
    await lab.cancel([batch]);
    const [answer] = await lab.insert(lab.known(expandStep(work({}, 'late'), (await lab.record(batch)).job, lab.expansion)));
    equal(answer !== undefined && 'refused' in answer, true);
    deepEqual(await lab.drain(), ['after']);
    await lab.expect('cancelled', batch);
  },

  'gives a step of a cancelled batch no other attempt': async (lab) => {
    const batch = await lab.queue(parallel(steps('one', 'two')));
    const [one, two] = await lab.takeTasks('one', 'two');
    await lab.cancel([batch], 'enough');
    equal(await lab.again(one, 0), 'refused');
    await lab.release(two, false);
    for (const id of [one.id, two.id, batch]) deepEqual(await lab.outcome(id), ['cancelled', 'enough']);
  },

  'goes on with a serial batch when the step that runs is cancelled': async (lab) => {
    const batch = await lab.queue(serial(steps('one', 'two')));
    const [one] = await lab.takeTasks('one');
    await lab.cancel([one.id]);
    deepEqual(await lab.claim(), []);
    await lab.settle(one, STOPPED);
    deepEqual(await lab.drain(), ['two']);
    await lab.expect('completed', batch);
  },

  'goes on with a serial batch when the step whose turn it is has been cancelled': async (lab) => {
    const batch = await lab.queue(serial(steps('one', 'two')));
    await lab.claim({ tasks: [] });
    await lab.cancel([await lab.child(batch, 'one')]);
    deepEqual(await lab.drain(), ['two']);
    await lab.expect('completed', batch);
  },

  'passes over steps that were cancelled before their turn': async (lab) => {
    const batch = await lab.queue(serial([...steps('one', 'two'), parallel(steps('deep')), work({}, 'four')]));
    const [one] = await lab.takeTasks('one');
    const [, two = '', three = ''] = await lab.children(batch);
    await lab.cancel([two, three]);
    await lab.expect('cancelled', two, three, ...(await lab.children(three)));
    await lab.complete(one);
    deepEqual(await lab.drain(), ['four']);
    await lab.expect('completed', batch);
  },

  'ends a serial batch with the step that runs when all later ones were cancelled': async (lab) => {
    const batch = await lab.queue(serial(steps('one', 'two', 'three')));
    const [one] = await lab.takeTasks('one');
    await lab.cancel((await lab.children(batch)).slice(1));
    await lab.expect('active', batch);
    await lab.complete(one);
    await lab.expect('completed', batch);
  },

  'ends a batch with its outcome when its postprocess was cancelled': async (lab) => {
    const batch = await lab.queue(serial(steps('one'), { postprocess: summary() }));
    const [one] = await lab.takeTasks('one');
    await lab.cancel([await lab.child(batch, 'summary')], 'enough');
    await lab.expect('active', batch);
    await lab.complete(one);
    deepEqual(await lab.outcome(batch), ['cancelled', 'enough']);
  },

  'cancels a batch whose postprocess waits or runs': async (lab) => {
    for (const isRunning of [false, true]) {
      const batch = await lab.queue(serial([], { postprocess: summary() }));
      const [run] = await lab.claim({ tasks: isRunning ? ['summary'] : [] });
      await lab.cancel([batch], 'enough');
      if (run !== undefined) await lab.complete(run, 'ready all the same');
      deepEqual(await lab.outcome(batch), ['cancelled', 'enough']);
      await lab.expect(isRunning ? 'completed' : 'cancelled', await lab.child(batch, 'summary'));
    }
  },

  'keeps the first reason, for the jobs below as well': async (lab) => {
    const batch = await lab.queue(parallel(steps('one', 'two')));
    const [one] = await lab.claim({ limit: 1 });
    for (const reason of ['first', 'second']) await lab.cancel([batch], reason);
    await lab.release(one ?? { id: batch, token: '' }, true);
    for (const id of [batch, ...(await lab.children(batch))]) deepEqual(await lab.outcome(id), ['cancelled', 'first']);
  },

  'cancels a batch that is given together with its steps': async (lab) => {
    const batch = await lab.queue(parallel(steps('one', 'two')));
    await lab.claim({ tasks: [] });
    const [one = '', two = ''] = await lab.children(batch);
    await lab.cancel([one, batch, two], 'enough');
    for (const id of [batch, one, two]) deepEqual(await lab.outcome(id), ['cancelled', 'enough']);
  },

  'cancels no step that has ended': async (lab) => {
    const batch = await lab.queue(serial(steps('one', 'two')));
    await lab.complete(await lab.takeNext());
    await lab.cancel([batch]);
    await lab.expect('completed', await lab.child(batch, 'one'));
    await lab.expect('cancelled', batch, await lab.child(batch, 'two'));
  },

  'releases no step in the turn in which its batch is cancelled': async (lab) => {
    for (const isCancelledFirst of [true, false]) {
      const batch = await lab.queue(serial(steps('one', 'two')));
      const [one] = await lab.takeTasks('one');
      const calls = [() => lab.cancel([batch], 'enough'), () => lab.complete(one)];
      await lab.together(...(isCancelledFirst ? calls : calls.reverse()).map((call) => call()));
      deepEqual(await lab.claim(), []);
      await lab.expect('cancelled', batch, await lab.child(batch, 'two'));
    }
  },

  'ends a batch that is cancelled in the turn in which its last step ends': async (lab) => {
    for (const isCancelledFirst of [true, false]) {
      const batch = await lab.queue(parallel(steps('one')));
      const [one] = await lab.takeTasks('one');
      const calls = [() => lab.cancel([batch], 'enough'), () => lab.complete(one)];
      await lab.together(...(isCancelledFirst ? calls : calls.reverse()).map((call) => call()));
      const [status] = (await lab.outcome(batch)) ?? [];
      deepEqual(await lab.statuses(one.id, batch), ['completed', status]);
    }
  },

  'cancels everything below a batch that is cancelled in the turn in which it is opened': async (lab) => {
    for (const isOpenedFirst of [true, false]) {
      const tree = lab.plant(parallel([work({}, 'one'), serial(steps('two'))]));
      await lab.insert(tree);
      const calls = [() => lab.claim({ tasks: [] }), () => lab.cancel([tree[0].id])];
      await lab.together(...(isOpenedFirst ? calls : calls.reverse()).map((call) => call()));
      await lab.expect('cancelled', ...tree.map(({ id }) => id));
      deepEqual(await lab.claim(), []);
    }
  },

  'lets no step begin once its cancellation was asked for, whatever is claimed meanwhile': async (lab) => {
    const batch = await lab.queue(parallel(steps(...Array.from({ length: 200 }, () => 'work'))));
    const begun = await lab.claim({ limit: 20 });
    const asked = lab.cancel([batch], 'enough');
    const claims = [0, 1, 2].flatMap(() => [lab.claim({ limit: 20 }), lab.claim({ by: 'b', limit: 20 })]);
    const [, ...late] = await lab.together(asked, ...claims);
    deepEqual([late.flat(), await lab.claim()], [[], []]);
    equal(await lab.store.count({ parents: [batch], statuses: ['cancelled'] }), 180);
    await lab.expect('active', batch, ...begun.map(({ id }) => id));
    await lab.completeAll(...begun);
    deepEqual(await lab.outcome(batch), ['cancelled', 'enough']);
  },

  'lets nothing begin below a batch that is cancelled, on any level, but for callbacks': async (lab) => {
    const deep = parallel([serial([work({}, 'deep'), work()]), parallel([work({ callbacks: [both()] }), parallel(steps('work'))])]);
    const tree = lab.plant(parallel([work({}, 'one'), serial([work({}, 'two'), deep]), deep, deep], { postprocess: summary() }));
    await lab.insert(tree);
    const begun = (await lab.claim()).filter(({ job }) => job.taskName !== 'work');
    const others = (await lab.store.find({ statuses: ['active'] })).filter(({ job }) => job.taskName === 'work');
    await lab.store.release(others.map(({ job, state }) => ({ id: job.id, token: state.token ?? '', hasBegun: false })));
    const [, late] = await lab.together(
      lab.cancel([tree[0].id], 'enough'),
      lab.claim({ by: 'b', tasks: ['work', 'deep', 'two', 'summary'] }),
    );
    deepEqual(late, []);
    deepEqual(new Set((await lab.claim()).map(({ job }) => job.taskName)), new Set(['after']));
    deepEqual(await lab.store.count({ statuses: ['scheduled', 'pending', 'blocked'] }), 0);
    await lab.completeAll(...begun);
    const after = await lab.store.find({ statuses: ['active'], taskNames: ['after'] });
    await lab.completeAll(...after.map(({ job, state }) => ({ id: job.id, token: state.token ?? '' })));
    deepEqual(await lab.outcome(tree[0].id), ['cancelled', 'enough']);
    equal(await lab.store.count({ statuses: OPEN }), 0);
  },

  'reports each job that is cancelled with its batch, once': async (lab) => {
    const tree = lab.plant(parallel([work({}, 'one'), work({ callbacks: [both()] }), serial(steps('two'))], { postprocess: summary() }));
    await lab.insert(tree);
    await lab.claim({ tasks: [] });
    const ids = tree.map(({ id }) => id);
    const watched = await Promise.all(ids.map((ended) => lab.watch({ ended })));
    const heard = await lab.watch({ outcomes: 'here' });
    await lab.cancel([tree[0].id], 'enough');
    await lab.drain();
    deepEqual(watched.map(({ isComplete }) => isComplete), ids.map(() => true)); // biome-ignore format: one line says it
    deepEqual(heard.records.map(({ job }) => job.id).toSorted(), ids.toSorted());
  },

  'goes on with other jobs of a lane when those at its head have been cancelled with their batch': async (lab) => {
    const batch = await lab.queue(parallel(steps('work', 'work', 'work')));
    await lab.claim({ tasks: [] });
    const other = await lab.queue(work());
    await lab.cancel([batch]);
    deepEqual(await lab.claimIds({ limit: 1 }), [other]);
  },
});
