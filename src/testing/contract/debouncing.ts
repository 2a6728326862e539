/** Contract cases for debouncing: queueing under the key of a waiting job puts that job off. */

import { deepEqual, equal, notEqual, ok } from 'node:assert/strict';
import type { JobTree } from '../../job/job-record.js';
import type { Metadata } from '../../job/metadata.js';
import { taskVersionOf } from '../../job/task-version.js';
import type { UniqueOptions } from '../../job/unique-key-options.js';
import { recordOrThrow } from '../../store/insert-result.js';
import type { InsertResult } from '../../store/store-messages.js';
import { work } from './plans.js';
import { retry } from './retrying.js';
import { cases } from './store-case.js';
import { ask, unlessItWaits } from './unique-keys.js';

const DEBOUNCED = { uniqueKey: 'inbox', debounceMs: 1_000 } as const satisfies UniqueOptions;

export const debouncing = cases('debouncing', {
  'puts the job off, with the arguments of the last': async (lab) => {
    const id = await lab.queue(work({ ...DEBOUNCED, args: [1] }));
    deepEqual((await lab.state(id)).dueAt, lab.in(1_000));
    for (const value of [2, 3]) {
      await lab.advance(800);
      equal(await ask(lab, { ...DEBOUNCED, args: [value] }), id);
      deepEqual((await lab.state(id)).dueAt, lab.in(1_000));
    }
    await lab.later(999);
    deepEqual(await lab.claimIds(), []);
    await lab.later(1);
    const run = await lab.take(id);
    deepEqual(run.job.args.read(), [3]);
  },

  'gives a job that is put off the version of its new arguments': async (lab) => {
    for (const [before, after] of [
      [1, 2],
      [2, 1],
    ] as const) {
      const tree = lab.plant({ ...work({ ...DEBOUNCED, args: [before] }), version: before });
      await lab.insert(tree);
      await lab.insert(lab.plant({ ...work({ ...DEBOUNCED, args: [after] }), version: after }));
      await lab.later(1_000);
      const taskVersion = (version: number): readonly string[] => [taskVersionOf({ taskName: 'work', version })];
      deepEqual(await lab.claimIds({ tasks: taskVersion(before) }), []);
      const run = await lab.takeNext({ tasks: taskVersion(after) });
      deepEqual([run.id, run.job.version, run.job.args.read()], [tree[0].id, after, [after]]);
      await lab.complete(run);
    }
  },

  'runs a job that was put off as the principal that put it off': async (lab) => {
    const by = (id: string) => work({ ...DEBOUNCED, principal: { realm: 'staff', id } });
    const id = await lab.queue(by('ann'));
    await lab.insert(lab.plant(by('bob')));
    deepEqual((await lab.record(id)).job.principal, { realm: 'staff', id: 'bob' });
    await lab.insert(lab.plant(work(DEBOUNCED)));
    await lab.later(1_000);
    equal((await lab.take(id)).job.principal, undefined);
  },

  'gives a job that is put off the metadata of the last': async (lab) => {
    const of = (metadata?: Metadata) => work({ ...DEBOUNCED, ...(metadata === undefined ? {} : { metadata }) });
    const id = await lab.queue(of({ tenant: 'acme', trace: 'a1' }));
    await lab.insert(lab.plant(of({ tenant: 'other' })));
    deepEqual((await lab.record(id)).job.metadata, { tenant: 'other' });
    await lab.insert(lab.plant(of()));
    await lab.later(1_000);
    equal((await lab.take(id)).job.metadata, undefined);
  },

  'does not put a job off for longer than its limit': async (lab) => {
    const limited = { ...DEBOUNCED, debounceMaxMs: 2_500 };
    const id = await lab.queue(work(limited));
    const latest = lab.in(2_500);
    for (let times = 0; times < 2; times++) {
      await lab.advance(900);
      equal(await ask(lab, limited), id);
    }
    deepEqual((await lab.state(id)).dueAt, latest);
  },

  'makes a transaction run again whose job is due before the commit, however little it changed': async (lab) => {
    const limited = { ...DEBOUNCED, debounceMaxMs: 1_000 };
    const id = await lab.queue(work(limited));
    await lab.advance(1_000);
    let isDue = false;
    let promoting: Promise<unknown> | undefined;
    const [given, wasDue] = await lab.store.transactions.run(async (session) => {
      const [answer] = await lab.store.insert([lab.plant(work(limited))], session);
      promoting ??= lab.recover().then(() => {
        isDue = true;
      });
      await unlessItWaits(lab, promoting);
      return [answer !== undefined && recordOrThrow(answer).job.id, isDue];
    });
    await promoting;
    await lab.expect('pending', id);
    ok(given !== id || !wasDue);
  },

  'does not let a retry put a newer job off, which is answered as it is': async (lab) => {
    const old = await lab.queue(work({ ...DEBOUNCED, args: ['old'] }));
    await lab.later(1_000);
    await lab.fail(await lab.take(old));
    const id = await lab.queue(work({ ...DEBOUNCED, args: ['new'] }));
    const dueAt = lab.in(1_000);
    await lab.advance(500);
    const trees = [await retry(lab, old), await retry(lab, old)] as const;
    const answers = [
      ...(await lab.insert(trees[0])),
      ...(await lab.store.transactions.run((session) => lab.store.insert([trees[1]], session))),
    ];
    deepEqual(
      answers.map((answer) => recordOrThrow(answer).job.id),
      [id, id],
    );
    deepEqual([(await lab.state(id)).dueAt, (await lab.record(id)).job.args.read()], [dueAt, ['new']]);
  },

  'does not let a retry change a job that is queued in the same transaction': async (lab) => {
    const old = await lab.queue(work({ ...DEBOUNCED, args: ['old'] }));
    await lab.later(1_000);
    await lab.fail(await lab.take(old));
    const [tree, again] = [lab.plant(work({ ...DEBOUNCED, args: ['new'] })), await retry(lab, old)];
    const ids = await lab.store.transactions.run(async (session) => [
      ...(await lab.store.insert([tree], session)).map((answer) => recordOrThrow(answer).job.id),
      ...(await lab.store.insert([again], session)).map((answer) => recordOrThrow(answer).job.id),
    ]);
    await lab.settled();
    deepEqual(ids, [tree[0].id, tree[0].id]);
    deepEqual((await lab.record(tree[0].id)).job.args.read(), ['new']);
  },

  'leaves the key free as soon as the job is due': async (lab) => {
    const id = await lab.queue(work({ ...DEBOUNCED, args: ['old'] }));
    await lab.later(1_000);
    await lab.expect('pending', id);
    const next = await ask(lab, { ...DEBOUNCED, args: ['new'] });
    notEqual(next, id);
    deepEqual((await lab.record(id)).job.args.read(), ['old']);
    await lab.expect('scheduled', next);
  },

  'puts a job off from a transaction with its commit': async (lab) => {
    const id = await lab.queue(work({ ...DEBOUNCED, args: ['old'] }));
    const before = (await lab.state(id)).dueAt;
    await lab.advance(500);
    const act = (fails: boolean): Promise<void> =>
      lab.store.transactions.run(async (session) => {
        const [answer] = await lab.store.insert([lab.plant(work({ ...DEBOUNCED, args: ['new'] }))], session);
        equal(answer !== undefined && recordOrThrow(answer).job.id, id);
        if (fails) throw new Error('no');
      });
    await act(true).catch(() => undefined);
    deepEqual([(await lab.state(id)).dueAt, (await lab.record(id)).job.args.read()], [before, ['old']]);
    await act(false);
    await lab.settled();
    deepEqual([(await lab.state(id)).dueAt, (await lab.record(id)).job.args.read()], [lab.in(1_000), ['new']]);
  },

  'puts a job off that is queued several times in one transaction, from the last call and with its arguments': async (lab) => {
    const [first, second, third] = [{ args: [1] }, { args: [2], debounceMs: 500 }, { args: [3], debounceMs: 1_500 }].map((said) =>
      lab.plant(work({ ...DEBOUNCED, ...said })),
    ) as [JobTree, JobTree, JobTree];
    let dueAt = lab.in(0);
    await lab.store.transactions.run(async (session) => {
      for (const tree of [first, second, third]) {
        const [answer] = await lab.store.insert([tree], session);
        const { job, state } = recordOrThrow(answer as InsertResult);
        dueAt = lab.in(tree[0].delayMs ?? 0);
        deepEqual([job.id, job.args.read(), state.dueAt], [first[0].id, tree[0].args.read(), dueAt]);
        await lab.advance(400);
      }
    });
    await lab.settled();
    equal(await lab.store.count({}), 1);
    deepEqual([(await lab.state(first[0].id)).dueAt, (await lab.record(first[0].id)).job.args.read()], [dueAt, [3]]);
  },

  'puts a job off that is queued several times by one call, in a transaction or not, as the last says': async (lab) => {
    const queue = async (uniqueKey: string, insert: (trees: readonly JobTree[]) => Promise<unknown>): Promise<void> => {
      const said = [{ args: [1] }, { args: [2], debounceMs: 2_500 }, { args: [3], debounceMs: 1_500 }];
      await insert(said.map((one) => lab.plant(work({ ...DEBOUNCED, uniqueKey, queue: uniqueKey, ...one }))));
      await lab.settled();
      const [only, ...others] = await lab.store.find({ queue: uniqueKey });
      deepEqual([only?.state.dueAt, only?.job.args.read(), others], [lab.in(1_500), [3], []]);
    };
    await queue('within', (trees) => lab.store.transactions.run((session) => lab.store.insert(trees, session)));
    await queue('outside', (trees) => lab.store.insert(trees));
  },

  'counts the limit from the first of several calls in one transaction': async (lab) => {
    const [first, second] = [lab.plant(work(DEBOUNCED)), lab.plant(work({ ...DEBOUNCED, debounceMaxMs: 1_200 }))];
    const latest = lab.in(1_200);
    await lab.store.transactions.run(async (session) => {
      await lab.store.insert([first], session);
      await lab.advance(400);
      await lab.store.insert([second], session);
    });
    await lab.settled();
    deepEqual((await lab.state(first[0].id)).dueAt, latest);
  },

  'counts from the call, not from the commit, where a transaction puts a job off that is there': async (lab) => {
    const id = await lab.queue(work(DEBOUNCED));
    await lab.advance(200);
    const dueAt = lab.in(1_000);
    await lab.store.transactions.run(async (session) => {
      await lab.store.insert([lab.plant(work(DEBOUNCED))], session);
      await lab.advance(300);
    });
    await lab.settled();
    deepEqual((await lab.state(id)).dueAt, dueAt);
  },
});
