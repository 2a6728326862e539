/** Contract cases for callbacks: each runs once, after the work of its job and before the job's end. */

import { deepEqual, equal } from 'node:assert/strict';
import type { Status } from '../../job/job-status.js';
import { both, onError, onSuccess, parallel, serial, steps, summary, work } from './plans.js';
import { cases } from './store-case.js';
import { completed, type Run, readable } from './store-lab.js';

export const callbacks = cases('callbacks', {
  'waits blocked until the work of its job is over': async (lab) => {
    const id = await lab.queue(work({ callbacks: [both()] }));
    const after = await lab.child(id, 'after');
    const [run] = await lab.takeTasks('work');
    await lab.expect('blocked', after);
    await lab.complete(run);
    await lab.take(after);
  },

  'waits for the last attempt of its job': async (lab) => {
    const id = await lab.queue(work({ callbacks: [both()] }));
    const after = await lab.child(id, 'after');
    const [run] = await lab.takeTasks('work');
    await lab.again(run, 1_000);
    await lab.expect('blocked', after);
    await lab.later(1_000);
    await lab.release((await lab.takeTasks('work'))[0], true);
    await lab.expect('blocked', after);
    deepEqual(await lab.drain(), ['work', 'after']);
  },

  'holds its job in `callbacks`, the outcome known, until the last one has ended': async (lab) => {
    const id = await lab.queue(work({ callbacks: [both(), onSuccess()] }));
    await lab.complete(await lab.takeNext(), 42);
    const endedAt = lab.in(0);
    await lab.advance(1_000);
    for (const run of await lab.takeTasks('after', 'success')) {
      const state = await lab.state(id);
      deepEqual([state.status, state.endedAt, await lab.outcome(id)], ['callbacks', endedAt, ['completed', 42]]);
      await lab.complete(run);
    }
    const state = await lab.state(id);
    deepEqual([state.status, state.endedAt, await lab.outcome(id)], ['completed', endedAt, ['completed', 42]]);
  },

  'runs the side that fits the end, and those for every end': async (lab) => {
    const sides = [onSuccess(), onError(), both(), { ...onSuccess(), ...onError() }];
    await lab.queue(work({ callbacks: sides }, 'good'));
    deepEqual((await lab.drain()).slice(1).sort(), ['after', 'success', 'success']);
    await lab.queue(work({ callbacks: sides }, 'bad'));
    deepEqual((await lab.drain({ failing: ['bad'] })).slice(1).sort(), ['after', 'failure', 'failure']);
  },

  'runs all that is below the side that fits: callbacks of its callbacks, and steps with callbacks': async (lab) => {
    const within = serial([work({ callbacks: [both()] }, 'step')], { callbacks: [{ success: work({ callbacks: [both()] }, 'last') }] });
    const id = await lab.queue(work({ callbacks: [{ success: within }] }));
    deepEqual(await lab.drain(), ['work', 'step', 'after', 'last', 'after']);
    await lab.expect('completed', id);
    equal(await lab.store.count({ statuses: ['blocked', 'active', 'callbacks'] }), 0);
  },

  'gives each callback how its job ended': async (lab) => {
    const sides = [onSuccess(), onError(), both()];
    await lab.queue(work({ callbacks: sides }));
    await lab.complete(await lab.takeNext(), 42);
    for (const run of await lab.takeTasks('after', 'success')) {
      deepEqual(given(run), ['completed', 42]);
      await lab.complete(run);
    }
    await lab.queue(work({ callbacks: sides }));
    await lab.fail(await lab.takeNext(), 'no paper');
    for (const run of await lab.takeTasks('after', 'failure')) deepEqual(given(run), ['failed', 'no paper']);
  },

  'gives a callback its stored arguments beside': async (lab) => {
    await lab.queue(work({ callbacks: [onSuccess({ args: ['ops@example.org'] })] }));
    await lab.complete(await lab.takeNext(), 42);
    const run = await lab.takeNext();
    deepEqual([given(run), run.job.args.read()], [['completed', 42], ['ops@example.org']]);
  },

  'becomes the side that is needed, under the same id': async (lab) => {
    const id = await lab.queue(work());
    const choice = await lab.addCallback(id, { ...onSuccess({ priority: 4 }), ...onError() });
    deepEqual([(await lab.record(choice)).job.kind, (await lab.record(choice)).job.taskName], ['choice', 'choice']);
    await lab.complete(await lab.takeNext());
    const { job, state } = await lab.record(choice);
    deepEqual([job.kind, job.taskName, job.priority, job.parent, job.role, state.status], ['task', 'success', 4, id, 'callback', 'pending']); // biome-ignore format: one line says it
    await lab.complete(await lab.take(choice), 'thanks');
    deepEqual(await lab.outcome(choice), ['completed', 'thanks']);
    await lab.expect('completed', id);
  },

  'becomes a batch, with its callbacks, where the side is one': async (lab) => {
    const id = await lab.queue(work({}, 'first'));
    const side = serial([...steps('one', 'two'), parallel(steps('three'))], { postprocess: summary(), callbacks: [both()] });
    const choice = await lab.addCallback(id, { success: side });
    deepEqual(await lab.drain(), ['first', 'one', 'two', 'three', 'summary', 'after']);
    equal((await lab.record(choice)).job.kind, 'serial');
    equal((await lab.children(choice)).length, 5);
    await lab.expect('completed', id, choice);
  },

  'keeps the callbacks of an undecided callback when it becomes a side': async (lab) => {
    const id = await lab.queue(work());
    const choice = await lab.addCallback(id, { success: work({ callbacks: [{ both: work({}, 'inner') }] }, 'success') });
    await lab.addCallback(choice, { both: work({}, 'outer') });
    const [work1, success, ...others] = await lab.drain();
    deepEqual([work1, success, others.sort()], ['work', 'success', ['inner', 'outer']]);
    await lab.expect('completed', id, choice);
  },

  'passes the outcome through where the side that is needed is missing': async (lab) => {
    const [good, bad] = await lab.queueAll(work({}, 'good'), work({}, 'bad'));
    const passes = [await lab.addCallback(good, onError()), await lab.addCallback(bad, onSuccess())];
    const [first, second] = await lab.takeTasks('good', 'bad');
    await lab.complete(first, 42);
    await lab.fail(second, 'no paper');
    deepEqual(await Promise.all([...passes, good, bad].map((id) => lab.outcome(id))), [
      ['completed', 42],
      ['failed', 'no paper'],
      ['completed', 42],
      ['failed', 'no paper'],
    ]);
    deepEqual(await lab.statuses(...passes, good, bad), ['completed', 'failed', 'completed', 'failed']);
    deepEqual(await lab.claim(), []);
  },

  'passes the outcome along a chain, to the next callback that has the side': async (lab) => {
    const id = await lab.queue(work());
    const first = await lab.addCallback(id, onSuccess());
    const second = await lab.addCallback(first, onSuccess());
    const third = await lab.addCallback(second, onError());
    await lab.fail(await lab.takeNext(), 'no paper');
    await lab.expect('callbacks', id, first, second);
    const run = await lab.take(third);
    deepEqual(given(run), ['failed', 'no paper']);
    await lab.complete(run);
    await lab.expect('failed', id, first, second);
    await lab.expect('completed', third);
  },

  'gives the next of a chain how the one before it ended': async (lab) => {
    const id = await lab.queue(work());
    const first = await lab.addCallback(id, onError());
    await lab.addCallback(first, { ...onSuccess(), ...onError() });
    await lab.fail(await lab.takeNext());
    await lab.complete(await lab.take(first), 'mended');
    const next = await lab.takeNext();
    deepEqual([next.job.taskName, given(next)], ['success', ['completed', 'mended']]);
  },

  'gives the callbacks of a cancelled job the outcome, and runs neither side': async (lab) => {
    const id = await lab.queue(work({ callbacks: [both()] }));
    const choice = await lab.addCallback(id, { ...onSuccess(), ...onError() });
    await lab.cancel([id], 'enough');
    const [after] = await lab.takeTasks('after');
    deepEqual([given(after), await lab.outcome(choice)], [['cancelled', 'enough'], ['cancelled', 'enough']]); // biome-ignore format: one line says it
    await lab.expect('callbacks', id);
    await lab.complete(after);
    await lab.expect('cancelled', id, choice);
  },

  'runs callbacks of callbacks before the end of the job': async (lab) => {
    const deep = work({ callbacks: [{ both: work({ callbacks: [{ both: work({}, 'three') }] }, 'two') }] }, 'one');
    const id = await lab.queue(work({ callbacks: [{ both: deep }] }));
    for (const task of ['work', 'one', 'two', 'three']) {
      const [run] = await lab.takeTasks(task);
      await lab.expect(task === 'work' ? 'active' : 'callbacks', id);
      await lab.complete(run);
    }
    await lab.expect('completed', id);
  },

  'runs the callbacks of a batch after its last step, those of a step before the batch ends': async (lab) => {
    const batch = await lab.queue(parallel([work({ callbacks: [{ both: work({}, 'of step') }] })], { callbacks: [both()] }));
    deepEqual(await lab.drain(), ['work', 'of step', 'after']);
    await lab.expect('completed', batch);
  },

  'changes neither job nor siblings by failing or being cancelled': async (lab) => {
    const id = await lab.queue(work({ callbacks: ['one', 'two', 'three'].map((task) => ({ both: work({}, task) })) }));
    await lab.complete(await lab.takeNext(), 42);
    const [one, two, three] = await lab.takeTasks('one', 'two', 'three');
    await lab.fail(one);
    await lab.settle(two, { status: 'cancelled', reason: 'enough' });
    await lab.expect('active', three.id);
    await lab.complete(three);
    deepEqual(await lab.statuses(id, one.id, two.id, three.id), ['completed', 'failed', 'cancelled', 'completed'] satisfies Status[]);
    deepEqual(await lab.outcome(id), ['completed', 42]);
  },

  'ends its job once when its last two callbacks end in one call, or in one turn': async (lab) => {
    const plan = work({ callbacks: [{ both: work({ callbacks: [] }, 'one') }, { both: work({}, 'two') }] });
    for (const isOneCall of [true, false]) {
      const outer = await lab.queue(serial([plan, work({}, 'next')]));
      await lab.complete(await lab.takeNext());
      const [one, two] = await lab.takeTasks('one', 'two');
      if (isOneCall) await lab.completeAll(one, two);
      else await lab.together(lab.complete(one), lab.complete(two));
      deepEqual(await lab.drain(), ['next']);
      await lab.expect('completed', outer);
    }
  },

  'runs each callback of jobs that end in one call': async (lab) => {
    const ids = await lab.queueAll(work({ callbacks: [both()] }, 'one'), work({ callbacks: [both(), onSuccess()] }, 'two'));
    await lab.completeAll(...(await lab.takeTasks('one', 'two')));
    deepEqual((await lab.drain()).toSorted(), ['after', 'after', 'success']);
    await lab.expect('completed', ...ids);
  },

  'runs none of them when an end is recorded that is stale': async (lab) => {
    const id = await lab.queue(work({ callbacks: [both()] }));
    const run = await lab.takeNext();
    await lab.release(run, false);
    deepEqual(await lab.store.settle([{ id, token: run.token, outcome: completed() }]), [false]);
    await lab.expect('blocked', await lab.child(id, 'after'));
  },
});

/** The input of a callback in a readable form. */
function given(run: Run): ReturnType<typeof readable> | undefined {
  return run.input !== undefined && 'status' in run.input ? readable(run.input) : undefined;
}
