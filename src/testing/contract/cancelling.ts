/** Contract cases for cancelling: a waiting job ends at once, a running job is notified, an ended job stays as it is. */

import { deepEqual, equal } from 'node:assert/strict';
import { both, onError, onSuccess, work } from './plans.js';
import { cases } from './store-case.js';
import { completed, failed, keyOf, type Watch } from './store-lab.js';

export const cancelling = cases('cancelling', {
  'cancels scheduled, pending and blocked jobs at once': async (lab) => {
    const [scheduled, pending, running] = await lab.queueAll(work({ delayMs: 1_000 }, 'later'), work(), work({}, 'running'));
    const blocked = await lab.addCallback(running, both());
    await lab.claim({ tasks: ['running'] });
    await lab.cancel([scheduled, pending, blocked], 'enough');
    for (const id of [scheduled, pending, blocked]) deepEqual(await lab.outcome(id), ['cancelled', 'enough']);
    await lab.expect('cancelled', scheduled, pending, blocked);
    await lab.later(1_000);
    deepEqual(await lab.claim(), []);
  },

  'says when a job that waited was cancelled': async (lab) => {
    const id = await lab.queue(work());
    await lab.advance(500);
    await lab.cancel([id]);
    const { endedAt, startedAt, dueAt, outcome } = await lab.state(id);
    deepEqual([endedAt, startedAt, dueAt], [lab.in(0), undefined, undefined]);
    deepEqual(outcome, { status: 'cancelled', reason: undefined });
  },

  'cancels a job that waits for its next attempt': async (lab) => {
    const [off, back] = await lab.queueAll(work({}, 'off'), work({}, 'back'));
    const [first, second] = await lab.takeTasks('off', 'back');
    await lab.again(first, 1_000);
    await lab.release(second, true);
    await lab.cancel([off, back]);
    await lab.expect('cancelled', off, back);
    await lab.later(1_000);
    deepEqual(await lab.claim(), []);
  },

  'notifies the dispatcher that runs a job, and no other': async (lab) => {
    const id = await lab.queue(work());
    const [told, other] = [await lab.watch({ cancelsOf: 'a' }), await lab.watch({ cancelsOf: 'b' })];
    await lab.take(id, 'a');
    await lab.cancel([id], 'enough');
    const { status, cancel, outcome, owner } = await lab.state(id);
    deepEqual([status, cancel, outcome, owner], ['active', { reason: 'enough' }, undefined, 'a']);
    deepEqual([toldOf(told), toldOf(other)], [[[id, 'enough']], []]);
  },

  'notifies the task of each running job, and no waiting one': async (lab) => {
    const ids = await lab.queueAll(work({}, 'one'), work({}, 'two'), work({}, 'waits'));
    await lab.claim({ tasks: ['one', 'two'] });
    const told = await lab.watch({ cancelsOf: 'a' });
    await lab.cancel(ids);
    deepEqual(new Set(toldOf(told).map(([id]) => id)), new Set(ids.slice(0, 2)));
  },

  'leaves it to the attempt how a job ends that was running': async (lab) => {
    const ends = [completed(42), failed('no paper'), { status: 'cancelled', reason: 'seen' }] as const;
    for (const end of ends) {
      const id = await lab.queue(work({ places: { default: 1 } }));
      const run = await lab.take(id);
      await lab.cancel([id], 'enough');
      equal(await lab.settle(run, end), true);
      deepEqual((await lab.state(id)).outcome, end);
      await lab.expect(end.status, id);
    }
  },

  'cancels a job that is handed back, interrupted or put off after that was asked for': async (lab) => {
    const ways: readonly ((run: { id: string; token: string }) => Promise<unknown>)[] = [
      (run) => lab.release(run, false),
      (run) => lab.release(run, true),
      (run) => lab.store.reschedule([{ ...keyOf(run), delayMs: 0, error: { name: 'Error', message: 'busy' } }]),
      (run) => lab.again(run, 1_000),
    ];
    for (const way of ways) {
      const id = await lab.queue(work({ places: { default: 1 } }));
      const run = await lab.take(id);
      await lab.cancel([id], 'enough');
      await lab.together(way(run));
      deepEqual(await lab.outcome(id), ['cancelled', 'enough']);
      await lab.expect('cancelled', id);
    }
  },

  'keeps the first reason': async (lab) => {
    const [waits, runs] = await lab.queueAll(work({}, 'waits'), work({}, 'runs'));
    const [run] = await lab.claim({ tasks: ['runs'] });
    for (const reason of ['first', 'second', undefined]) await lab.cancel([waits, runs], reason);
    deepEqual((await lab.state(runs)).cancel, { reason: 'first' });
    await lab.release(run ?? { id: runs, token: '' }, true);
    deepEqual(await Promise.all([waits, runs].map((id) => lab.outcome(id))), [['cancelled', 'first'], ['cancelled', 'first']]); // biome-ignore format: one line says it
  },

  'keeps one of two reasons given in one turn': async (lab) => {
    const id = await lab.queue(work());
    await lab.together(lab.cancel([id], 'one'), lab.cancel([id], 'two'));
    const [status, reason] = (await lab.outcome(id)) ?? [];
    deepEqual([status, reason === 'one' || reason === 'two'], ['cancelled', true]);
  },

  'leaves ended jobs as they are': async (lab) => {
    const [good, bad, gone] = await lab.queueAll(work({}, 'good'), work({}, 'bad'), work({}, 'gone'));
    await lab.cancel([gone], 'first');
    await lab.drain({ failing: ['bad'] });
    const before = await lab.store.find({});
    await lab.cancel([good, bad, gone], 'second');
    deepEqual(await lab.store.find({}), before);
  },

  'leaves a job whose callbacks run, and them, as they are': async (lab) => {
    const id = await lab.queue(work({ callbacks: [{ both: work({}, 'one') }, { both: work({}, 'two') }] }));
    await lab.complete(await lab.takeNext(), 42);
    const one = await lab.takeNext();
    const told = await lab.watch({ cancelsOf: 'a' });
    const before = await lab.store.find({});
    await lab.cancel([id], 'too late');
    deepEqual([toldOf(told), await lab.store.find({})], [[], before]);
    await lab.complete(one);
    equal((await lab.drain()).length, 1);
    await lab.expect('completed', id);
  },

  'takes no notice of ids that are not there, and cancels the others': async (lab) => {
    const id = await lab.queue(work());
    await lab.cancel(['f'.repeat(24), id, 'e'.repeat(24)]);
    await lab.expect('cancelled', id);
    await lab.cancel([]);
    equal(await lab.store.count({}), 1);
  },

  'runs the callbacks for every end of a job that waited': async (lab) => {
    const id = await lab.queue(work({ callbacks: [both(), onSuccess(), onError()] }));
    await lab.cancel([id]);
    await lab.expect('callbacks', id);
    deepEqual(await lab.drain(), ['after']);
    await lab.expect('cancelled', id);
  },

  'cancels a callback that waits, which holds up its job no more': async (lab) => {
    const id = await lab.queue(work({ callbacks: [both()] }));
    const after = await lab.child(id, 'after');
    await lab.cancel([after]);
    await lab.expect('cancelled', after);
    await lab.complete(await lab.take(id));
    await lab.expect('completed', id);
  },

  'cancels the last callback of a job, which then is final': async (lab) => {
    const id = await lab.queue(work({ callbacks: [both(), onSuccess()] }));
    await lab.complete(await lab.takeNext());
    await lab.cancel(await lab.children(id));
    await lab.expect('cancelled', ...(await lab.children(id)));
    await lab.expect('completed', id);
  },

  'cancels an undecided callback, neither side of which runs': async (lab) => {
    const id = await lab.queue(work());
    const choice = await lab.addCallback(id, { ...onSuccess(), ...onError() });
    await lab.addCallback(choice, both());
    await lab.cancel([choice], 'enough');
    deepEqual(await lab.outcome(choice), ['cancelled', 'enough']);
    deepEqual((await lab.drain()).toSorted(), ['after', 'work']);
    await lab.expect('completed', id);
    await lab.expect('cancelled', choice);
  },

  'cancels a job or notifies its dispatcher, when it is claimed in the same turn': async (lab) => {
    const told = await lab.watch({ cancelsOf: 'a' });
    for (const isClaimedFirst of [true, false]) {
      const id = await lab.queue(work());
      const calls = [() => lab.claim(), () => lab.cancel([id], 'enough')];
      await lab.together(...(isClaimedFirst ? calls : calls.reverse()).map((call) => call()));
      const { status, cancel, token = '' } = await lab.state(id);
      if (status === 'active') {
        deepEqual([cancel, toldOf(told).some(([one]) => one === id)], [{ reason: 'enough' }, true]);
        await lab.release({ id, token }, true);
      }
      deepEqual(await lab.outcome(id), ['cancelled', 'enough']);
    }
  },

  'records the end of an attempt in whose turn its job was cancelled': async (lab) => {
    for (const isCancelledFirst of [true, false]) {
      const id = await lab.queue(work());
      const run = await lab.take(id);
      const calls = [() => lab.cancel([id]), () => lab.complete(run, 42)];
      await lab.together(...(isCancelledFirst ? calls : calls.reverse()).map((call) => call()));
      deepEqual(await lab.outcome(id), ['completed', 42]);
      await lab.expect('completed', id);
    }
  },

  'gives the places of a job back that is cancelled while it waits with them': async (lab) => {
    const [first, second] = await lab.queueAll(work({ places: { default: 1 } }), work({ places: { default: 1 } }));
    await lab.release(await lab.take(first), true);
    await lab.cancel([first]);
    await lab.take(second);
  },

  'holds the places of a running job until its attempt has ended': async (lab) => {
    const [first, second] = await lab.queueAll(work({ places: { default: 1 } }), work({ places: { default: 1 } }));
    const run = await lab.take(first);
    await lab.cancel([first]);
    deepEqual(await lab.claim(), []);
    await lab.settle(run, { status: 'cancelled', reason: undefined });
    await lab.take(second);
  },
});

/** The jobs of which a dispatcher was notified, each once, since a hint may come twice; with the reason. */
export function toldOf(watch: Watch): readonly (readonly [id: string, reason: string | undefined])[] {
  const reasons = new Map<string, string | undefined>();
  for (const change of watch.seen) if (change.type === 'cancel') reasons.set(change.id, change.reason);
  return [...reasons];
}
