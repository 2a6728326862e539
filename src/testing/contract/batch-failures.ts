/** Contract cases for batches with failed or cancelled steps: which steps still run, and how the batch ends. */

import { deepEqual, equal } from 'node:assert/strict';
import type { OnFailure } from '../../job/job-record.js';
import { onError, parallel, serial, steps, summary, work } from './plans.js';
import { cases } from './store-case.js';
import { completed, failed, keyOf } from './store-lab.js';

const NAMES = ['one', 'two', 'three'] as const;
const KINDS = [serial, parallel] as const;

export const batchFailures = cases('failures in batches', {
  'runs every step and completes, whichever step fails': async (lab) => {
    for (const kind of KINDS)
      for (const name of NAMES) {
        const batch = await lab.queue(kind(steps(...NAMES)));
        deepEqual(await lab.drain({ failing: [name] }), NAMES);
        await lab.expect('completed', batch);
        await lab.expect('failed', await lab.child(batch, name));
      }
  },

  'fails where the steps end together, and not the first of them fails': async (lab) => {
    const batch = await lab.queue(parallel(steps('one', 'two'), { onFailure: 'fail' }));
    const [one, two] = await lab.takeTasks('one', 'two');
    await lab.store.settle([
      { ...keyOf(one), outcome: completed() },
      { ...keyOf(two), outcome: failed() },
    ]);
    await lab.settled();
    await lab.expect('failed', batch);
  },

  'completes where all steps failed': async (lab) => {
    const batches = await lab.queueAll(serial(steps(...NAMES)), parallel(steps(...NAMES)));
    await lab.drain({ failing: NAMES });
    await lab.expect('completed', ...batches);
  },

  'cancels the steps that wait after a failure where it is to stop, and completes': async (lab) => {
    for (const kind of KINDS)
      for (const [index, name] of NAMES.entries()) {
        const batch = await lab.queue(kind(steps(...NAMES), { onFailure: 'stop' }));
        deepEqual(await lab.drain({ failing: [name] }), NAMES.slice(0, index + 1));
        await lab.expect('completed', batch);
        const expected = NAMES.map((_, at) => (at < index ? 'completed' : at === index ? 'failed' : 'cancelled'));
        deepEqual(await lab.statuses(...(await lab.children(batch))), expected);
        const [, result] = (await lab.outcome(batch)) ?? [];
        equal((result as readonly unknown[]).length, 3);
      }
  },

  'asks running steps to stop, and waits for them': async (lab) => {
    const batch = await lab.queue(parallel(steps(...NAMES), { onFailure: 'stop' }));
    const [one, two, three] = await lab.takeTasks(...NAMES);
    const told = await lab.watch({ cancelsOf: 'a' });
    await lab.fail(two);
    const ids = new Set(told.seen.map((change) => change.type === 'cancel' && change.id));
    deepEqual(ids, new Set([one.id, three.id]));
    await lab.settle(one, { status: 'cancelled', reason: undefined });
    await lab.expect('active', batch, three.id);
    await lab.complete(three, 'ready all the same');
    await lab.expect('completed', batch, three.id);
  },

  'runs every step and fails where it is to fail, whichever step fails': async (lab) => {
    for (const kind of KINDS)
      for (const name of NAMES) {
        const batch = await lab.queue(kind(steps(...NAMES), { onFailure: 'fail' }));
        deepEqual(await lab.drain({ failing: [name] }), NAMES);
        await lab.expect('failed', batch);
        const { outcome } = await lab.state(batch);
        if (outcome?.status !== 'failed') throw new Error('the batch has failed');
        deepEqual([outcome.error.name, outcome.error.code], ['BatchFailedError', 'MILLRACE_BATCH_FAILED']);
        equal(outcome.error.cause?.message, 'broken');
      }
  },

  'runs the postprocess after a failure, and takes its outcome over, unless it is to fail': async (lab) => {
    const expected: Readonly<Record<OnFailure, readonly string[]>> = {
      continue: ['one', 'two', 'summary'],
      stop: ['one', 'summary'],
      fail: ['one', 'two'],
    };
    for (const onFailure of ['continue', 'stop', 'fail'] as const) {
      const batch = await lab.queue(serial(steps('one', 'two'), { onFailure, postprocess: summary() }));
      deepEqual(await lab.drain({ failing: ['one'] }), expected[onFailure]);
      await lab.expect(onFailure === 'fail' ? 'failed' : 'completed', batch);
      await lab.expect(onFailure === 'fail' ? 'cancelled' : 'completed', await lab.child(batch, 'summary'));
    }
  },

  'fails with its postprocess, though no step failed': async (lab) => {
    const batch = await lab.queue(serial(steps('one'), { postprocess: summary() }));
    await lab.drain({ failing: ['summary'] });
    deepEqual(await lab.outcome(batch), ['failed', 'broken']);
  },

  'runs its failure callback only where it fails itself': async (lab) => {
    for (const onFailure of ['continue', 'fail'] as const) {
      await lab.queue(parallel(steps('one'), { onFailure, callbacks: [onError()] }));
      deepEqual(await lab.drain({ failing: ['one'] }), onFailure === 'fail' ? ['one', 'failure'] : ['one']);
    }
  },

  'takes a batch that fails for a failed step': async (lab) => {
    const inner = serial(steps('one'), { onFailure: 'fail' });
    const [stops, fails] = await lab.queueAll(
      serial([inner, work({}, 'two')], { onFailure: 'stop' }),
      parallel([inner, work({}, 'three')], { onFailure: 'fail' }),
    );
    deepEqual(new Set(await lab.drain({ failing: ['one'] })), new Set(['one', 'three']));
    deepEqual(await lab.statuses(stops, fails, await lab.child(stops, 'two')), ['completed', 'failed', 'cancelled']);
  },

  'takes a batch that completes with failed steps for a step that went well': async (lab) => {
    const batch = await lab.queue(serial([parallel(steps('one')), work({}, 'two')], { onFailure: 'stop' }));
    deepEqual(await lab.drain({ failing: ['one'] }), ['one', 'two']);
    await lab.expect('completed', batch);
  },

  'takes a step that expired or was aborted for a failed one': async (lab) => {
    const late = await lab.queue(serial([work({ beginBy: lab.in(1_000) }, 'late')], { onFailure: 'fail' }));
    await lab.claim({ tasks: [] });
    await lab.later(1_001);
    const lost = await lab.queue(serial([work({ interruptions: { limit: 0, delayMs: 0 } }, 'lost')], { onFailure: 'fail' }));
    await lab.release(await lab.takeNext(), true);
    await lab.expect('failed', late, lost);
  },

  'takes a cancelled step for no failure, in whichever place': async (lab) => {
    for (const onFailure of ['continue', 'stop', 'fail'] as const)
      for (const kind of KINDS)
        for (const name of NAMES) {
          const batch = await lab.queue(kind(steps(...NAMES), { onFailure }));
          await lab.cancel([await lab.child(batch, name)]);
          const others = NAMES.filter((other) => other !== name);
          deepEqual(await lab.drain(), others);
          await lab.expect('completed', batch);
        }
  },

  'completes where all steps were cancelled, one by one': async (lab) => {
    for (const kind of KINDS) {
      const batch = await lab.queue(kind(steps(...NAMES)));
      await lab.claim({ tasks: [] });
      for (const id of await lab.children(batch)) await lab.cancel([id]);
      await lab.expect('completed', batch);
    }
  },

  'completes where all steps were cancelled before it was opened': async (lab) => {
    const batch = await lab.queue(serial(steps(...NAMES)));
    await lab.cancel(await lab.children(batch));
    await lab.expect('pending', batch);
    deepEqual(await lab.claim(), []);
    await lab.expect('completed', batch);
  },

  'ends as its last two steps say that fail and complete in one call': async (lab) => {
    const batch = await lab.queue(parallel(steps('one', 'two'), { onFailure: 'fail' }));
    const [one, two] = await lab.takeTasks('one', 'two');
    await lab.together(lab.fail(one), lab.complete(two));
    await lab.expect('failed', batch);
  },

  'stops once when two steps fail in one turn': async (lab) => {
    const batch = await lab.queue(parallel([...steps('one', 'two'), work({ delayMs: 1_000 }, 'three')], { onFailure: 'stop' }));
    const [one, two] = await lab.takeTasks('one', 'two');
    await lab.together(lab.fail(one), lab.fail(two));
    await lab.expect('cancelled', await lab.child(batch, 'three'));
    await lab.expect('completed', batch);
  },
});
