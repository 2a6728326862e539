/** Contract cases for attempts that end in a transaction: the end and the other writes become visible with its commit, or never. */

import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { CircularJobError, JobNotFoundError } from '../../errors.js';
import type { JobTree } from '../../job/job-record.js';
import { recordOrThrow } from '../../store/insert-result.js';
import type { AttemptKey, Settlement } from '../../store/store-messages.js';
import { both, onSuccess, parallel, work } from './plans.js';
import { cases } from './store-case.js';
import { completed, failed, keyOf, type StoreLab } from './store-lab.js';

const ONE = { default: 1 } as const;

export const transactional = cases('an end in a transaction', {
  'is there with the commit, together with the queued jobs, and not visible before': async (lab) => {
    const id = await lab.queue(work());
    const run = await take(lab, id);
    const tree = lab.plant(work({}, 'queued'));
    await within(lab, async ({ settle, insert }) => {
      await insert(tree);
      equal(await settle(run, completed(42)), true);
      await lab.expect('active', id);
      deepEqual(await lab.claimIds(), []);
    });
    deepEqual(await lab.outcome(id), ['completed', 42]);
    deepEqual(await lab.drain(), ['queued']);
  },

  'reaches listeners with the commit, once': async (lab) => {
    const id = await lab.queue(work());
    const [ended, outcomes] = [await lab.watch({ ended: id }), await lab.watch({ outcomes: 'here' })];
    const run = await take(lab, id);
    await within(lab, async ({ settle }) => {
      await settle(run, completed(42));
      equal(outcomes.records.length, 0);
    });
    deepEqual([outcomes.records.length, ended.records.at(-1)?.state.status, ended.isComplete], [1, 'completed', true]);
  },

  'may be any outcome': async (lab) => {
    for (const end of [completed({ n: 42 }), failed('no paper'), { status: 'cancelled', reason: 'enough' }] as const) {
      const id = await lab.queue(work());
      const run = await take(lab, id);
      await within(lab, async ({ settle }) => {
        await settle(run, end);
      });
      await lab.expect(end.status, id);
    }
  },

  'comes to nothing when the transaction is aborted, and the attempt goes on': async (lab) => {
    const id = await lab.queue(work());
    const run = await take(lab, id);
    const failure = new Error('no');
    const aborted = within(lab, async ({ settle, insert }) => {
      await insert(lab.plant(work({}, 'never')));
      await settle(run, completed(42));
      throw failure;
    });
    await rejects(aborted, failure);
    await lab.expect('active', id);
    equal(await lab.complete(run, 43), true);
    deepEqual([await lab.outcome(id), await lab.drain()], [['completed', 43], []]);
  },

  'is refused for a stale token': async (lab) => {
    const id = await lab.queue(work());
    const run = await take(lab, id);
    await lab.lose('a');
    await within(lab, async ({ settle }) => {
      equal(await settle(run, completed(42)), false);
      equal(await settle({ id: lab.plant(work())[0].id, token: run.token }, completed(42)), false);
    });
    await lab.expect('pending', id);
  },

  'is refused if cancellation was requested, and the next end with the token cancels the job': async (lab) => {
    const id = await lab.queue(work());
    const run = await take(lab, id);
    await lab.cancel([id], 'enough');
    await within(lab, async ({ settle }) => {
      equal(await settle(run, completed(42)), false);
    });
    await lab.expect('active', id);
    equal(await lab.again(run, 0), 'refused');
    deepEqual(await lab.outcome(id), ['cancelled', 'enough']);
  },

  'is there wholly or not at all, even if its dispatcher dies meanwhile': async (lab) => {
    const id = await lab.queue(work());
    const run = await take(lab, id);
    let losing: Promise<unknown> | undefined;
    const ran = within(lab, async ({ settle, insert }) => {
      await insert(lab.plant(work({}, 'queued')));
      await settle(run, completed(42));
      // Not awaited: a store may let it wait for the transaction, which has written to the same job.
      losing = lab.lose('a');
      await lab.meanwhile();
    });
    const isCommitted = await ran.then(
      () => true,
      () => false,
    );
    await losing;
    await lab.settled();
    deepEqual(await lab.statuses(id), [isCommitted ? 'completed' : 'pending']);
    equal(await lab.store.count({ taskNames: ['queued'] }), isCommitted ? 1 : 0);
  },

  'is recorded once: later calls with its token change nothing': async (lab) => {
    const id = await lab.queue(work());
    const run = await take(lab, id);
    await within(lab, async ({ settle }) => {
      await settle(run, completed(42));
    });
    equal(await lab.fail(run), false);
    equal(await lab.again(run, 0), 'refused');
    await lab.release(run, true);
    deepEqual(await lab.outcome(id), ['completed', 42]);
  },

  'releases the callbacks of the job, those that came in the same transaction included': async (lab) => {
    const id = await lab.queue(work({ callbacks: [onSuccess()] }));
    const run = await take(lab, id);
    const tree = await lab.plantCallback(id, both());
    await within(lab, async ({ settle, insert }) => {
      await insert(tree);
      await settle(run, completed(42));
      deepEqual(await lab.claimIds(), []);
    });
    await lab.expect('callbacks', id);
    deepEqual((await lab.drain()).toSorted(), ['after', 'success']);
    await lab.expect('completed', id);
  },

  'ends a batch with its last step': async (lab) => {
    const id = await lab.queue(parallel([work(), work()]));
    const runs = await lab.claim({ transactional: ['work'] });
    for (const run of runs)
      await within(lab, async ({ settle }) => {
        equal(await settle(run, completed()), true);
      });
    equal(runs.length, 2);
    await lab.expect('completed', id);
  },

  'gives the places of the job back with the commit': async (lab) => {
    const [id, next] = await lab.queueAll(work({ places: ONE }), work({ places: ONE }, 'next'));
    const run = await take(lab, id);
    await within(lab, async ({ settle }) => {
      await settle(run, completed());
      deepEqual(await lab.claimIds(), []);
    });
    await take(lab, next);
  },

  'may be another job, queued in the same transaction': async (lab) => {
    const id = await lab.queue(work({ places: ONE }));
    const run = await take(lab, id);
    const tree = lab.plant(work({ places: ONE }, 'inner'));
    await within(lab, async ({ settle, insert }) => {
      await insert(tree);
      equal(await settle(run, { status: 'follows', job: tree[0].id, isOwn: true }), true);
    });
    await lab.expect('active', id);
    await lab.complete(await take(lab, tree[0].id), 42);
    deepEqual(await lab.outcome(id), ['completed', 42]);
  },

  'may be a job that has ended, whose outcome it takes': async (lab) => {
    const inner = await lab.queue(work({}, 'inner'));
    await lab.complete(await take(lab, inner), 42);
    const id = await lab.queue(work());
    const run = await take(lab, id);
    await within(lab, async ({ settle }) => {
      await settle(run, { status: 'follows', job: inner });
    });
    deepEqual(await lab.outcome(id), ['completed', 42]);
  },

  'is an error where a job could never follow the one it returned, and the attempt goes on': async (lab) => {
    const id = await lab.queue(work());
    const run = await take(lab, id);
    const callback = await lab.plantCallback(id, both());
    const circle = within(lab, async ({ settle, insert }) => {
      await insert(callback);
      await settle(run, { status: 'follows', job: callback[0].id });
    });
    await rejects(circle, CircularJobError);
    const gone = within(lab, async ({ settle }) => {
      await settle(run, { status: 'follows', job: lab.plant(work())[0].id });
    });
    await rejects(gone, JobNotFoundError);
    ok(await lab.complete(run));
    equal(await lab.store.count({}), 1);
  },
});

interface Transaction {
  readonly settle: (run: AttemptKey, outcome: Settlement['outcome']) => Promise<boolean>;
  readonly insert: (tree: JobTree) => Promise<void>;
}

/** In a transaction that is run once. */
async function within(lab: StoreLab, act: (transaction: Transaction) => Promise<void>): Promise<void> {
  const { store } = lab;
  const run = (session: object): Promise<void> =>
    act({
      settle: async (run, outcome) => (await store.settle([{ ...keyOf(run), outcome }], session))[0] === true,
      insert: async (tree) => {
        for (const answer of await store.insert([tree], session)) recordOrThrow(answer);
      },
    });
  await store.transactions.run(run, { isRunOnce: true });
  await lab.settled();
}

/** Claims one job, which must be this one, for an attempt that ends in a transaction. */
async function take(lab: StoreLab, id: string) {
  const run = await lab.takeNext({ transactional: ['work', 'inner', 'next'] });
  equal(run.id, id);
  return run;
}
