/** Contract cases for dead dispatchers: their jobs come back, with their places, once. */

import { deepEqual, equal } from 'node:assert/strict';
import { isPowerless } from './fencing.js';
import { both, onSuccess, serial, steps, work } from './plans.js';
import { cases } from './store-case.js';
import { completed, keyOf, LEASE_MS } from './store-lab.js';

const ONE = { default: 1 } as const;

export const recovering = cases('recovering', {
  'brings the jobs of a dead dispatcher back in front, counted as interrupted': async (lab) => {
    const [first, second] = await lab.queueAll(work(), work());
    await lab.take(first, 'a');
    await lab.lose('a');
    const { status, owner, interruptions, failures, attempts } = await lab.state(first);
    deepEqual([status, owner, interruptions, failures, attempts], ['pending', undefined, 1, 0, 1]);
    const run = await lab.take(first, 'b');
    deepEqual([run.attempt.number, run.attempt.failures], [2, 0]);
    await lab.take(second, 'b');
  },

  'makes every attempt of a dead dispatcher powerless': async (lab) => {
    const run = await lab.take(await lab.queue(work({ places: ONE })), 'a');
    await lab.lose('a');
    await isPowerless(lab, run);
    await lab.take(run.id, 'b');
    await isPowerless(lab, run);
  },

  'keeps the place of an interrupted job in a quota of 1, ahead of more urgent ones': async (lab) => {
    const first = await lab.queue(work({ places: ONE }));
    await lab.take(first, 'a');
    const [urgent] = await lab.queueAll(work({ places: ONE, priority: -1 }, 'urgent'));
    await lab.lose('a');
    deepEqual(await lab.claimIds({ by: 'b' }), [first]);
    await lab.complete({ id: first, token: (await lab.state(first)).token ?? '' });
    await lab.take(urgent, 'b');
  },

  'keeps the places of several interrupted jobs, and their order': async (lab) => {
    const places = { trio: 1 } as const;
    const [one, two, three] = await lab.queueAll(work({ places }), work({ places }, 'other'), work({ places }));
    await lab.claim({ by: 'a' });
    await lab.queueAll(work({ places, priority: -1 }));
    await lab.lose('a');
    deepEqual(await lab.claimIds({ by: 'b' }), [one, two, three]);
  },

  'frees the places of jobs that may not be interrupted, and fails them': async (lab) => {
    const limited = { places: ONE, interruptions: { limit: 0, delayMs: 0 }, callbacks: [both()] };
    const [lost, next] = await lab.queueAll(work(limited), work({ places: ONE }, 'next'));
    await lab.take(lost, 'a');
    await lab.lose('a');
    equal(await lab.errorName(lost), 'AbortedError');
    deepEqual((await lab.drain({ by: 'b' })).toSorted(), ['after', 'next']);
    await lab.expect('failed', lost);
    await lab.expect('completed', next);
  },

  'aborts a job that killed as many dispatchers as it may': async (lab) => {
    const id = await lab.queue(work({ interruptions: { limit: 1, delayMs: 0 } }));
    for (const dispatcher of ['a', 'c']) {
      if (dispatcher === 'c') await lab.keepAlive('c');
      await lab.take(id, dispatcher);
      await lab.lose(dispatcher);
    }
    equal(await lab.errorName(id), 'AbortedError');
  },

  'puts a job off whose interruptions are followed by a delay, and frees its place': async (lab) => {
    const delayed = { places: ONE, interruptions: { limit: 3, delayMs: 7_000 } };
    const [lost, next] = await lab.queueAll(work(delayed), work({ places: ONE }));
    await lab.take(lost, 'a');
    await lab.lose('a');
    const { status, dueAt, interruptions } = await lab.state(lost);
    deepEqual([status, dueAt, interruptions], ['scheduled', lab.in(7_000), 1]);
    await lab.complete(await lab.take(next, 'b'));
    await lab.later(7_000);
    await lab.take(lost, 'b');
  },

  'cancels a job of a dead dispatcher whose cancellation was asked for': async (lab) => {
    const id = await lab.queue(work({ places: ONE }));
    await lab.take(id, 'a');
    await lab.cancel([id], 'enough');
    await lab.lose('a');
    deepEqual(await lab.outcome(id), ['cancelled', 'enough']);
    await lab.take(await lab.queue(work({ places: ONE })), 'b');
  },

  'leaves alone jobs that a dead dispatcher had handed back, put off or ended': async (lab) => {
    const ids = await lab.queueAll(...steps('back', 'off', 'over'));
    const [back, off, over] = await lab.takeTasks('back', 'off', 'over');
    await lab.release(back, false);
    await lab.again(off, 24 * LEASE_MS);
    await lab.complete(over);
    const before = await lab.store.find({ ids });
    await lab.lose('a');
    deepEqual(await lab.store.find({ ids }), before);
  },

  'goes on with the batch that a dead dispatcher opened and worked for': async (lab) => {
    const batch = await lab.queue(serial(steps('one', 'two'), { places: ONE, callbacks: [onSuccess()] }));
    await lab.takeTasks('one');
    const after = await lab.queue(work({ places: ONE }, 'later'));
    await lab.lose('a');
    const { status, waitsFor, interruptions } = await lab.state(batch);
    deepEqual([status, waitsFor, interruptions], ['active', 'steps', 0]);
    const ran = await lab.drain({ by: 'b' });
    // The callback and the job for which the batch gave its place up may go in either order.
    deepEqual(
      [ran.slice(0, 2), ran.slice(2).toSorted()],
      [
        ['one', 'two'],
        ['later', 'success'],
      ],
    );
    await lab.expect('completed', batch, after);
  },

  'names the attempts that count as those of a dispatcher, and no others': async (lab) => {
    const running = async (by: string) => (await lab.store.recover(by)).running ?? [];
    const [first, second, outer, inner] = await lab.queueAll(work(), work({}, 'two'), work({}, 'outer'), work({}, 'inner'));
    const [one, two, waits] = [await lab.take(first), await lab.take(second, 'b'), await lab.take(outer)];
    deepEqual(await running('a'), [keyOf(one), keyOf(waits)]);
    deepEqual(await running('b'), [keyOf(two)]);
    const { token } = await lab.rerun(one);
    await lab.follow(waits, inner);
    deepEqual(await running('a'), [{ id: first, token }]);
    await lab.complete({ id: first, token });
    await lab.queue(serial(steps('later')));
    deepEqual(await running('a'), []);
    deepEqual(await running('nobody'), []);
  },

  'puts an attempt back that never reached its dispatcher, as if never claimed': async (lab) => {
    const [id, next] = await lab.queueAll(work({ places: ONE }), work({ places: ONE }));
    const before = await lab.state(id);
    await lab.take(id);
    const { running = [] } = await lab.store.recover('a');
    await lab.store.release(running.map((key) => ({ ...key, hasBegun: false })));
    deepEqual(await lab.state(id), before);
    await lab.complete(await lab.take(id, 'b'));
    await lab.take(next, 'b');
  },

  'puts back, with a new attempt, a job whose next attempt at once never reached its dispatcher': async (lab) => {
    const id = await lab.queue(work({ places: ONE }));
    const run = await lab.take(id);
    await lab.rerun(run);
    const { running = [] } = await lab.store.recover('a');
    await lab.store.release(running.map((key) => ({ ...key, hasBegun: false })));
    const { status, attempts, interruptions } = await lab.state(id);
    deepEqual([status, attempts, interruptions], ['pending', 1, 0]);
    equal(await lab.complete(run), false);
    equal((await lab.take(id)).attempt.number, 2);
  },

  'holds the places of a batch that a dead dispatcher opened': async (lab) => {
    await lab.queueAll(serial(steps('one'), { places: ONE }), serial(steps('two'), { places: ONE }));
    await lab.takeTasks('one');
    await lab.lose('a');
    await lab.complete(await lab.takeNext({ by: 'b' }));
    const { job } = await lab.takeNext({ by: 'b' });
    equal(job.taskName, 'two');
  },

  'interrupts no job that waits for another one': async (lab) => {
    const ids = await lab.queueAll(...steps('outer', 'inner'));
    const [outer] = await lab.claim({ by: 'a', tasks: ['outer'] });
    await lab.follow(outer ?? { id: '', token: '' }, ids[1] ?? '');
    await lab.lose('a');
    const { status, interruptions } = await lab.state(ids[0] ?? '');
    deepEqual([status, interruptions], ['active', 0]);
    await lab.drain({ by: 'b' });
    await lab.expect('completed', ...ids);
  },

  'runs the callbacks of jobs that a dead dispatcher ended': async (lab) => {
    const id = await lab.queue(work({ callbacks: [both(), onSuccess()] }));
    await lab.complete(await lab.take(id, 'a'));
    const [one] = await lab.claim({ by: 'a', limit: 1 });
    await lab.lose('a');
    deepEqual((await lab.drain({ by: 'b' })).toSorted(), ['after', 'success']);
    equal((await lab.state(one?.id ?? '')).attempts, 2);
    await lab.expect('completed', id);
  },

  'gives back the places that a dead dispatcher kept for a method that still ran': async (lab) => {
    const [over, next] = await lab.queueAll(work({ places: ONE }), work({ places: ONE }));
    const run = await lab.take(over, 'a');
    await lab.together(lab.store.settle([{ ...keyOf(run), outcome: completed(42), keepsPlaces: true }]));
    deepEqual(await lab.claim({ by: 'b' }), []);
    await lab.lose('a');
    deepEqual(await lab.outcome(over), ['completed', 42]);
    await lab.take(next, 'b');
    await lab.release(run, true);
    deepEqual(await lab.claim({ by: 'b' }), []);
  },

  'brings a job back once, though two look at once and again': async (lab) => {
    const [id] = await lab.queueAll(work({ places: ONE }), work({ places: ONE }));
    await lab.take(id, 'a');
    await lab.keepAlive('c');
    lab.silence('a');
    await lab.advance(2 * LEASE_MS);
    await lab.together(lab.store.recover('b'), lab.store.recover('c'));
    equal((await lab.state(id)).interruptions, 1);
    const run = await lab.take(id, 'b');
    await lab.together(lab.store.recover('c'), lab.store.recover('b'));
    equal((await lab.state(id)).token, run.token);
    deepEqual(await lab.claim({ by: 'c' }), []);
    equal(await lab.complete(run), true);
  },

  'brings a job back or records its end, when both come in one turn': async (lab) => {
    for (const isEndedFirst of [true, false]) {
      const dispatcher = `mortal ${isEndedFirst}`;
      await lab.keepAlive(dispatcher);
      const run = await lab.take(await lab.queue(work({}, dispatcher)), dispatcher);
      lab.silence(dispatcher);
      await lab.advance(2 * LEASE_MS);
      const calls = [() => lab.complete(run), () => lab.recover('b')];
      const answers = await lab.together(...(isEndedFirst ? calls : calls.reverse()).map((call) => call()));
      await lab.expect(answers.includes(true) ? 'completed' : 'pending', run.id);
      await lab.drain({ by: 'b' });
      await lab.expect('completed', run.id);
    }
  },

  'brings the jobs back of a dispatcher that gave up its lease without handing them back': async (lab) => {
    const [first, next] = await lab.queueAll(work({ places: ONE }), work({ places: ONE }));
    await lab.take(first, 'a');
    lab.silence('a');
    await lab.store.heartbeat('a', 0);
    for (let round = 0; round < 3; round++) await lab.later(2 * LEASE_MS);
    await lab.complete(await lab.take(first, 'b'));
    await lab.take(next, 'b');
  },
});
