/** Contract cases for batches that get more steps while they run. */

import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { JobNotFoundError, JobStateError } from '../../errors.js';
import { expandStep } from '../../job/expand-plan.js';
import type { JobPlan } from '../../job/job-plan.js';
import type { JobTree } from '../../job/job-record.js';
import { recordOrThrow } from '../../store/insert-result.js';
import { both, parallel, serial, summary, work } from './plans.js';
import { cases } from './store-case.js';
import { completed, type StoreLab } from './store-lab.js';

export const extending = cases('extending batches', {
  'puts one more step behind the others of a serial batch': async (lab) => {
    const batch = await lab.queue(serial([work({}, 'one'), work({}, 'two')]));
    const run = await lab.takeNext();
    const step = await extend(lab, batch, work({}, 'three'));
    await lab.expect('blocked', step);
    await lab.complete(run);
    deepEqual(await lab.drain(), ['two', 'three']);
    await lab.expect('completed', batch, step);
    deepEqual(await stepsOf(lab, batch), ['one', 'two', 'three']);
  },

  'lets one more step of a parallel batch begin at once': async (lab) => {
    const batch = await lab.queue(parallel([work({}, 'one')]));
    const run = await lab.takeNext();
    await extend(lab, batch, work({}, 'two'));
    await lab.complete(await lab.takeNext());
    await lab.expect('active', batch);
    await lab.complete(run);
    await lab.expect('completed', batch);
    deepEqual(await stepsOf(lab, batch), ['one', 'two']);
  },

  'lengthens a batch that has not been opened': async (lab) => {
    const batches = [await lab.queue(serial([work({}, 'one')], { delayMs: 1_000 })), await lab.queue(parallel([work({}, 'wide')]))];
    for (const batch of batches) await lab.expect('blocked', await extend(lab, batch, work({}, 'more')));
    await lab.later(1_000);
    deepEqual((await lab.drain()).toSorted(), ['more', 'more', 'one', 'wide']);
    await lab.expect('completed', ...batches);
  },

  'lengthens a batch from the callback of its last step': async (lab) => {
    const batch = await lab.queue(serial([work({ callbacks: [both()] }, 'one')]));
    await lab.complete(await lab.takeNext());
    const callback = await lab.takeNext();
    await extend(lab, batch, work({}, 'two'));
    await lab.complete(callback);
    deepEqual(await lab.drain(), ['two']);
    await lab.expect('completed', batch);
  },

  'runs the postprocess after the steps that were added': async (lab) => {
    const batch = await lab.queue(parallel([work({}, 'one')], { postprocess: summary() }));
    const run = await lab.takeNext();
    await extend(lab, batch, work({}, 'two'));
    await lab.complete(run);
    deepEqual(await lab.drain(), ['two', 'summary']);
  },

  'puts steps in with all that is below them': async (lab) => {
    const batch = await lab.queue(serial([work({}, 'one')]));
    const run = await lab.takeNext();
    await extend(lab, batch, parallel([work({}, 'in'), work({ callbacks: [both()] }, 'in')]));
    await lab.complete(run);
    deepEqual(await lab.drain(), ['in', 'in', 'after']);
    await lab.expect('completed', batch);
  },

  'lets a step that was added wait for its time': async (lab) => {
    const batch = await lab.queue(parallel([work({}, 'one')]));
    const run = await lab.takeNext();
    const step = await extend(lab, batch, work({ delayMs: 1_000 }, 'two'));
    await lab.expect('scheduled', step);
    await lab.complete(run);
    await lab.later(1_000);
    deepEqual(await lab.drain(), ['two']);
    await lab.expect('completed', batch);
  },

  'refuses more steps when those of the batch have ended, or it is being cancelled, and where there is no batch': async (lab) => {
    const ended = await lab.queue(serial([work({}, 'one')]));
    const post = await lab.queue(serial([work({}, 'one')], { postprocess: summary() }));
    await lab.complete(await lab.takeNext());
    await lab.complete(await lab.takeNext());
    await lab.expect('completed', ended);
    await lab.expect('active', post);
    const cancelled = await lab.queue(parallel([work({}, 'runs')]));
    await lab.takeNext({ tasks: ['runs'] });
    await lab.cancel([cancelled]);
    const single = await lab.queue(work({}, 'single'));
    const before = await lab.store.count({});
    for (const id of [ended, post, cancelled, single]) ok((await refusal(lab, id)) instanceof JobStateError, id);
    ok((await refusal(lab, 'f'.repeat(24), single)) instanceof JobNotFoundError);
    equal(await lab.store.count({}), before);
  },

  'adds a step as the last one ends, or refuses it: never is one left behind': async (lab) => {
    for (const kind of [serial, parallel]) {
      const batch = await lab.queue(kind([work({}, 'one')], { postprocess: summary() }));
      const run = await lab.takeNext();
      const tree = await step(lab, batch, work({}, 'late'));
      const [[answer]] = await lab.together(
        lab.store.insert([tree]),
        lab.store.settle([{ id: run.id, token: run.token, outcome: completed() }]),
      );
      const isAdded = answer !== undefined && 'record' in answer;
      deepEqual(await lab.drain(), isAdded ? ['late', 'summary'] : ['summary']);
      await lab.expect('completed', batch);
    }
  },

  'goes on with steps whose transaction is open when the last step ends, or refuses them': async (lab) => {
    for (const postprocess of [undefined, summary()]) {
      const batch = await lab.queue(serial([work({}, 'one')], postprocess === undefined ? {} : { postprocess }));
      const run = await lab.takeNext();
      const tree = await step(lab, batch, work({}, 'late'));
      let ending: Promise<unknown> | undefined;
      const adding = lab.store.transactions.run(async (session) => {
        await lab.store.insert([tree], session);
        ending ??= lab.complete(run);
        await lab.meanwhile();
      });
      const isAdded = await adding.then(
        () => true,
        () => false,
      );
      await ending;
      await lab.settled();
      deepEqual(await lab.drain(), [...(isAdded ? ['late'] : []), ...(postprocess === undefined ? [] : ['summary'])]);
      await lab.expect('completed', batch);
    }
  },

  'cancels steps that are added to a batch which stops at a failure': async (lab) => {
    const batch = await lab.queue(parallel([work({}, 'bad'), work({}, 'runs')], { onFailure: 'stop' }));
    const [bad, runs] = await lab.takeTasks('bad', 'runs');
    await lab.fail(bad);
    const late = await extend(lab, batch, work({}, 'late'));
    await lab.expect('cancelled', late);
    await lab.complete(runs);
    await lab.expect('completed', batch);
  },

  'cancels steps that are added in a transaction to a batch which stops at a failure, before or after the commit': async (lab) => {
    for (const isFailing of ['before', 'after'] as const) {
      const batch = await lab.queue(parallel([work({}, 'bad'), work({}, 'runs')], { onFailure: 'stop' }));
      const [bad, runs] = await lab.takeTasks('bad', 'runs');
      if (isFailing === 'before') await lab.fail(bad);
      const trees = [await step(lab, batch, work({}, 'late')), await step(lab, batch, work({}, 'later'))];
      await lab.store.transactions.run(async (session) => {
        await lab.store.insert(trees, session);
      });
      await lab.settled();
      if (isFailing === 'after') await lab.fail(bad);
      deepEqual(await lab.drain(), []);
      await lab.expect('cancelled', ...trees.map(([root]) => root.id));
      await lab.complete(runs);
      await lab.expect('completed', batch);
    }
  },

  'numbers steps in their order, whether they are added by one call, one transaction or several': async (lab) => {
    const batch = await lab.queue(serial([work({}, 'one')], { delayMs: 1_000 }));
    const trees = [];
    for (const name of ['two', 'three', 'four', 'five', 'six']) trees.push(await step(lab, batch, work({}, name)));
    const [two, three, four, five, six] = trees as [JobTree, JobTree, JobTree, JobTree, JobTree];
    await lab.insert(two);
    await lab.store.transactions.run(async (session) => {
      await lab.store.insert([three, four], session);
      await lab.store.insert([five], session);
    });
    await lab.insert(six);
    const steps = await lab.store.find({ parents: [batch] });
    deepEqual(steps.map(({ job }) => job.position).toSorted(), [0, 1, 2, 3, 4, 5]);
    deepEqual(await stepsOf(lab, batch), ['one', 'two', 'three', 'four', 'five', 'six']);
  },

  'adds steps in a transaction with its commit, in their order': async (lab) => {
    const batch = await lab.queue(serial([work({}, 'one')]));
    const run = await lab.takeNext();
    const trees = [await step(lab, batch, work({}, 'two')), await step(lab, batch, work({}, 'three'))];
    await lab.store.transactions
      .run(async (session) => {
        await lab.store.insert(trees, session);
        throw new Error('no');
      })
      .catch(() => undefined);
    deepEqual(await stepsOf(lab, batch), ['one']);
    await lab.store.transactions.run((session) => lab.store.insert(trees, session));
    await lab.settled();
    await lab.complete(run);
    deepEqual(await lab.drain(), ['two', 'three']);
    await lab.expect('completed', batch);
  },

  'refuses a step for a job that is not a batch, in the transaction that queues both': async (lab) => {
    for (const isOneCall of [true, false]) {
      const tree = lab.plant(work());
      const more = lab.known(expandStep(work({}, 'more'), tree[0], lab.expansion));
      const queued = lab.store.transactions.run(async (session) => {
        const calls = isOneCall ? [[tree, more]] : [[tree], [more]];
        for (const call of calls) for (const answer of await lab.store.insert(call, session)) recordOrThrow(answer);
      });
      await rejects(queued, JobStateError);
      equal(await lab.store.count({}), 0);
    }
  },

  'adds steps to a batch that is queued in the same transaction': async (lab) => {
    const tree = lab.plant(serial([work({}, 'one')]));
    const more = lab.known(expandStep(work({}, 'two'), tree[0], lab.expansion));
    await lab.store.transactions.run((session) => lab.store.insert([tree, more], session));
    await lab.settled();
    deepEqual(await lab.drain(), ['one', 'two']);
    deepEqual(await stepsOf(lab, tree[0].id), ['one', 'two']);
  },
});

async function step(lab: StoreLab, batch: string, plan: JobPlan): Promise<JobTree> {
  return lab.known(expandStep(plan, (await lab.record(batch)).job, lab.expansion));
}

/** @returns the id of the step */
async function extend(lab: StoreLab, batch: string, plan: JobPlan): Promise<string> {
  const tree = await step(lab, batch, plan);
  const [answer] = await lab.insert(tree);
  ok(answer !== undefined);
  return recordOrThrow(answer).job.id;
}

async function refusal(lab: StoreLab, batch: string, like = batch): Promise<unknown> {
  const tree = lab.known(expandStep(work(), { ...(await lab.record(like)).job, id: batch }, lab.expansion));
  const [answer] = await lab.insert(tree);
  return answer !== undefined && 'refused' in answer ? answer.refused : undefined;
}

/** The tasks of a batch's steps, as its result has them. */
async function stepsOf(lab: StoreLab, batch: string): Promise<readonly string[]> {
  const steps = (await lab.store.find({ parents: [batch] })).filter(({ job }) => job.role === 'step');
  return steps.sort((one, other) => (one.job.position ?? 0) - (other.job.position ?? 0)).map(({ job }) => job.taskName);
}
