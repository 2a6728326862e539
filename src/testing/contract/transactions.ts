/** Contract cases for transactions: jobs that are queued in one become visible with its commit, or never. */

import { deepEqual, equal, ok, rejects, throws } from 'node:assert/strict';
import { JobNotFoundError, OptionError } from '../../errors.js';
import type { JobTree } from '../../job/job-record.js';
import { recordOrThrow } from '../../store/insert-result.js';
import { both, onSuccess, parallel, serial, work } from './plans.js';
import { cases } from './store-case.js';
import type { StoreLab } from './store-lab.js';

export const transactions = cases('transactions', {
  'show their jobs to nobody before they have committed, and all of them after': async (lab) => {
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

  'return the result of their code': async (lab) => {
    equal(await lab.store.transactions.run(async () => 42), 42);
  },

  'answer with the records that will be there': async (lab) => {
    const tree = lab.plant(work());
    await lab.store.transactions.run(async (session) => {
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

  'give jobs their place in the order when they are queued, though they are seen later': async (lab) => {
    const [first, last] = [lab.plant(work({}, 'first')), lab.plant(work({}, 'last'))];
    await within(lab, async (insert) => {
      await insert([first]);
      await lab.queue(work({}, 'meanwhile'));
      await insert([last]);
    });
    deepEqual(await lab.drain(), ['first', 'meanwhile', 'last']);
  },

  'count a delay from when the job is queued, not from the commit': async (lab) => {
    const tree = lab.plant(work({ delayMs: 1_000 }));
    const dueAt = lab.in(1_000);
    await within(lab, async (insert) => {
      await insert([tree]);
      await lab.advance(1_500);
    });
    deepEqual((await lab.state(tree[0].id)).dueAt, dueAt);
    await lab.recover();
    deepEqual(await lab.drain(), ['work']);
  },

  'take no places before they have committed, nor when they are aborted': async (lab) => {
    const failure = new Error('no');
    const aborted = within(lab, async (insert) => {
      await insert([lab.plant(work({ places: { default: 1 } }, 'never'))]);
      const other = await lab.queue(work({ places: { default: 1 } }, 'other'));
      await lab.complete(await lab.take(other));
      throw failure;
    });
    await rejects(aborted, failure);
    await lab.queue(work({ places: { default: 1 } }, 'next'));
    deepEqual(await lab.drain(), ['next']);
  },

  'notify listeners of their changes with their commit': async (lab) => {
    const tree = lab.plant(work());
    const bell = await lab.watch({ work: '' });
    let hints = 0;
    await within(lab, async (insert) => {
      await insert([tree]);
      const { records, isComplete } = await lab.watch({ job: tree[0].id });
      deepEqual([records.length, isComplete], [0, true]);
      hints = bell.seen.length;
    });
    ok(bell.seen.length > hints);
    equal((await lab.watch({ job: tree[0].id })).records.length, 1);
  },

  'may be two at once that add callbacks to one job, each of which runs once': async (lab) => {
    const id = await lab.queue(work());
    const trees = await Promise.all(['one', 'two'].map((name) => lab.plantCallback(id, { both: work({}, name) })));
    await lab.together(
      ...trees.map((tree) =>
        within(lab, async (insert) => {
          await insert([tree]);
        }),
      ),
    );
    deepEqual((await lab.drain()).toSorted(), ['one', 'two', 'work']);
    await lab.expect('completed', id);
  },

  'add callbacks to jobs that end before the commit, which run all the same': async (lab) => {
    for (const callback of [both(), onSuccess()]) {
      const id = await lab.queue(work());
      const run = await lab.take(id);
      const tree = await lab.plantCallback(id, callback);
      let ending: Promise<boolean> | undefined;
      await within(lab, async (insert) => {
        await insert([tree]);
        // Not awaited: a store may let it wait for the transaction, which has written to the same job.
        ending ??= lab.complete(run);
      });
      equal(await ending, true);
      equal((await lab.drain()).length, 1);
      await lab.expect('completed', id, tree[0].id);
    }
  },

  'add callbacks to steps and callbacks whose turn comes before the commit, which run all the same': async (lab) => {
    const plans = [
      serial([work(), work({}, 'next')]),
      serial([work(), work({ delayMs: 1_000 }, 'next')]),
      parallel([work({ delayMs: 1_000 }, 'next')], { delayMs: 1 }),
      work({ callbacks: [{ both: work({}, 'next') }] }),
      work({ callbacks: [{ success: work({}, 'next') }] }),
      work({ callbacks: [{ failure: work({}, 'never') }] }),
    ];
    for (const plan of plans) {
      const id = await lab.queue(plan);
      const [run] = plan.kind === 'parallel' ? [] : await lab.claim();
      const child = (await lab.store.find({ parents: [id] })).find(({ state }) => state.status === 'blocked');
      const tree = await lab.plantCallback(child?.job.id ?? '', both());
      let turn: Promise<unknown> | undefined;
      await within(lab, async (insert) => {
        await insert([tree]);
        // Not awaited, as above.
        turn ??= run === undefined ? lab.later(1).then(() => lab.claim()) : lab.complete(run);
        await lab.meanwhile();
      });
      await turn;
      await lab.settled();
      await lab.later(1_000);
      deepEqual((await lab.drain()).at(-1), 'after');
      await lab.expect('completed', id, tree[0].id);
    }
  },

  'know of a session whether its transaction may still commit': async (lab) => {
    const { transactions } = lab.store;
    let mayCommit = (): boolean => false;
    const seen: boolean[] = [];
    const run = (act: () => Promise<void>): Promise<void> =>
      transactions.run(async (session) => {
        mayCommit = transactions.attach(session);
        seen.push(mayCommit());
        await act();
      });
    await run(async () => {});
    seen.push(mayCommit());
    await rejects(run(() => Promise.reject(new Error('no'))));
    deepEqual([...seen, mayCommit()], [true, false, true, false]);
    throws(() => transactions.attach({}), OptionError);
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

  'add callbacks to jobs that are queued in the same one, by the same call or before': async (lab) => {
    for (const isOneCall of [true, false]) {
      const tree = lab.plant(work());
      const callback = lab.plantCallbackOf(tree[0], both());
      const second = lab.plantCallbackOf(callback[0], { both: work({}, 'second') });
      await within(lab, async (insert) => {
        const calls = isOneCall ? [[tree, callback, second]] : [[tree], [callback], [second]];
        for (const call of calls) equal(await insert(call), call.length);
      });
      deepEqual(await lab.drain(), ['work', 'after', 'second']);
      await lab.expect('completed', tree[0].id, callback[0].id, second[0].id);
    }
  },

  'refuse a callback of a job that is not there': async (lab) => {
    const tree = lab.plantCallbackOf(lab.plant(work())[0], both());
    const queued = lab.store.transactions.run(async (session) => {
      for (const answer of await lab.store.insert([tree], session)) recordOrThrow(answer);
    });
    await rejects(queued, JobNotFoundError);
    equal(await lab.store.count({}), 0);
  },
});

type Insert = (trees: readonly JobTree[]) => Promise<number>;

/** @param act - queues in the transaction, and returns how many trees were not refused */
async function within(lab: StoreLab, act: (insert: Insert) => Promise<void>): Promise<void> {
  await lab.store.transactions.run((session) =>
    act(async (trees) => (await lab.store.insert(trees, session)).filter((answer) => 'record' in answer).length),
  );
  await lab.settled();
}
