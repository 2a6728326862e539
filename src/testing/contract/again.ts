/** Contract cases for jobs that run again: rescheduled, handed back or interrupted. */

import { deepEqual, equal, notEqual } from 'node:assert/strict';
import { both, work } from './plans.js';
import { cases } from './store-case.js';
import { keyOf } from './store-lab.js';

const ONE = { default: 1 } as const;
const ERROR = { name: 'Error', message: 'busy' } as const;

export const again = cases('running again', {
  'gives another attempt at once with a new token and the same places': async (lab) => {
    const [a, b] = await lab.queueAll(work({ places: ONE }), work({ places: ONE }));
    const run = await lab.take(a);
    const { token, number, failures } = await lab.rerun(run, { error: ERROR });
    notEqual(token, run.token);
    deepEqual([number, failures], [2, 1]);
    deepEqual(await lab.claim(), []);
    equal(await lab.complete({ id: a, token }), true);
    await lab.take(b);
  },

  'counts a failure only where there was an error': async (lab) => {
    const id = await lab.queue(work());
    let { token } = await lab.take(id);
    for (const error of [ERROR, undefined, ERROR]) {
      ({ token } = await lab.rerun({ id, token }, error === undefined ? {} : { error }));
    }
    const { status, attempts, failures, interruptions, lastError } = await lab.state(id);
    deepEqual([status, attempts, failures, interruptions, lastError], ['active', 4, 2, 0, ERROR]);
  },

  'replaces the seal of a job that runs again, where it is given another': async (lab) => {
    const id = await lab.queue(work());
    const seals = ['at once', 'later', 'later'].map((mac, index) => ({ key: 'k1', expiresAt: lab.in(index), mac }));
    const [first, second, third] = seals;
    let { token } = await lab.take(id);
    for (const seal of [first, second]) {
      const given = seal === undefined ? {} : { seal };
      ({ token } = await lab.rerun({ id, token }, given));
      deepEqual((await lab.record(id)).job.seal, seal);
    }
    await lab.store.reschedule([{ id, token, delayMs: 1_000, ...(third === undefined ? {} : { seal: third }) }]);
    await lab.later(1_000);
    const run = await lab.take(id);
    deepEqual(run.job.seal, third);
    await lab.store.reschedule([{ ...keyOf(run), delayMs: 0 }]);
    deepEqual((await lab.record(id)).job.seal, third);
  },

  'gives the places up of a job that is put off': async (lab) => {
    const [a, b] = await lab.queueAll(work({ places: ONE }), work({ places: ONE }));
    const run = await lab.take(a);
    equal(await lab.again(run, 2_000, { error: ERROR }), 'later');
    const { status, dueAt, owner } = await lab.state(a);
    deepEqual([status, dueAt, owner], ['scheduled', lab.in(2_000), undefined]);
    await lab.complete(await lab.take(b));
    deepEqual(await lab.claim(), []);
    await lab.later(2_000);
    deepEqual((await lab.take(a)).attempt.number, 2);
  },

  'gives a later attempt the number of failures': async (lab) => {
    const id = await lab.queue(work());
    await lab.store.reschedule([{ ...keyOf(await lab.take(id)), delayMs: 1_000, error: ERROR }]);
    await lab.later(1_000);
    const { attempt } = await lab.take(id);
    deepEqual([attempt.number, attempt.failures], [2, 1]);
  },

  'cancels a job instead of another attempt where that was asked for': async (lab) => {
    for (const delayMs of [0, 1_000]) {
      const id = await lab.queue(work({ places: ONE }));
      const run = await lab.take(id);
      await lab.cancel([id], 'enough');
      equal(await lab.again(run, delayMs, { error: ERROR }), 'refused');
      deepEqual(await lab.outcome(id), ['cancelled', 'enough']);
    }
  },

  'puts a job that had not begun back in its place, as if never claimed': async (lab) => {
    const [a, b, c] = await lab.queueAll(work({ places: ONE }), work({ places: ONE }), work());
    const before = await lab.state(a);
    const run = await lab.take(a);
    await lab.release(run, false);
    deepEqual(await lab.state(a), before);
    deepEqual(await lab.claimIds(), [a, c]);
    await lab.expect('pending', b);
  },

  'gives a handed back job its attempt number once more': async (lab) => {
    const id = await lab.queue(work());
    equal(await lab.again(await lab.take(id), 1_000), 'later');
    await lab.later(1_000);
    const run = await lab.take(id);
    await lab.release(run, false);
    equal((await lab.state(id)).attempts, 1);
    equal((await lab.take(id)).attempt.number, run.attempt.number);
  },

  'returns an interrupted job to the front of its queue': async (lab) => {
    const [a] = await lab.queueAll(work(), work({}, 'other'), work());
    await lab.release(await lab.take(a), true);
    const { status, interruptions, failures, owner } = await lab.state(a);
    deepEqual([status, interruptions, failures, owner], ['pending', 1, 0, undefined]);
    equal((await lab.take(a, 'b')).attempt.number, 2);
  },

  'keeps the place of an interrupted job in a quota of 1': async (lab) => {
    const [a] = await lab.queueAll(work({ places: ONE }), work({ places: ONE, priority: -1 }, 'urgent'));
    const [urgent, first] = [await lab.takeNext(), a];
    await lab.complete(urgent);
    await lab.release(await lab.take(first), true);
    const [hasty] = await lab.queueAll(work({ places: ONE, priority: -2 }, 'urgent'));
    deepEqual(await lab.claimIds({ tasks: ['urgent'] }), []);
    const run = await lab.take(first, 'b');
    deepEqual(await lab.claimIds(), []);
    await lab.complete(run);
    await lab.take(hasty);
  },

  'keeps the place of an interrupted job that was claimed again and handed back': async (lab) => {
    const id = await lab.queue(work({ places: ONE }));
    await lab.release(await lab.take(id), true);
    const { startedAt: _before, ...before } = await lab.state(id);
    await lab.release(await lab.take(id, 'b'), false);
    const { startedAt: _after, ...after } = await lab.state(id);
    deepEqual(after, before);
    await lab.queue(work({ places: ONE, priority: -1 }, 'urgent'));
    deepEqual(await lab.claimIds(), [id]);
  },

  'gives the place of an interrupted job up once it has ended': async (lab) => {
    const [a, b] = await lab.queueAll(work({ places: ONE }), work({ places: ONE }));
    await lab.release(await lab.take(a), true);
    await lab.cancel([a]);
    await lab.take(b);
  },

  'gives the place up where an interruption is followed by a delay': async (lab) => {
    const [a, b] = await lab.queueAll(work({ places: ONE, interruptions: { limit: 3, delayMs: 4_000 } }), work({ places: ONE }));
    await lab.release(await lab.take(a), true);
    const { status, dueAt, interruptions } = await lab.state(a);
    deepEqual([status, dueAt, interruptions], ['scheduled', lab.in(4_000), 1]);
    await lab.complete(await lab.take(b));
    await lab.later(4_000);
    await lab.take(a);
  },

  'aborts a job that was interrupted more often than it may be': async (lab) => {
    const id = await lab.queue(work({ places: ONE, interruptions: { limit: 2, delayMs: 0 }, callbacks: [both()] }));
    for (let round = 0; round < 3; round++) await lab.release(await lab.take(id), true);
    const { status, interruptions, attempts, outcome } = await lab.state(id);
    deepEqual([status, attempts], ['callbacks', 3]);
    deepEqual(outcome?.status === 'failed' && [outcome.error.name, outcome.error.code], ['AbortedError', 'MILLRACE_ABORTED']);
    equal(interruptions <= 3, true);
    deepEqual(await lab.drain(), ['after']);
    await lab.take(await lab.queue(work({ places: ONE })));
  },

  'aborts at the first interruption a job that may not be interrupted': async (lab) => {
    const id = await lab.queue(work({ interruptions: { limit: 0, delayMs: 0 } }));
    await lab.release(await lab.take(id), true);
    equal(await lab.errorName(id), 'AbortedError');
  },

  'does not count a job handed back as interrupted': async (lab) => {
    const id = await lab.queue(work({ interruptions: { limit: 0, delayMs: 0 } }));
    for (let round = 0; round < 3; round++) await lab.release(await lab.take(id), false);
    equal((await lab.state(id)).interruptions, 0);
    await lab.expect('pending', id);
  },
});
