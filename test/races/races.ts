/** The races: the calls of two processes at the same time, and the conditions that must hold in every order of their steps. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { expandStep } from '../../src/job/expand-plan.js';
import type { JobTree } from '../../src/job/job-record.js';
import { FINAL } from '../../src/job/job-status.js';
import { NO_PLACES } from '../../src/job/places.js';
import { copyTree } from '../../src/job/retry-copy.js';
import type { JobStore } from '../../src/store/job-store.js';
import type { AttemptKey, ClaimedJob, ClaimRequest, InsertResult, Settlement } from '../../src/store/store-messages.js';
import { both, onError, onSuccess, parallel, serial, steps, summary, work } from '../../src/testing/contract/plans.js';
import { completed, failed, keyOf } from '../../src/testing/contract/store-lab.js';
import type { Arena } from './arena.js';

const ONE = { places: { default: 1 } } as const;

export const RACES: Readonly<Record<string, (arena: Arena) => Promise<void>>> = {
  'a callback is added as its job ends': async (arena) => {
    const { lab, other, race } = arena;
    const id = await lab.queue(work({ callbacks: [onSuccess()] }));
    const run = await lab.take(id);
    const tree = await lab.plantCallback(id, both());
    const [[isSettled]] = await race(
      () => lab.store.settle([ended(run)]),
      () => other.insert([tree]),
    );
    equal(isSettled, true);
    deepEqual((await finish(arena)).toSorted(), ['after', 'success']);
    await lab.expect('completed', id, tree[0].id);
  },

  'a callback is added as the last of the others ends': async (arena) => {
    const { lab, other, race } = arena;
    const id = await lab.queue(work({ callbacks: [onSuccess()] }));
    await lab.complete(await lab.take(id));
    const last = await lab.takeNext();
    const tree = await lab.plantCallback(id, both());
    await race(
      () => lab.store.settle([ended(last)]),
      () => other.insert([tree]),
    );
    deepEqual(await finish(arena), ['after']);
    await lab.expect('completed', id, tree[0].id);
  },

  'the last two children of a batch end together': async (arena) => {
    const { lab, other, race, random } = arena;
    const postprocess = random() < 0.5 ? { postprocess: summary() } : {};
    const batch = await lab.queue(parallel(steps('one', 'two'), { ...ONE, ...postprocess, callbacks: [both()] }));
    const one = await lab.takeNext();
    const two = await takeOther(arena, 'two');
    await race(
      () => lab.store.settle([ended(one)]),
      () => other.settle([ended(two)]),
    );
    const after = Object.keys(postprocess).length > 0 ? ['summary', 'after'] : ['after'];
    deepEqual(await finish(arena), after);
    await lab.expect('completed', batch);
  },

  'a child fails as another ends, in a batch that stops': async (arena) => {
    const { lab, other, race } = arena;
    const batch = await lab.queue(parallel(steps('one', 'two', 'three'), { onFailure: 'fail', callbacks: [onError()] }));
    const one = await lab.takeNext();
    const two = await takeOther(arena, 'two');
    await race(
      () => lab.store.settle([{ ...keyOf(one), outcome: failed() }]),
      () => other.settle([ended(two)]),
    );
    deepEqual((await finish(arena)).toSorted(), ['failure', 'three']);
    await lab.expect('failed', batch);
  },

  'a job is cancelled as it ends': async (arena) => {
    const { lab, other, race } = arena;
    const id = await lab.queue(work({ ...ONE, callbacks: [onSuccess(), both()] }));
    const run = await lab.take(id);
    const [[isSettled]] = await race(
      () => lab.store.settle([ended(run)]),
      () => other.cancel([id], 'enough'),
    );
    equal(isSettled, true);
    const ran = (await finish(arena)).toSorted();
    const { status } = await lab.state(id);
    ok(status === 'completed' || status === 'cancelled', status);
    deepEqual(ran, status === 'completed' ? ['after', 'success'] : ['after']);
  },

  'a batch is cancelled as its last child ends': async (arena) => {
    const { lab, other, race } = arena;
    const batch = await lab.queue(serial(steps('one'), { ...ONE, postprocess: summary(), callbacks: [both()] }));
    const run = await lab.takeNext();
    await race(
      () => lab.store.settle([ended(run)]),
      () => other.cancel([batch], 'enough'),
    );
    const ran = await finish(arena);
    const { status } = await lab.state(batch);
    ok(status === 'completed' || status === 'cancelled', status);
    deepEqual(ran, status === 'completed' ? ['summary', 'after'] : ['after']);
  },

  'a job is claimed at its deadline': async (arena) => {
    const { lab, other, race } = arena;
    const id = await lab.queue(work({ ...ONE, beginBy: lab.in(1_000), callbacks: [both()] }));
    await lab.advance(999 + Math.floor(2 * arena.random()));
    const [claimed] = await race(
      () => lab.store.claim(claimOf('a', 'work', 'after')),
      () => other.recover('b'),
    );
    await completeAll(lab.store, claimed);
    await finish(arena);
    const { status, attempts } = await lab.state(id);
    deepEqual([status, attempts], claimed.some(({ job }) => job.id === id) ? ['completed', 1] : ['failed', 0]);
  },

  'a job is handed back, or tried again, after its deadline': async (arena) => {
    const { lab, other, race, random } = arena;
    const id = await lab.queue(work({ ...ONE, beginBy: lab.in(1_000) }));
    const run = await lab.take(id);
    await lab.advance(1_000);
    const delayMs = random() < 0.5 ? 0 : 500;
    const [[again]] = await race(
      () => lab.store.reschedule([{ ...keyOf(run), delayMs, error: { name: 'Error', message: 'no' } }]),
      () => other.recover('b'),
    );
    if (typeof again === 'object') await lab.complete({ id, token: again.token });
    await finish(arena);
    // It was started in time: its deadline is over.
    await lab.expect('completed', id);
  },

  'a job is queued under a key as the job that has it ends': async (arena) => {
    const { lab, other, race } = arena;
    const unique = { uniqueKey: 'inbox' } as const;
    const first = await lab.queue(work(unique));
    const run = await lab.take(first);
    const trees = [lab.plant(work(unique)), lab.plant(work(unique))] as const;
    const [, one, two] = await race(
      () => lab.store.settle([ended(run)]),
      () => other.insert([trees[0]]),
      () => lab.store.insert([trees[1]]),
    );
    const answers = [...one, ...two].map(idOf);
    const fresh = new Set(answers.filter((id) => id !== first));
    ok(fresh.size <= 1, 'no two jobs have the key');
    deepEqual(await finish(arena), fresh.size === 1 ? ['work'] : []);
    equal(await lab.store.count({}), 1 + fresh.size);
  },

  'a job is queued under a key as a dispatcher claims the one that waits': async (arena) => {
    const { lab, other, race } = arena;
    const unique = { uniqueKey: 'inbox', uniqueFor: 'waiting' } as const;
    const first = await lab.queue(work(unique));
    const tree = lab.plant(work(unique));
    const [claimed, [answer]] = await race(
      () => lab.store.claim(claimOf('a', 'work')),
      () => other.insert([tree]),
    );
    await completeAll(lab.store, claimed);
    const isNew = answer !== undefined && idOf(answer) !== first;
    deepEqual((await finish(arena)).length + claimed.length, isNew ? 2 : 1);
  },

  'a failed job is retried by two': async (arena) => {
    const { lab, other, race } = arena;
    const id = await lab.queue(work({ callbacks: [onError()] }));
    await lab.fail(await lab.take(id));
    await lab.drain();
    const below = (await lab.store.find({ parents: [id] })).map(({ job }) => job);
    const { job } = await lab.record(id);
    const context = { nextId: lab.expansion.nextId, now: new Date(lab.now), placesAround: NO_PLACES };
    const copy = (): JobTree => lab.known(copyTree(job, below, context));
    const trees = [copy(), copy()] as const;
    const [one, two] = await race(
      () => lab.store.insert([trees[0]]),
      () => other.insert([trees[1]]),
    );
    equal(new Set([...one, ...two].map(idOf)).size, 1);
    deepEqual(await finish(arena), ['work']);
  },

  'a batch gets one more step as its last one ends': async (arena) => {
    const { lab, other, race, random } = arena;
    const batch = await lab.queue((random() < 0.5 ? serial : parallel)(steps('one'), { callbacks: [both()] }));
    const run = await lab.takeNext();
    const tree = lab.known(expandStep(work({}, 'more'), (await lab.record(batch)).job, lab.expansion));
    const [, [answer]] = await race(
      () => lab.store.settle([ended(run)]),
      () => other.insert([tree]),
    );
    ok(answer !== undefined && !('failed' in answer), 'it is put in or refused');
    deepEqual(await finish(arena), 'record' in answer ? ['more', 'after'] : ['after']);
    await lab.expect('completed', batch);
  },

  'a job is given a place that two dispatchers ask for': async (arena) => {
    const { lab, other, race } = arena;
    await lab.queueAll(work(ONE), work(ONE));
    await other.recover('b');
    const [one, two] = await race(
      () => lab.store.claim(claimOf('a', 'work')),
      () => other.claim(claimOf('b', 'work')),
    );
    ok(one.length + two.length <= 1, 'a quota of one has one place');
    await completeAll(lab.store, one);
    await completeAll(other, two);
    equal((await finish(arena)).length, 2 - one.length - two.length);
  },

  'a job ends as its dispatcher is taken for dead': async (arena) => {
    const { lab, other, race } = arena;
    const id = await lab.queue(work({ ...ONE, callbacks: [both()] }));
    const run = await lab.take(id);
    lab.silence('a');
    await lab.advance(60_000);
    const [[isSettled]] = await race(
      () => lab.store.settle([ended(run)]),
      () => other.recover('b'),
    );
    await lab.recover('b');
    await lab.keepAlive('c');
    const ran = await finish(arena, 'c');
    deepEqual(ran, isSettled === true ? ['after'] : ['work', 'after']);
    await lab.expect('completed', id);
  },

  'a job that was returned ends as the one that waits for it begins to': async (arena) => {
    const { lab, other, race } = arena;
    const [outer, inner] = await lab.queueAll(work({ ...ONE, callbacks: [both()] }), work({}, 'inner'));
    const first = await lab.take(outer);
    const second = await takeOther(arena, 'inner');
    await race(
      () => lab.store.settle([{ ...keyOf(first), outcome: { status: 'follows', job: inner } }]),
      () => other.settle([{ ...keyOf(second), outcome: completed(42) }]),
    );
    deepEqual(await finish(arena), ['after']);
    deepEqual(await lab.outcome(outer), ['completed', 42]);
  },
};

/** The other process claims its next job of a task. */
async function takeOther({ other }: Arena, task: string): Promise<AttemptKey> {
  // A round finds what it has not heard of yet.
  await other.recover('b');
  const [claimed] = await other.claim({ ...claimOf('b', task), limit: 1 });
  ok(claimed !== undefined, `there is a job of ${task}`);
  return { id: claimed.job.id, token: claimed.attempt.token };
}

/** By the process that has claimed them. */
async function completeAll(store: JobStore, claimed: readonly ClaimedJob[]): Promise<void> {
  await store.settle(claimed.map(({ job, attempt }) => ({ id: job.id, token: attempt.token, outcome: completed(42) })));
}

function ended(run: AttemptKey): Settlement {
  return { ...keyOf(run), outcome: completed(42) };
}

function claimOf(dispatcher: string, ...forms: readonly string[]): ClaimRequest {
  return { dispatcher, queue: '', taskVersions: new Set(forms), limit: 10 };
}

function idOf(answer: InsertResult): string {
  ok('record' in answer, 'a job is there');
  return answer.record.job.id;
}

/** Runs what is left; then everything has ended, and no job has places. @returns the tasks that ran */
async function finish({ lab }: Arena, by = 'a'): Promise<readonly string[]> {
  const ran = [...(await lab.drain({ by }))];
  // Work that was not done at once is done by rounds, and again each second.
  for (let rounds = 0; rounds < 3; rounds++) {
    await lab.later(2_000);
    ran.push(...(await lab.drain({ by })));
  }
  equal(await lab.store.count({}), await lab.store.count({ statuses: FINAL }), 'everything has ended');
  const [quota] = await lab.store.insight.quotas(['default']);
  deepEqual(
    quota?.holders.filter(({ job }) => job !== undefined),
    [],
    'nobody has places',
  );
  return ran;
}
