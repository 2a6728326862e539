/** Contract cases for claiming: which dispatcher gets which job, in which order, and never two dispatchers the same one. */

import { deepEqual, equal, notEqual } from 'node:assert/strict';
import { taskVersionOf } from '../../job/task-version.js';
import { both, parallel, serial, summary, work } from './plans.js';
import { cases } from './store-case.js';

export const claiming = cases('claiming', {
  'hands out jobs only in forms that are asked for': async (lab) => {
    const [first, second] = await lab.queueAll(work(), { ...work(), version: 2 });
    deepEqual(await lab.claimIds({ tasks: [taskVersionOf({ taskName: 'work' })] }), [first]);
    deepEqual(await lab.claimIds({ tasks: [taskVersionOf({ taskName: 'work' })] }), []);
    const run = await lab.takeNext({ tasks: [taskVersionOf({ taskName: 'work', version: 2 })] });
    deepEqual([run.id, run.job.version], [second, 2]);
  },

  'hands a step out only in a form that is asked for': async (lab) => {
    await lab.queue(serial([work({}, 'one'), { ...work({}, 'two'), version: 3 }]));
    deepEqual(await lab.drain({ tasks: ['one', 'two'] }), ['one']);
    deepEqual(await lab.drain({ tasks: [taskVersionOf({ taskName: 'two', version: 3 })] }), ['two']);
  },

  'hands out jobs in the order of their insertion': async (lab) => {
    const first = await lab.queueAll(work(), work(), work());
    const then = await lab.queueAll(work(), work());
    deepEqual(await lab.claimIds(), [...first, ...then]);
  },

  'hands out jobs of different tasks and quotas in the order of their insertion': async (lab) => {
    const ids = await lab.queueAll(
      work(),
      work({}, 'other'),
      work({ places: { wide: 1 } }),
      work(),
      work({ places: { pair: 1 } }, 'other'),
    );
    deepEqual(await lab.claimIds(), ids);
  },

  'hands out a lower priority number first, then by insertion': async (lab) => {
    const [c, a, d, b] = await lab.queueAll(work({ priority: 5 }), work({ priority: -1 }, 'other'), work({ priority: 5 }), work());
    deepEqual(await lab.claimIds(), [a, b, c, d]);
  },

  'puts priority before the order among jobs that share a quota': async (lab) => {
    const [late, early] = await lab.queueAll(work({ priority: 1, places: { default: 1 } }), work({ places: { default: 1 } }));
    await lab.complete(await lab.take(early));
    await lab.take(late);
  },

  'hands out no more than the limit': async (lab) => {
    const [a, b, c] = await lab.queueAll(work(), work(), work());
    deepEqual(await lab.claimIds({ limit: 2 }), [a, b]);
    deepEqual(await lab.claimIds({ limit: 2 }), [c]);
  },

  'hands out nothing for a limit of 0': async (lab) => {
    const id = await lab.queue(work());
    deepEqual(await lab.claim({ limit: 0 }), []);
    await lab.expect('pending', id);
  },

  'gives no job twice': async (lab) => {
    const ids = await lab.queueAll(work(), work(), work(), work());
    const both = await Promise.all([lab.claimIds({ by: 'a', limit: 3 }), lab.claimIds({ by: 'b', limit: 3 })]);
    deepEqual(both.flat().sort(), [...ids].sort());
    deepEqual(await lab.claim(), []);
  },

  'hands out only jobs of the queue asked for': async (lab) => {
    const [mail] = await lab.queueAll(work({ queue: 'mail' }), work());
    deepEqual(await lab.claimIds({ queue: 'mail' }), [mail]);
    deepEqual(await lab.claim({ queue: 'nobody' }), []);
  },

  'hands out only jobs of the tasks asked for, past all others': async (lab) => {
    const [, , wanted] = await lab.queueAll(work(), work(), work({}, 'other'));
    deepEqual(await lab.claimIds({ tasks: ['other'] }), [wanted]);
    deepEqual(await lab.claim({ tasks: [] }), []);
  },

  'does not take a task for a batch because of its name': async (lab) => {
    await lab.queueAll(serial([work()]), work({}, 'serial'), parallel([]), work({}, 'parallel'));
    deepEqual(await lab.claimIds({ tasks: ['work'] }), [await lab.child(await onlyBatch(lab, 'serial'), 'work')]);
  },

  'gives a job a new token, its owner and the number of the attempt': async (lab) => {
    const [one, two] = await lab.queueAll(work(), work());
    const [first, second] = [await lab.take(one, 'a'), await lab.take(two, 'b')];
    notEqual(first.token, second.token);
    deepEqual([first.attempt.number, first.attempt.failures], [1, 0]);
    const { status, owner, token, attempts, startedAt } = await lab.state(two);
    deepEqual([status, owner, token, attempts, startedAt?.getTime()], ['active', 'b', second.token, 1, lab.now]);
  },

  'gives a job as it was queued': async (lab) => {
    await lab.queue(work({ args: ['inbox', new Date(5)], priority: 2 }));
    const { job, input } = await lab.takeNext();
    deepEqual([job.taskName, job.args.read(), job.priority, input], ['work', ['inbox', new Date(5)], 2, undefined]);
  },

  'gives a callback the outcome of its job, and a postprocess the steps': async (lab) => {
    const id = await lab.queue(serial([work()], { postprocess: summary(), callbacks: [both()] }));
    await lab.complete(await lab.takeNext(), 1);
    const last = await lab.takeNext();
    deepEqual(
      (last.input as readonly { id: string; taskName: string }[]).map((step) => [step.id, step.taskName]),
      [[await lab.child(id, 'work'), 'work']],
    );
    await lab.complete(last, 42);
    const { input } = await lab.takeNext();
    deepEqual(input, (await lab.state(id)).outcome);
  },

  'counts a batch it opens on the way not against the limit': async (lab) => {
    const [, id] = await lab.queueAll(parallel([]), work());
    deepEqual(await lab.claimIds({ limit: 1 }), [id]);
  },

  'opens a batch on the way and hands out its steps in the same claim': async (lab) => {
    const batch = await lab.queue(parallel([work(), parallel([work()]), work()]));
    const after = await lab.queue(work());
    const ids = await lab.claimIds();
    equal(ids.length, 4);
    equal(ids.at(-1), after);
    await lab.expect('active', batch);
  },

  'is open to all who ask for its queue, a batch is': async (lab) => {
    const batch = await lab.queue(serial([work()]));
    deepEqual(await lab.claim({ tasks: ['other'] }), []);
    await lab.expect('active', batch);
    deepEqual(await lab.claimIds({ by: 'b' }), [await lab.child(batch, 'work')]);
  },
});

async function onlyBatch(lab: Parameters<(typeof claiming)[number]['run']>[0], kind: 'serial'): Promise<string> {
  const found = await lab.store.find({ taskNames: [kind] });
  return found.find(({ job }) => job.kind === kind)?.job.id ?? '';
}
