/** The store contract for how much a job stores: values that do not fit are refused by name, and the job ends in every case. */

import { deepEqual, equal, match, rejects } from 'node:assert/strict';
import { TooLargeError } from '../../errors.js';
import { MAX_JOB_BYTES } from '../../job/job-size.js';
import { Payload } from '../../job/payload.js';
import { both, onSuccess, work } from './plans.js';
import { cases } from './store-case.js';
import { completed, keyOf, type Run, type StoreLab } from './store-lab.js';

const MEGABYTE = 1024 * 1024;

export const sizes = cases('what a job stores', {
  'fails a job whose result does not fit beside its arguments, progress and annotations': async (lab) => {
    const id = await lab.queue(work());
    const run = await lab.take(id);
    await fill(lab, run);
    equal(await lab.settle(run, megabyte()), true);
    const { status, outcome, annotations = {} } = await lab.state(id);
    equal(status, 'failed');
    deepEqual(outcome?.status === 'failed' && outcome.error.code, 'MILLRACE_TOO_LARGE');
    match(outcome?.status === 'failed' ? outcome.error.message : '', new RegExp(`${id}.* takes 10\\d{5} bytes.*${MAX_JOB_BYTES}`));
    equal(Object.keys(annotations).length, 13);
  },

  'fails it alone, and records the ends beside it': async (lab) => {
    const ids = await lab.queueAll(work(), work(), work());
    const runs = [await lab.take(ids[0] ?? ''), await lab.take(ids[1] ?? ''), await lab.take(ids[2] ?? '')];
    await fill(lab, runs[1] as Run);
    deepEqual(await lab.store.settle(runs.map((run) => ({ ...keyOf(run), outcome: megabyte() }))), [true, true, true]);
    const states = await Promise.all(ids.map((id) => lab.state(id)));
    deepEqual(states.map(({ status }) => status), ['completed', 'failed', 'completed']); // biome-ignore format: one line says it
  },

  'lets a job that is full fail with an error, be tried again, and complete with a result that fits': async (lab) => {
    const id = await lab.queue(work());
    const run = await lab.take(id);
    await fill(lab, run);
    await lab.store.reschedule([{ ...keyOf(run), delayMs: 1_000, error: { name: 'Error', message: 'm'.repeat(10_000) } }]);
    await lab.later(1_000);
    await lab.complete(await lab.take(id), 42);
    deepEqual(await lab.outcome(id), ['completed', 42]);
  },

  'hands a job out with how much of it earlier attempts have reported': async (lab) => {
    const id = await lab.queue(work());
    const run = await lab.take(id);
    equal(run.reported, undefined);
    await lab.store.report([{ ...keyOf(run), progress: 1, annotations: { 'a.b': Payload.of('x'.repeat(1_000), 'a.b') } }]);
    await lab.store.reschedule([{ ...keyOf(run), delayMs: 1_000 }]);
    await lab.later(1_000);
    const { reported = new Map() } = await lab.take(id);
    deepEqual([...reported.keys()].sort(), ['annotations.a.b', 'progress']);
    equal(Math.round(reported.get('annotations.a.b') / 100), 10);
  },

  'fails a job that takes over a result which does not fit': async (lab) => {
    const [id, inner] = await lab.queueAll(work({}, 'outer'), work({}, 'inner'));
    const [outer, run] = await lab.takeTasks('outer', 'inner');
    await fill(lab, outer);
    await lab.follow(outer, inner);
    await lab.settle(run, megabyte());
    const { outcome } = await lab.state(id);
    deepEqual(outcome?.status === 'failed' && outcome.error.code, 'MILLRACE_TOO_LARGE');
    await lab.expect('failed', id);
  },

  'goes on with the callbacks of a job whose result did not fit': async (lab) => {
    const id = await lab.queue(work({ callbacks: [both(), onSuccess()] }));
    const run = await lab.take(id);
    await fill(lab, run);
    await lab.settle(run, megabyte());
    deepEqual(await lab.drain(), ['after']);
    await lab.expect('failed', id);
  },

  'refuses in a transaction a result that does not fit': async (lab) => {
    const id = await lab.queue(work());
    const run = await lab.take(id);
    await fill(lab, run);
    const transaction = lab.store.transactions.run(
      async (session) => {
        await lab.store.settle([{ ...keyOf(run), outcome: megabyte() }], session);
      },
      { isRunOnce: true },
    );
    await rejects(transaction, TooLargeError);
    await lab.expect('active', id);
    await lab.complete(run, 42);
    await lab.expect('completed', id);
  },

  'takes many results of a megabyte at once': async (lab) => {
    const ids = await lab.queueAll(...Array.from({ length: 20 }, () => work({}, 'many')));
    const runs = await lab.claim();
    equal(runs.length, ids.length);
    deepEqual(new Set(await lab.store.settle(runs.map((run) => ({ ...keyOf(run), outcome: megabyte() })))), new Set([true]));
    await lab.expect('completed', ...ids);
  },
});

function megabyte(): ReturnType<typeof completed> {
  return completed('x'.repeat(MEGABYTE));
}

/** Has an attempt annotate its job with so much that less than a megabyte more fits in. */
async function fill(lab: StoreLab, run: Run): Promise<void> {
  for (let part = 0; part < 13; part++)
    await lab.store.report([{ ...keyOf(run), annotations: { [`part ${part}`]: Payload.of('x'.repeat(MEGABYTE), 'part') } }]);
}
