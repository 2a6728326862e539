/** What the store contract says of transactions: what is queued in one is there with its commit, or never. */

import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { JobNotFoundError } from '../../errors.js';
import type { JobTree } from '../../job/job-record.js';
import { both, onSuccess, serial, work } from './plans.js';
import { cases } from './store-case.js';
import type { StoreLab } from './store-lab.js';

export const transactions = cases('transactions', {
  'show nobody what is queued in them before they have committed, and all of it after': async (lab) => {
    const trees = [lab.plant(work()), lab.plant(serial([work({}, 'one'), work({}, 'two')])), lab.plant(work({ delayMs: 1_000 }))];
    await within(lab, async (insert) => {
      const answers = await insert(trees);
      equal(answers, trees.length);
      equal(await lab.store.count({}), 0);
      deepEqual(await lab.claimIds(), []);
    });
    equal(await lab.store.count({}), 5);
    deepEqual(await lab.drain(), ['work', 'one', 'two']);
  },

  'leave nothing when they are aborted': async (lab) => {
    const failure = new Error('no');
    const aborted = within(lab, async (insert) => {
      await insert([lab.plant(work()), lab.plant(serial([work()], { callbacks: [both()] }))]);
      throw failure;
    });
    await rejects(aborted, failure);
    equal(await lab.store.count({}), 0);
    deepEqual(await lab.claimIds(), []);
  },

  'answer with what their code returns': async (lab) => {
    equal(await lab.store.transaction(async () => 42), 42);
  },

  'answer with the records that will be there': async (lab) => {
    const tree = lab.plant(work());
    await lab.store.transaction(async (session) => {
      const [inserted] = await lab.store.insert([tree], session);
      ok(inserted !== undefined && 'record' in inserted);
      deepEqual([inserted.record.job.id, inserted.record.state.status], [tree[0].id, 'pending']);
    });
  },

  'keep the order in which jobs are queued in them': async (lab) => {
    const trees = ['one', 'two', 'three'].map((name) => lab.plant(work({}, name)));
    await within(lab, async (insert) => {
      await insert(trees);
    });
    deepEqual(await lab.drain(), ['one', 'two', 'three']);
  },

  'add callbacks to jobs that wait, which run after these': async (lab) => {
    const id = await lab.queue(work());
    const tree = await lab.plantCallback(id, both());
    await within(lab, async (insert) => {
      await insert([tree]);
    });
    deepEqual(await lab.drain(), ['work', 'after']);
  },

  'add callbacks to jobs that have ended, which run at once': async (lab) => {
    const id = await lab.queue(work());
    await lab.drain();
    const tree = await lab.plantCallback(id, onSuccess());
    await within(lab, async (insert) => {
      await insert([tree]);
      deepEqual(await lab.claimIds(), []);
    });
    equal((await lab.drain()).length, 1);
    await lab.expect('completed', tree[0].id);
  },

  'add callbacks to jobs that are queued in the same one': async (lab) => {
    const tree = lab.plant(work());
    const callback = lab.plantCallbackOf(tree[0], both());
    await within(lab, async (insert) => {
      await insert([tree, callback]);
    });
    deepEqual(await lab.drain(), ['work', 'after']);
    await lab.expect('completed', tree[0].id, callback[0].id);
  },

  'refuse a callback of a job that is not there': async (lab) => {
    const tree = lab.plantCallbackOf(lab.plant(work())[0], both());
    const queued = lab.store.transaction(async (session) => {
      for (const answer of await lab.store.insert([tree], session)) if ('refused' in answer) throw answer.refused;
    });
    await rejects(queued, JobNotFoundError);
    equal(await lab.store.count({}), 0);
  },
});

type Insert = (trees: readonly JobTree[]) => Promise<number>;

/** @param act - is given what queues in the transaction, and answers with how many trees were not refused */
async function within(lab: StoreLab, act: (insert: Insert) => Promise<void>): Promise<void> {
  await lab.store.transaction((session) =>
    act(async (trees) => (await lab.store.insert(trees, session)).filter((answer) => 'record' in answer).length),
  );
  await lab.settled();
}
