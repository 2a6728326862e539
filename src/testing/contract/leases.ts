/** Contract cases for leases: a dispatcher with a lease may claim, and one that is declared dead has lost all its jobs. */

import { deepEqual, equal } from 'node:assert/strict';
import { work } from './plans.js';
import { cases } from './store-case.js';
import { LEASE_MS, type StoreLab } from './store-lab.js';

export const leases = cases('leases', {
  'hands out nothing to a dispatcher without a lease': async (lab) => {
    const id = await lab.queue(work());
    deepEqual(await lab.claim({ by: 'stranger' }), []);
    await lab.expect('pending', id);
    await lab.keepAlive('stranger');
    await lab.take(id, 'stranger');
  },

  'renews a lease from the heartbeat on': async (lab) => {
    const [first, second] = await lab.queueAll(work(), work());
    lab.silence('a');
    await lab.advance(LEASE_MS - 1_000);
    equal(await lab.store.heartbeat('a', LEASE_MS), true);
    await lab.advance(LEASE_MS - 1_000);
    await lab.take(first, 'a');
    await lab.advance(2_000);
    deepEqual(await lab.claim({ by: 'a' }), []);
    await lab.take(second, 'b');
  },

  'gives a lease of the length that is asked for': async (lab) => {
    await lab.queue(work());
    await lab.store.heartbeat('short', 5_000);
    await lab.advance(6_000);
    deepEqual(await lab.claim({ by: 'short' }), []);
    await lab.store.heartbeat('short', 5_000);
    equal((await lab.claim({ by: 'short' })).length, 1);
  },

  'gives an expired lease back to a dispatcher that renews it before others take over': async (lab) => {
    const [running, waiting] = await lab.queueAll(work(), work());
    const run = await lab.take(running, 'a');
    lab.silence('a');
    await lab.advance(LEASE_MS + 1_000);
    deepEqual(await lab.claim({ by: 'a' }), []);
    equal(await lab.store.heartbeat('a', LEASE_MS), true);
    await lab.take(waiting, 'a');
    equal(await lab.complete(run), true);
  },

  'records the end of an attempt whose dispatcher has let its lease run out, as long as nobody took over': async (lab) => {
    const run = await lab.take(await lab.queue(work()), 'a');
    lab.silence('a');
    await lab.advance(LEASE_MS + 1_000);
    equal(await lab.complete(run, 42), true);
    deepEqual(await lab.outcome(run.id), ['completed', 42]);
  },

  'leaves its jobs to a dispatcher that renews in time, however often others look': async (lab) => {
    const run = await lab.take(await lab.queue(work()), 'a');
    for (let round = 0; round < 6; round++) await lab.later(LEASE_MS / 2);
    const { status, owner, interruptions } = await lab.state(run.id);
    deepEqual([status, owner, interruptions], ['active', 'a', 0]);
    equal(await lab.complete(run), true);
  },

  'declares nobody dead whose lease still runs': async (lab) => {
    const run = await lab.take(await lab.queue(work()), 'a');
    await lab.advance(LEASE_MS + 1_000);
    lab.silence('a');
    await lab.later(LEASE_MS - 1_000);
    equal((await lab.state(run.id)).owner, 'a');
    equal(await lab.store.heartbeat('a', LEASE_MS), true);
    equal(await lab.complete(run), true);
  },

  'leaves alone the jobs of those who live': async (lab) => {
    const [mine, theirs] = await lab.queueAll(work({}, 'mine'), work({}, 'theirs'));
    await lab.claim({ by: 'a', tasks: ['mine'] });
    const [run] = await lab.claim({ by: 'b', tasks: ['theirs'] });
    await lab.lose('a');
    deepEqual(await lab.statuses(mine, theirs), ['pending', 'active']);
    equal(await lab.complete(run ?? { id: theirs, token: '' }), true);
  },

  'answers `false` to a dispatcher that was declared dead, and gives it nothing more': async (lab) => {
    const id = await lab.queue(work());
    await lab.lose('a');
    for (let round = 0; round < 2; round++) {
      equal(await lab.store.heartbeat('a', LEASE_MS), false);
      deepEqual(await lab.claim({ by: 'a' }), []);
    }
    await lab.take(id, 'b');
  },

  'declares nobody dead who has no lease itself, or has not yet held it for its whole length': async (lab) => {
    const run = await lab.take(await lab.queue(work()), 'a');
    await everybodySleeps(lab);
    await lab.recover('stranger');
    await lab.keepAlive('c');
    await lab.recover('c');
    await lab.advance(LEASE_MS / 2);
    await lab.recover('c');
    equal((await lab.state(run.id)).owner, 'a');
    equal(await lab.store.heartbeat('a', LEASE_MS), true);
    equal(await lab.complete(run), true);
  },

  'declares nobody dead who renewed its own lease too late, after everybody slept': async (lab) => {
    const run = await lab.take(await lab.queue(work()), 'a');
    await everybodySleeps(lab);
    await lab.recover('b');
    await lab.keepAlive('b');
    await lab.recover('b');
    equal((await lab.state(run.id)).owner, 'a');
    equal(await lab.store.heartbeat('a', LEASE_MS), true);
  },

  'declares others dead once its own lease has been held for its whole length': async (lab) => {
    const run = await lab.take(await lab.queue(work()), 'a');
    await everybodySleeps(lab);
    await lab.keepAlive('c');
    await lab.advance(LEASE_MS + 1_000);
    await lab.recover('c');
    await lab.take(run.id, 'c');
    equal(await lab.store.heartbeat('a', LEASE_MS), false);
  },

  'gives a lease up at a heartbeat of 0 ms': async (lab) => {
    const id = await lab.queue(work());
    lab.silence('a');
    await lab.store.heartbeat('a', 0);
    deepEqual(await lab.claim({ by: 'a' }), []);
    await lab.take(id, 'b');
  },

  'lets a lease be given up that was never held': async (lab) => {
    await lab.store.heartbeat('stranger', 0);
    const id = await lab.queue(work());
    deepEqual(await lab.claim({ by: 'stranger' }), []);
    await lab.take(id, 'a');
  },
});

/** Nobody renews for so long that every lease is over. */
async function everybodySleeps(lab: StoreLab): Promise<void> {
  lab.silence('a');
  lab.silence('b');
  await lab.advance(2 * LEASE_MS);
}
