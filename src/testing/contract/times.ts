/** Contract cases for time: when jobs are due, and when they are too late. */

import { deepEqual, equal } from 'node:assert/strict';
import { both, onSuccess, parallel, serial, summary, work } from './plans.js';
import { cases } from './store-case.js';
import { keyOf, readable } from './store-lab.js';

const ONE = { default: 1 } as const;

export const times = cases('times', {
  'hands out a delayed job when its time has come': async (lab) => {
    const id = await lab.queue(work({ delayMs: 3_000 }));
    deepEqual((await lab.state(id)).dueAt, lab.in(3_000));
    await lab.later(2_999);
    deepEqual(await lab.claim(), []);
    await lab.later(1);
    deepEqual(await lab.claimIds(), [id]);
  },

  'hands out a job with a date when that has come, and at once where it is past': async (lab) => {
    const [later, now] = await lab.queueAll(work({ beginAfter: lab.in(2_000) }), work({ beginAfter: lab.in(-2_000) }));
    deepEqual(await lab.claimIds(), [now]);
    await lab.later(2_000);
    deepEqual(await lab.claimIds(), [later]);
  },

  'hands out due jobs in the order of their times': async (lab) => {
    const [c, a, b] = await lab.queueAll(work({ delayMs: 9_000 }), work({ delayMs: 3_000 }, 'other'), work({ delayMs: 6_000 }));
    await lab.later(9_000);
    deepEqual(await lab.claimIds(), [a, b, c]);
  },

  'hands out due jobs of one time in the order of their insertion': async (lab) => {
    const ids = await lab.queueAll(work({ delayMs: 2_000 }), work({ beginAfter: lab.in(2_000) }, 'other'), work({ delayMs: 2_000 }));
    await lab.later(2_000);
    deepEqual(await lab.claimIds(), ids);
  },

  'hands out a due job before those queued a second after its time': async (lab) => {
    const due = await lab.queue(work({ delayMs: 1_000 }));
    await lab.advance(2_000);
    const later = await lab.queue(work({}, 'other'));
    await lab.recover();
    deepEqual(await lab.claimIds(), [due, later]);
  },

  'hands out many jobs that come due at once in the order of their times, before those queued a second later': async (lab) => {
    const delays = Array.from({ length: 620 }, (_, place) => 1_000 + ((place * 7) % 620));
    const ids = await lab.queueAll(...delays.map((delayMs) => work({ delayMs })));
    await lab.advance(5_000);
    const last = await lab.queue(work());
    for (let nextAt = await lab.recover(); nextAt !== undefined; nextAt = await lab.recover());
    const inOrder = ids.toSorted((one, other) => (delays[ids.indexOf(one)] ?? 0) - (delays[ids.indexOf(other)] ?? 0));
    const claimed = await lab.claimIds({ limit: 1_000 });
    deepEqual(claimed, [...inOrder, last]);
  },

  'says when something will be due next': async (lab) => {
    equal(await lab.recover(), undefined);
    const [first, second, third] = [lab.in(2_000), lab.in(4_000), lab.in(6_000)];
    await lab.queueAll(work({ beginAfter: third }), work({ beginBy: second }), work({ beginAfter: first }));
    deepEqual(await lab.recover(), first);
    await lab.advance(2_000);
    deepEqual(await lab.recover(), second);
    await lab.advance(2_000);
    deepEqual(await lab.recover(), third);
    await lab.advance(2_000);
    equal(await lab.recover(), undefined);
  },

  'counts the delay of a step from the end of the one before': async (lab) => {
    const batch = await lab.queue(serial([work({}, 'first'), work({ delayMs: 2_000 }, 'second')]));
    const run = await lab.takeNext();
    await lab.advance(5_000);
    await lab.complete(run);
    const second = await lab.child(batch, 'second');
    deepEqual([(await lab.state(second)).status, (await lab.state(second)).dueAt], ['scheduled', lab.in(2_000)]);
    await lab.later(2_000);
    await lab.take(second);
  },

  'counts the delay of a callback from the end of its job': async (lab) => {
    const id = await lab.queue(work());
    const callback = await lab.addCallback(id, onSuccess({ delayMs: 2_000 }));
    await lab.advance(3_000);
    await lab.complete(await lab.take(id));
    await lab.expect('scheduled', callback);
    await lab.later(2_000);
    await lab.take(callback);
  },

  'expires a pending job that was not started in time': async (lab) => {
    const id = await lab.queue(work({ beginBy: lab.in(2_000) }));
    await lab.later(2_001);
    equal(await lab.errorName(id), 'ExpiredError');
    deepEqual(await lab.claim(), []);
  },

  'expires many at once, each with an error of its own, and reports each once': async (lab) => {
    const [outcomes, failures] = [await lab.watch({ outcomes: 'here' }), await lab.watch({ failures: 'here' })];
    const plans = Array.from({ length: 260 }, (_, place) => work({ beginBy: lab.in(1_000 + place) }, `task${place % 7}`));
    const ids = await lab.queueAll(...plans, work({ delayMs: 5_000, beginBy: lab.in(2_000) }), work({ beginBy: lab.in(60_000) }));
    const [begun] = await lab.claim({ limit: 1 });
    await lab.advance(10_000);
    for (let nextAt = await lab.recover(); nextAt !== undefined && nextAt <= lab.in(0); nextAt = await lab.recover());
    const late = ids.slice(0, -1).filter((id) => id !== begun?.id);
    const found = await lab.store.find({ ids: late });
    equal(found.length, late.length);
    for (const { job, state } of found) {
      const message = `job ${job.id} (${job.taskName}) was not started by ${job.beginBy?.toISOString()}, its \`beginBy\``;
      deepEqual(state.outcome && readable(state.outcome), ['failed', message]);
    }
    for (const { records } of [outcomes, failures]) deepEqual(records.map(({ job }) => job.id).toSorted(), late.toSorted());
    await lab.expect('pending', ids.at(-1) ?? '');
    deepEqual(await lab.recover(), lab.in(50_000));
  },

  'handles due jobs once, though several dispatchers look at once': async (lab) => {
    const outcomes = await lab.watch({ outcomes: 'here' });
    const due = await lab.queueAll(...Array.from({ length: 40 }, (_, place) => work({ delayMs: 1_000 + place })));
    const late = await lab.queueAll(...Array.from({ length: 40 }, (_, place) => work({ beginBy: lab.in(1_000 + place) }, 'late')));
    await lab.advance(2_000);
    await lab.together(...['a', 'b', 'a'].map((by) => lab.store.recover(by)));
    await lab.recover();
    deepEqual(outcomes.records.map(({ job }) => job.id).toSorted(), late.toSorted());
    deepEqual(await lab.claimIds(), due);
  },

  'expires many steps at once, and ends their batch': async (lab) => {
    const steps = Array.from({ length: 30 }, () => work({ beginBy: lab.in(2_000) }, 'step'));
    const batch = await lab.queue(parallel(steps, { callbacks: [both()] }));
    await lab.claim({ tasks: [] });
    const [begun] = await lab.claim({ limit: 1 });
    await lab.later(2_001);
    await lab.expect('active', batch);
    if (begun === undefined) throw new Error('a step is claimed');
    await lab.complete(begun);
    deepEqual(await lab.drain(), ['after']);
    await lab.expect('completed', batch);
  },

  'notifies watchers of a job that it has come due, and that it expired': async (lab) => {
    const [due, late] = await lab.queueAll(work({ delayMs: 1_000 }), work({ beginBy: lab.in(1_000) }));
    const [ofDue, ofLate] = [await lab.watch({ job: due }), await lab.watch({ job: late })];
    await lab.later(1_001);
    await lab.settled();
    deepEqual([...new Set(ofDue.records.map(({ state }) => state.status))], ['scheduled', 'pending']);
    deepEqual([...new Set(ofLate.records.map(({ state }) => state.status))], ['pending', 'failed']);
  },

  'hands out no job whose time is over, even before it was looked for': async (lab) => {
    await lab.queueAll(work({ beginBy: lab.in(2_000) }), parallel([work()], { beginBy: lab.in(2_000) }));
    await lab.advance(2_001);
    deepEqual(await lab.claim(), []);
  },

  'runs a job that was claimed in time': async (lab) => {
    const id = await lab.queue(work({ beginBy: lab.in(2_000) }));
    await lab.advance(1_999);
    const run = await lab.take(id);
    await lab.later(10_000);
    equal(await lab.complete(run, 1), true);
  },

  'expires a scheduled job that was not started in time': async (lab) => {
    const id = await lab.queue(work({ delayMs: 5_000, beginBy: lab.in(2_000) }));
    await lab.later(2_001);
    equal(await lab.errorName(id), 'ExpiredError');
  },

  'expires a blocked step, and goes on with the next': async (lab) => {
    const batch = await lab.queue(serial([work({}, 'first'), work({ beginBy: lab.in(2_000) }, 'second'), work({}, 'third')]));
    const run = await lab.takeNext();
    await lab.later(2_001);
    equal(await lab.errorName(await lab.child(batch, 'second')), 'ExpiredError');
    await lab.complete(run);
    deepEqual(await lab.drain(), ['third']);
    await lab.expect('completed', batch);
  },

  'expires a callback that waits for its job, whose end it does not hold up': async (lab) => {
    const id = await lab.queue(work());
    const callback = await lab.addCallback(id, both({ beginBy: lab.in(2_000) }));
    const run = await lab.take(id);
    await lab.later(2_001);
    equal(await lab.errorName(callback), 'ExpiredError');
    await lab.complete(run);
    await lab.expect('completed', id);
  },

  'expires a job behind a full quota': async (lab) => {
    const [, late] = await lab.queueAll(work({ places: ONE }), work({ places: ONE, beginBy: lab.in(2_000) }));
    await lab.claim();
    await lab.later(2_001);
    equal(await lab.errorName(late), 'ExpiredError');
  },

  'expires a job whose task nobody accepts': async (lab) => {
    const id = await lab.queue(work({ beginBy: lab.in(2_000) }, 'unknown'));
    await lab.claim({ tasks: [] });
    await lab.later(2_001);
    equal(await lab.errorName(id), 'ExpiredError');
  },

  'expires a batch that was not opened in time, with everything below it': async (lab) => {
    const plan = serial([work({}, 'first'), parallel([work()])], { places: ONE, beginBy: lab.in(2_000), postprocess: summary() });
    await lab.queue(work({ places: ONE }));
    await lab.claim();
    const batch = await lab.queue(plan);
    await lab.later(2_001);
    equal(await lab.errorName(batch), 'ExpiredError');
    const below = await lab.children(batch);
    await lab.expect('cancelled', ...below);
    equal(below.length, 3);
  },

  'lets a batch that was not opened in time end only when the callbacks of its steps have ended': async (lab) => {
    const batch = await lab.queue(serial([parallel([work({ callbacks: [both()] })])], { beginBy: lab.in(2_000) }));
    await lab.later(2_001);
    await lab.expect('callbacks', batch);
    equal(await lab.errorName(batch), 'ExpiredError');
    deepEqual(await lab.drain(), ['after']);
    await lab.expect('failed', batch);
  },

  'runs the callbacks of a job that expired': async (lab) => {
    const id = await lab.queue(work({ beginBy: lab.in(2_000), callbacks: [{ failure: work({ input: 'error' }, 'alarm') }] }));
    await lab.later(2_001);
    await lab.expect('callbacks', id);
    deepEqual(await lab.drain(), ['alarm']);
    await lab.expect('failed', id);
  },

  'expires no job that has begun, however late it runs again': async (lab) => {
    const late = { beginBy: lab.in(2_000) } as const;
    const [a, b, c] = await lab.queueAll(work(late), work(late), work({ ...late, interruptions: { limit: 3, delayMs: 5_000 } }));
    const [first, second, third] = await lab.claim();
    if (first === undefined || second === undefined || third === undefined) throw new Error('all three are claimed');
    await lab.store.reschedule([{ ...keyOf(first), delayMs: 5_000 }]);
    await lab.release(second, true);
    await lab.release(third, true);
    await lab.later(5_000);
    deepEqual([...(await lab.claimIds())].sort(), [a, b, c]);
  },

  'expires no batch that was opened in time': async (lab) => {
    const batch = await lab.queue(serial([work()], { beginBy: lab.in(2_000) }));
    const run = await lab.takeNext();
    await lab.later(5_000);
    await lab.complete(run);
    await lab.expect('completed', batch);
  },

  'expires a job that was handed back when its time was over': async (lab) => {
    const id = await lab.queue(work({ beginBy: lab.in(2_000) }));
    const run = await lab.take(id);
    await lab.later(3_000);
    await lab.release(run, false);
    await lab.later(1_000);
    equal(await lab.errorName(id), 'ExpiredError');
  },
});
