/** Contract cases for attempts: each has a token, and a call with an old token changes nothing. */

import { deepEqual, equal, notEqual } from 'node:assert/strict';
import { Payload } from '../../job/payload.js';
import { both, work } from './plans.js';
import { cases } from './store-case.js';
import { completed, failed, keyOf, type Run, type StoreLab } from './store-lab.js';

export const fencing = cases('attempts', {
  'records an outcome, and when the work ended': async (lab) => {
    const id = await lab.queue(work());
    const run = await lab.take(id);
    await lab.advance(500);
    equal(await lab.complete(run, { n: [1, undefined] }), true);
    const { status, endedAt, owner, token } = await lab.state(id);
    deepEqual([status, endedAt?.getTime(), owner, token], ['completed', lab.now, undefined, run.token]);
    deepEqual(await lab.outcome(id), ['completed', { n: [1, undefined] }]);
  },

  'records failures and cancellations that the attempt reports': async (lab) => {
    const [a, b] = await lab.queueAll(work(), work());
    await lab.fail(await lab.take(a), 'no paper');
    await lab.settle(await lab.take(b), { status: 'cancelled', reason: 'enough' });
    deepEqual(
      [await lab.outcome(a), await lab.outcome(b)],
      [
        ['failed', 'no paper'],
        ['cancelled', 'enough'],
      ],
    );
  },

  'records progress, and adds annotations to those it has': async (lab) => {
    const id = await lab.queue(work());
    const key = keyOf(await lab.take(id));
    const note = (value: unknown): Payload => Payload.of(value, 'note');
    await lab.store.report([{ ...key, progress: 1, annotations: { one: note(1), two: note(2) } }]);
    await lab.store.report([
      { ...key, progress: { done: 2, total: 3 } },
      { ...key, annotations: { two: note('b') } },
    ]);
    const { status, progress, annotations = {} } = await lab.state(id);
    deepEqual([status, progress], ['active', { done: 2, total: 3 }]);
    deepEqual(Object.entries(annotations).map(([name, value]) => [name, value.read()]), [['one', 1], ['two', 'b']]); // biome-ignore format: one line says it
  },

  'lets nobody but the current attempt settle, report, reschedule or release': async (lab) => {
    const id = await lab.queue(work({ places: { default: 1 } }));
    await isPowerless(lab, { ...(await lab.take(id)), token: 'never given' });
  },

  'lets an attempt do nothing after its end was recorded': async (lab) => {
    const id = await lab.queue(work());
    const run = await lab.take(id);
    await lab.complete(run, 1);
    await isPowerless(lab, run);
  },

  'lets an attempt do nothing while the callbacks of its job run': async (lab) => {
    const id = await lab.queue(work({ callbacks: [both()] }));
    const run = await lab.take(id);
    await lab.complete(run, 1);
    await lab.takeNext();
    await lab.expect('callbacks', id);
    await isPowerless(lab, run);
  },

  'lets an attempt do nothing after it was run again at once': async (lab) => {
    const run = await lab.take(await lab.queue(work({ places: { default: 1 } })));
    await lab.store.reschedule([{ ...keyOf(run), delayMs: 0 }]);
    await isPowerless(lab, run);
  },

  'lets an attempt do nothing after it was put off': async (lab) => {
    const run = await lab.take(await lab.queue(work()));
    await lab.store.reschedule([{ ...keyOf(run), delayMs: 1_000, error: { name: 'Error', message: 'busy' } }]);
    await isPowerless(lab, run);
    await lab.later(1_000);
    await lab.take(run.id);
    await isPowerless(lab, run);
  },

  'lets an attempt do nothing after it was handed back, nor once another has the job': async (lab) => {
    const run = await lab.take(await lab.queue(work({ places: { default: 1 } })));
    await lab.release(run, false);
    await isPowerless(lab, run);
    await lab.take(run.id, 'b');
    await isPowerless(lab, run);
  },

  'lets an attempt do nothing after it was interrupted, nor once another has the job': async (lab) => {
    const run = await lab.take(await lab.queue(work({ places: { default: 1 } })));
    await lab.release(run, true);
    await isPowerless(lab, run);
    await lab.take(run.id, 'b');
    await isPowerless(lab, run);
  },

  'lets an attempt do nothing after it returned another job': async (lab) => {
    const run = await lab.take(await lab.queue(work()));
    await lab.follow(run, await lab.queue(work({}, 'inner')));
    await isPowerless(lab, run);
  },

  'lets an attempt do nothing after its job was cancelled and released': async (lab) => {
    const run = await lab.take(await lab.queue(work()));
    await lab.cancel([run.id]);
    await lab.release(run, true);
    await lab.expect('cancelled', run.id);
    await isPowerless(lab, run);
  },

  'records one of two ends that name the same attempt': async (lab) => {
    const run = await lab.take(await lab.queue(work()));
    const ends = [completed(1), completed(2)].map((outcome) => ({ ...keyOf(run), outcome }));
    deepEqual(await lab.store.settle(ends), [true, false]);
    deepEqual(await lab.outcome(run.id), ['completed', 1]);
  },

  'handles each item, whatever the others are': async (lab) => {
    const [a, b, c, d] = await lab.queueAll(work(), work(), work(), work());
    const runs = await lab.claim();
    const stale = { id: b, token: 'stale' };
    const key = (id: string): ReturnType<typeof keyOf> => keyOf(runs.find((run) => run.id === id) ?? stale);
    const ends = [
      { ...stale, outcome: failed() },
      { id: 'f'.repeat(24), token: 'x', outcome: failed() },
      { ...key(a), outcome: failed() },
    ];
    deepEqual(await lab.store.settle(ends), [false, false, true]);
    const again = await lab.store.reschedule([stale, key(c)].map((one) => ({ ...one, delayMs: 0 })));
    deepEqual(again.map((result) => (typeof result === 'object' ? result.number : result)), ['refused', 2]); // biome-ignore format: one line says it
    await lab.store.release([stale, { id: 'f'.repeat(24), token: 'x' }, key(d)].map((one) => ({ ...one, hasBegun: false })));
    deepEqual(await lab.statuses(a, b, c, d), ['failed', 'active', 'active', 'pending']);
  },

  'answers apart what runs again at once, what waits for it, and what it refuses': async (lab) => {
    const [now, later, paused, cancelled] = await lab.queueAll(work(), work(), work({}, 'paused'), work());
    const [first, second, third, fourth] = [await lab.take(now), await lab.take(later), await lab.take(paused), await lab.take(cancelled)];
    await lab.store.controls.pause({ taskNames: ['paused'] }, true);
    await lab.cancel([cancelled]);
    const requests = [first, second, third, fourth].map((run) => ({ ...keyOf(run), delayMs: run.id === later ? 1_000 : 0 }));
    const again = await lab.store.reschedule(requests);
    deepEqual(again.map((result) => (typeof result === 'object' ? 'at once' : result)), ['at once', 'later', 'later', 'refused']); // biome-ignore format: one line says it
    deepEqual(await lab.store.reschedule(requests), ['refused', 'refused', 'refused', 'refused']);
    deepEqual(await lab.statuses(now, later, paused, cancelled), ['active', 'scheduled', 'pending', 'cancelled']);
  },

  'never uses a token again': async (lab) => {
    const run = await lab.take(await lab.queue(work()));
    const tokens = new Set([run.token]);
    for (let key = keyOf(run), round = 0; round < 5; round++) {
      key = { ...key, token: (await lab.rerun(key)).token };
      tokens.add(key.token);
      await lab.release(key, false);
      key = keyOf(await lab.take(run.id));
      tokens.add(key.token);
    }
    equal(tokens.size, 11);
    notEqual([...tokens].at(0), '');
  },
});

/** Tries everything that an attempt may do, and finds every job as it was. */
export async function isPowerless(lab: StoreLab, run: Run): Promise<void> {
  const key = keyOf(run);
  const before = await lab.store.find({});
  deepEqual(await lab.store.settle([{ ...key, outcome: failed('stale') }]), [false], 'a stale attempt settles nothing');
  deepEqual(await lab.store.settle([{ ...key, outcome: { status: 'follows', job: run.id } }]), [false]);
  await lab.store.report([{ ...key, progress: 99, annotations: { stale: Payload.of(true, 'stale') } }]);
  for (const delayMs of [0, 1_000]) equal(await lab.again(key, delayMs), 'refused');
  for (const hasBegun of [true, false]) await lab.release(key, hasBegun);
  deepEqual(await lab.store.find({}), before, 'a stale attempt changes nothing');
}
