/** Contract cases for a job whose task returned another job: it takes that job's outcome, or a circle is refused. */

import { deepEqual, equal } from 'node:assert/strict';
import { both, onSuccess, parallel, serial, steps, summary, work } from './plans.js';
import { cases } from './store-case.js';
import { completed, failed, keyOf, type StoreLab } from './store-lab.js';

const ONE = { default: 1 } as const;

export const following = cases('following', {
  'takes over how the other job ended': async (lab) => {
    for (const end of [completed({ n: 42 }), failed('no paper'), { status: 'cancelled', reason: 'enough' }] as const) {
      const { id, run } = await follower(lab);
      await lab.settle(run, end);
      deepEqual(await lab.outcome(id), await lab.outcome(run.id));
      await lab.expect(end.status, id, run.id);
    }
  },

  'takes the outcome of a callback that is still to be chosen': async (lab) => {
    const [id, callback] = await lab.queueAll(work({}, 'outer'), work({ callbacks: [onSuccess()] }, 'inner'));
    const [outer, inner] = await lab.takeTasks('outer', 'inner');
    const [choice = ''] = await lab.children(callback);
    await lab.follow(outer, choice);
    await lab.complete(inner);
    await lab.expect('active', id);
    await lab.complete(await lab.takeNext(), 42);
    deepEqual(await lab.outcome(id), ['completed', 42]);
  },

  'waits in `active` for it, without an owner': async (lab) => {
    const { id, run } = await follower(lab);
    const { status, waitsFor, owner, outcome } = await lab.state(id);
    deepEqual([status, typeof waitsFor === 'object' && waitsFor.job, owner, outcome], ['active', run.id, undefined, undefined]);
  },

  'waits for the callbacks of the other job': async (lab) => {
    const { id, run } = await follower(lab, work({ callbacks: [both()] }, 'inner'));
    await lab.complete(run, 42);
    await lab.expect('active', id);
    deepEqual(await lab.drain(), ['after']);
    deepEqual(await lab.outcome(id), ['completed', 42]);
  },

  'runs its own callbacks when it has the outcome': async (lab) => {
    const [id, inner] = await lab.queueAll(work({ callbacks: [onSuccess()] }, 'outer'), work({}, 'inner'));
    const [outer, run] = await lab.takeTasks('outer', 'inner');
    await lab.follow(outer, inner);
    await lab.expect('blocked', ...(await lab.children(id)));
    await lab.complete(run, 42);
    await lab.expect('callbacks', id);
    deepEqual((await lab.takeNext()).input, (await lab.state(inner)).outcome);
  },

  'gives its places up while it waits': async (lab) => {
    const [outer, inner] = await lab.queueAll(work({ places: ONE }), work({ places: ONE }));
    const run = await lab.take(outer);
    deepEqual(await lab.claim(), []);
    await lab.follow(run, inner);
    await lab.complete(await lab.take(inner), 42);
    deepEqual(await lab.outcome(outer), ['completed', 42]);
    await lab.take(await lab.queue(work({ places: ONE })));
  },

  'follows a job that has ended already': async (lab) => {
    const [good, bad, gone] = await lab.queueAll(work({}, 'good'), work({}, 'bad'), work({}, 'gone'));
    await lab.cancel([gone], 'enough');
    await lab.drain({ failing: ['bad'] });
    for (const inner of [good, bad, gone]) {
      const id = await lab.queue(work());
      equal(await lab.follow(await lab.take(id), inner), true);
      deepEqual(await lab.outcome(id), await lab.outcome(inner));
      await lab.expect((await lab.state(inner)).status, id);
    }
  },

  'follows a job whose callbacks run': async (lab) => {
    const inner = await lab.queue(work({ callbacks: [both()] }, 'inner'));
    await lab.complete(await lab.takeNext(), 42);
    const id = await lab.queue(work({}, 'outer'));
    const [after, outer] = await lab.takeTasks('after', 'outer');
    await lab.follow(outer, inner);
    await lab.expect('active', id);
    await lab.complete(after);
    deepEqual(await lab.outcome(id), ['completed', 42]);
  },

  'follows a job in the turn in which that ends': async (lab) => {
    for (const isFollowedFirst of [true, false]) {
      const [id] = await lab.queueAll(work({}, 'outer'), work({}, 'inner'));
      const [outer, inner] = await lab.takeTasks('outer', 'inner');
      const calls = [() => lab.follow(outer, inner.id), () => lab.complete(inner, 42)];
      await lab.together(...(isFollowedFirst ? calls : calls.reverse()).map((call) => call()));
      deepEqual(await lab.outcome(id), ['completed', 42]);
    }
  },

  'follows a batch, and has its result': async (lab) => {
    const [id, batch] = await lab.queueAll(work({}, 'outer'), serial(steps('one')));
    const [outer, one] = await lab.takeTasks('outer', 'one');
    await lab.follow(outer, batch);
    await lab.complete(one);
    await lab.expect('completed', id);
    deepEqual(await lab.outcome(id), await lab.outcome(batch));
  },

  'follows a job that waits for its time': async (lab) => {
    const [id, inner] = await lab.queueAll(work({}, 'outer'), work({ delayMs: 5_000 }, 'inner'));
    await lab.follow(await lab.takeNext(), inner);
    await lab.later(5_000);
    await lab.complete(await lab.take(inner), 42);
    deepEqual(await lab.outcome(id), ['completed', 42]);
  },

  'passes an outcome along a chain, in whichever order it was made': async (lab) => {
    for (const isInnerFirst of [true, false]) {
      const ids = await lab.queueAll(...steps('one', 'two', 'three', 'four'));
      const [one, two, three, four] = await lab.takeTasks('one', 'two', 'three', 'four');
      const links = [[one, two], [two, three], [three, four]] as const; // biome-ignore format: one line says it
      for (const [outer, inner] of isInnerFirst ? links.toReversed() : links) await lab.follow(outer, inner.id);
      await lab.complete(four, 42);
      for (const id of ids) deepEqual(await lab.outcome(id), ['completed', 42]);
      await lab.expect('completed', ...ids);
    }
  },

  'gives each of several followers the outcome': async (lab) => {
    const ids = await lab.queueAll(...steps('one', 'two', 'three', 'inner'));
    const [one, two, three, inner] = await lab.takeTasks('one', 'two', 'three', 'inner');
    for (const outer of [one, two]) await lab.follow(outer, inner.id);
    await lab.complete(inner, 42);
    await lab.follow(three, inner.id);
    for (const id of ids) deepEqual(await lab.outcome(id), ['completed', 42]);
  },

  'holds its batch up until it has the outcome': async (lab) => {
    const [batch, inner] = await lab.queueAll(serial(steps('one', 'two')), work({}, 'inner'));
    const [one, run] = await lab.takeTasks('one', 'inner');
    await lab.follow(one, inner);
    deepEqual(await lab.claim(), []);
    await lab.fail(run);
    await lab.expect('failed', one.id);
    deepEqual(await lab.drain(), ['two']);
    await lab.expect('completed', batch);
  },

  'is cancelled at once, which leaves the other job alone': async (lab) => {
    const { id, run } = await follower(lab);
    await lab.cancel([id], 'enough');
    deepEqual(await lab.outcome(id), ['cancelled', 'enough']);
    equal((await lab.state(run.id)).cancel, undefined);
    equal(await lab.complete(run, 42), true);
    deepEqual([await lab.outcome(id), await lab.outcome(run.id)], [['cancelled', 'enough'], ['completed', 42]]); // biome-ignore format: one line says it
  },

  'is cancelled with its batch, which leaves the other job alone': async (lab) => {
    const [batch, inner] = await lab.queueAll(parallel(steps('one')), work({}, 'inner'));
    const [one, run] = await lab.takeTasks('one', 'inner');
    await lab.follow(one, inner);
    await lab.cancel([batch]);
    await lab.expect('cancelled', batch, one.id);
    equal(await lab.complete(run), true);
    await lab.expect('completed', inner);
  },

  'is cancelled with the job it follows': async (lab) => {
    const [id, inner] = await lab.queueAll(work({}, 'outer'), work({ delayMs: 5_000 }, 'inner'));
    await lab.follow(await lab.takeNext(), inner);
    await lab.cancel([inner], 'enough');
    deepEqual(await lab.outcome(id), ['cancelled', 'enough']);
  },

  'takes a job that was queued for it along when it is cancelled, before it follows or after': async (lab) => {
    for (const isCancelledFirst of [true, false]) {
      const [id, inner] = await lab.queueAll(work({}, 'outer'), work({ delayMs: 5_000 }, 'inner'));
      const [outer] = await lab.takeTasks('outer');
      if (isCancelledFirst) await lab.cancel([id], 'enough');
      equal(await lab.settle(outer, { status: 'follows', job: inner, isOwn: true }), true);
      if (!isCancelledFirst) await lab.cancel([id], 'enough');
      for (const one of [id, inner]) deepEqual(await lab.outcome(one), ['cancelled', 'enough']);
    }
  },

  'is cancelled instead of following where that was asked for before': async (lab) => {
    const [id, inner] = await lab.queueAll(work({}, 'outer'), work({ delayMs: 5_000 }, 'inner'));
    const [outer] = await lab.takeTasks('outer');
    await lab.cancel([id], 'enough');
    equal(await lab.follow(outer, inner), true);
    deepEqual(await lab.outcome(id), ['cancelled', 'enough']);
    await lab.expect('scheduled', inner);
  },

  'fails with JobNotFoundError where the other job is not there': async (lab) => {
    const id = await lab.queue(work({ places: ONE, callbacks: [both()] }));
    equal(await lab.follow(await lab.take(id), 'f'.repeat(24)), true);
    equal(await lab.errorName(id), 'JobNotFoundError');
    deepEqual(await lab.drain(), ['after']);
    await lab.expect('failed', id);
    await lab.take(await lab.queue(work({ places: ONE })));
  },

  'handles each of several in one call': async (lab) => {
    const [one, two, three] = await lab.queueAll(...steps('one', 'two', 'three'));
    const runs = await lab.takeTasks('one', 'two', 'three');
    const jobs = ['f'.repeat(24), three ?? '', undefined];
    const ends = runs.map((run, index) => {
      const job = jobs[index];
      return { ...keyOf(run), outcome: job === undefined ? completed(42) : ({ status: 'follows', job } as const) };
    });
    deepEqual(await lab.store.settle(ends), [true, true, true]);
    await lab.settled();
    equal(await lab.errorName(one ?? ''), 'JobNotFoundError');
    deepEqual(await lab.outcome(two ?? ''), ['completed', 42]);
  },

  'may be a job beside it, an earlier step, or a step of the batch that it sums up': async (lab) => {
    const [beside, earlier] = await lab.queueAll(parallel(steps('one', 'two')), serial(steps('three', 'four'), { postprocess: summary() }));
    const [one, two, three] = await lab.takeTasks('one', 'two', 'three');
    await lab.follow(one, two.id);
    await lab.complete(two, 2);
    await lab.complete(three, 3);
    const [four] = await lab.takeTasks('four');
    await lab.follow(four, three.id);
    const [sum] = await lab.takeTasks('summary');
    await lab.follow(sum, four.id);
    deepEqual([await lab.outcome(one.id), await lab.outcome(four.id), await lab.outcome(earlier)], [['completed', 2], ['completed', 3], ['completed', 3]]); // biome-ignore format: one line says it
    await lab.expect('completed', beside);
  },
});

/** A job that follows another one, which runs. */
async function follower(
  lab: StoreLab,
  inner = work({}, 'inner'),
): Promise<{ readonly id: string; readonly run: Awaited<ReturnType<StoreLab['takeNext']>> }> {
  const [id] = await lab.queueAll(work({}, 'outer'), inner);
  const [outer, run] = await lab.takeTasks('outer', 'inner');
  equal(await lab.follow(outer, run.id), true);
  return { id, run };
}
