/** Contract cases for watching: a job until it is final, outcomes once each, and all subscribers until the store stops. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { FINAL, type Status } from '../../job/job-status.js';
import type { StoredOutcome } from '../../job/outcome.js';
import { Payload } from '../../job/payload.js';
import { both, onError, onSuccess, parallel, serial, steps, summary, work } from './plans.js';
import { cases } from './store-case.js';
import { everyInterest, keyOf, readable, type StoreLab, type Watch } from './store-lab.js';

export const watching = cases('watching', {
  'shows a job as it is, then each status it comes to, in order, and completes': async (lab) => {
    const id = await lab.queue(work({ delayMs: 1_000, callbacks: [both()] }));
    const watch = await lab.watch({ job: id });
    deepEqual(statusesOf(watch), ['scheduled']);
    await lab.later(1_000);
    await lab.complete(await lab.take(id), 42);
    equal(watch.isComplete, false);
    await lab.drain();
    deepEqual(statusesOf(watch), ['scheduled', 'pending', 'active', 'callbacks', 'completed']);
    deepEqual([watch.isComplete, outcomeOf(watch)], [true, ['completed', 42]]);
  },

  'shows a job that runs again': async (lab) => {
    const id = await lab.queue(work());
    const watch = await lab.watch({ job: id });
    await lab.again(await lab.take(id), 1_000);
    await lab.later(1_000);
    await lab.release(await lab.take(id), true);
    await lab.fail(await lab.take(id), 'no paper');
    deepEqual(statusesOf(watch), ['pending', 'active', 'scheduled', 'pending', 'active', 'pending', 'active', 'failed']);
    deepEqual([watch.isComplete, outcomeOf(watch)], [true, ['failed', 'no paper']]);
  },

  'shows a job first as it is at the subscription': async (lab) => {
    const id = await lab.queue(work());
    const run = await lab.take(id);
    const watch = await lab.watch({ job: id });
    equal(watch.records[0]?.state.token, run.token);
    deepEqual(statusesOf(watch), ['active']);
  },

  'shows progress and annotations': async (lab) => {
    const id = await lab.queue(work());
    const key = keyOf(await lab.take(id));
    const watch = await lab.watch({ job: id });
    await lab.together(lab.store.report([{ ...key, progress: { done: 1, total: 3 } }]));
    deepEqual(watch.records.at(-1)?.state.progress, { done: 1, total: 3 });
  },

  'shows the reports of its attempts with the end of a job': async (lab) => {
    const ids = await lab.queueAll(work(), work());
    const watches = [await lab.watch({ job: ids[0] }), await lab.watch({ ended: ids[1] }), await lab.watch({ outcomes: 'here' })];
    for (const id of ids) {
      const run = await lab.take(id);
      await lab.store.report([{ ...keyOf(run), progress: 1, annotations: { one: Payload.of(1, 'one') } }]);
      await lab.store.report([{ ...keyOf(run), progress: 2, annotations: { two: Payload.of(2, 'two') } }]);
      await lab.complete(run);
    }
    for (const { records } of watches) {
      const { progress, annotations = {} } = records.at(-1)?.state ?? {};
      deepEqual([progress, Object.keys(annotations).toSorted()], [2, ['one', 'two']]);
    }
  },

  'shows steps, batches and callbacks until they are final': async (lab) => {
    const batch = await lab.queue(serial(steps('one', 'two'), { callbacks: [both()] }));
    const ids = [batch, ...(await lab.children(batch))];
    const watches = await Promise.all(ids.map((job) => lab.watch({ job })));
    await lab.drain();
    deepEqual(watches.map(statusesOf), [
      ['pending', 'active', 'callbacks', 'completed'],
      ['blocked', 'pending', 'active', 'completed'],
      ['blocked', 'pending', 'active', 'completed'],
      ['blocked', 'pending', 'active', 'completed'],
    ]);
    ok(watches.every(({ isComplete }) => isComplete));
  },

  'shows the end of jobs that are cancelled, expire, pass an outcome on or take one over': async (lab) => {
    const [gone, late, bad, outer] = await lab.queueAll(
      work({}, 'gone'),
      work({ beginBy: lab.in(1_000) }, 'late'),
      ...([work({}, 'bad'), work({}, 'outer')] as const),
    );
    const pass = await lab.addCallback(bad, onSuccess());
    const watches = await Promise.all([gone, late, pass, outer].map((job) => lab.watch({ job })));
    const [first, second] = await lab.claim({ tasks: ['bad', 'outer'] });
    await lab.cancel([gone]);
    await lab.follow(second ?? { id: outer, token: '' }, bad);
    await lab.fail(first ?? { id: bad, token: '' });
    await lab.later(1_001);
    deepEqual(
      watches.map((watch) => [statusesOf(watch).at(-1), watch.isComplete]),
      [['cancelled', true], ['failed', true], ['failed', true], ['failed', true]], // biome-ignore format: one line says it
    );
  },

  'shows the last record of a job that has ended, and completes': async (lab) => {
    const id = await lab.queue(work());
    await lab.complete(await lab.take(id), 42);
    const watch = await lab.watch({ job: id });
    deepEqual([statusesOf(watch), outcomeOf(watch), watch.isComplete], [['completed'], ['completed', 42], true]);
  },

  'shows nothing of a job that is not there': async (lab) => {
    const watch = await lab.watch({ job: 'f'.repeat(24) });
    await lab.queue(work());
    deepEqual(watch.seen, []);
  },

  'shows the end of a job whose end comes in the turn of the subscription': async (lab) => {
    for (const isWatchedFirst of [true, false]) {
      const id = await lab.queue(work());
      const run = await lab.take(id);
      const calls = [() => lab.watch({ job: id }), () => lab.complete(run, 42)];
      const answers = await lab.together(...(isWatchedFirst ? calls : calls.reverse()).map((call) => call()));
      const watch = answers.find((answer): answer is Watch => typeof answer === 'object');
      deepEqual(watch && [outcomeOf(watch), watch.isComplete], [['completed', 42], true]);
    }
  },

  'emits each outcome recorded here once, when it can be found': async (lab) => {
    const told: string[] = [];
    const found: Promise<unknown>[] = [];
    const subscription = lab.store.changes({ outcomes: 'here' }).subscribe((change) => {
      if (change.type !== 'job') return;
      const { job, state } = change.record;
      told.push(job.id);
      found.push(lab.state(job.id).then(({ outcome }) => deepEqual([job.id, outcome], [job.id, state.outcome])));
      ok(state.outcome !== undefined, 'the emitted record has its outcome');
    });
    await lab.settled();
    await manyEnds(lab);
    const all = await lab.store.find({ statuses: FINAL });
    deepEqual(told.toSorted(), all.map(({ job }) => job.id).toSorted());
    equal(all.length, await lab.store.count({}));
    await Promise.all(found);
    subscription.unsubscribe();
  },

  'sends each outcome once to a listener to the whole deployment': async (lab) => {
    const watch = await lab.watch({ outcomes: 'everywhere' });
    await manyEnds(lab);
    const all = await lab.store.find({ statuses: FINAL });
    deepEqual(toldOf(watch).toSorted(), all.map(({ job }) => job.id).toSorted());
  },

  'tells an outcome when the work is over, not when the callbacks are': async (lab) => {
    const watch = await lab.watch({ outcomes: 'here' });
    const id = await lab.queue(work({ callbacks: [both()] }));
    await lab.complete(await lab.take(id), 42);
    deepEqual([toldOf(watch), statusesOf(watch), outcomeOf(watch)], [[id], ['callbacks'], ['completed', 42]]);
    await lab.drain();
    deepEqual(toldOf(watch), [id, ...(await lab.children(id))]);
  },

  'tells no outcome of attempts that run again, nor of stale ones': async (lab) => {
    const watch = await lab.watch({ outcomes: 'here' });
    const id = await lab.queue(work());
    const run = await lab.take(id);
    const { token } = await lab.rerun(run);
    await lab.complete(run);
    await lab.release({ id, token }, true);
    deepEqual(toldOf(watch), []);
    await lab.complete(await lab.take(id));
    deepEqual(toldOf(watch), [id]);
  },

  'sends nothing from before the subscription': async (lab) => {
    await lab.complete(await lab.take(await lab.queue(work())));
    const watch = await lab.watch({ outcomes: 'here' });
    const id = await lab.queue(work());
    await lab.complete(await lab.take(id));
    deepEqual(toldOf(watch), [id]);
  },

  'notifies each of several listeners, until it unsubscribes': async (lab) => {
    const ids = await lab.queueAll(work(), work());
    const interests = [{ outcomes: 'here' }, { job: ids[0] }] as const;
    const stays = await Promise.all(interests.map((interest) => lab.watch(interest)));
    const goes = await Promise.all(interests.map((interest) => lab.watch(interest)));
    await lab.complete(await lab.take(ids[0]));
    deepEqual([stays, goes].map(([outcomes]) => outcomes && toldOf(outcomes)), [[ids[0]], [ids[0]]]); // biome-ignore format: one line says it
    deepEqual([stays, goes].map(([, job]) => job?.isComplete), [true, true]); // biome-ignore format: one line says it
    for (const watch of goes) watch.leave();
    await lab.complete(await lab.take(ids[1]));
    deepEqual([stays, goes].map(([outcomes]) => outcomes && toldOf(outcomes)), [ids, [ids[0]]]); // biome-ignore format: one line says it
  },

  'sends nothing more to a listener that has unsubscribed': async (lab) => {
    const id = await lab.queue(work());
    const watches = [
      await lab.watch({ work: '' }),
      await lab.watch({ due: true }),
      await lab.watch({ cancelsOf: 'a' }),
      await lab.watch({ job: id }),
    ];
    for (const watch of watches) watch.leave();
    const before = watches.map(({ seen }) => seen.length);
    await lab.queueAll(work(), work({ delayMs: 1_000 }));
    await lab.take(id, 'a');
    await lab.cancel([id]);
    deepEqual(
      watches.map(({ seen }) => seen.length),
      before,
    );
  },

  'completes everything that is watched when the store stops': async (lab) => {
    const id = await lab.queue(work());
    const watches = await Promise.all(everyInterest(id).map((interest) => lab.watch(interest)));
    ok(watches.every(({ isComplete }) => !isComplete));
    await lab.stop();
    await lab.settled();
    deepEqual(
      watches.map(({ isComplete }) => isComplete),
      everyInterest(id).map(() => true),
    );
  },
});

/** Ends of every sort, until nothing is left. */
async function manyEnds(lab: StoreLab): Promise<void> {
  const nested = parallel([serial(steps('one', 'bad')), work({ callbacks: [both(), onSuccess(), onError()] }, 'bad')]);
  const [, late, gone, outer, inner] = await lab.queueAll(
    serial([nested, work({}, 'two')], { onFailure: 'fail', postprocess: summary(), callbacks: [onError()] }),
    work({ beginBy: lab.in(1_000), delayMs: 5_000 }),
    serial(steps('three', 'four')),
    work({ priority: -1 }, 'outer'),
    work({}, 'inner'),
  );
  await lab.follow(await lab.takeNext(), inner);
  await lab.cancel([gone]);
  await lab.later(1_001);
  await lab.drain({ failing: ['bad'] });
  await lab.expect('completed', outer);
  await lab.expect('failed', late);
}

/** The statuses a watcher has seen, each time it was another; `assigned` is seen only with some stores. */
function statusesOf({ records }: Watch): readonly Status[] {
  const seen = records.map(({ state }) => state.status).filter((status) => status !== 'assigned');
  return seen.filter((status, index) => status !== seen[index - 1]);
}

function outcomeOf({ records }: Watch): ReturnType<typeof readable> | undefined {
  const outcome: StoredOutcome | undefined = records.at(-1)?.state.outcome;
  return outcome === undefined ? undefined : readable(outcome);
}

function toldOf({ records }: Watch): readonly string[] {
  return records.map(({ job }) => job.id);
}
