/** Contract cases for unique keys: while a job has one, queueing under the same key returns that job. */

import { deepEqual, equal, notEqual, ok } from 'node:assert/strict';
import type { JobTree } from '../../job/job-record.js';
import type { UniqueOptions } from '../../job/unique-key-options.js';
import { recordOrThrow } from '../../store/insert-result.js';
import { both, type Extras, parallel, serial, work } from './plans.js';
import { cases } from './store-case.js';
import type { StoreLab } from './store-lab.js';

const KEY = { uniqueKey: 'inbox' } as const satisfies UniqueOptions;
const WAITING = { ...KEY, uniqueFor: 'waiting' } as const satisfies UniqueOptions;
const MINUTE = { ...KEY, uniqueFor: 60_000 } as const satisfies UniqueOptions;

export const uniqueKeys = cases('unique keys', {
  'answer with the job that has the key, and queue nothing': async (lab) => {
    const id = await lab.queue(work({ ...KEY, args: ['first'] }));
    equal(await ask(lab, { ...KEY, args: ['second'] }), id);
    deepEqual((await lab.record(id)).job.args.read(), ['first']);
    equal(await lab.store.count({}), 1);
  },

  'are taken until the job has ended, its callbacks included': async (lab) => {
    const id = await lab.queue(work({ ...KEY, callbacks: [both()] }));
    const run = await lab.take(id);
    equal(await ask(lab, KEY), id);
    await lab.complete(run);
    await lab.expect('callbacks', id);
    equal(await ask(lab, KEY), id);
    await lab.drain();
    await lab.expect('completed', id);
    notEqual(await ask(lab, KEY), id);
  },

  'for waiting jobs are free with the first start': async (lab) => {
    const id = await lab.queue(work(WAITING));
    equal(await ask(lab, WAITING), id);
    const run = await lab.take(id);
    const next = await ask(lab, WAITING);
    notEqual(next, id);
    equal(await ask(lab, WAITING), next);
    await lab.again(run, 60_000);
    await lab.expect('scheduled', id);
    equal(await ask(lab, WAITING), next);
  },

  'for waiting jobs are not taken again by one that is interrupted': async (lab) => {
    const id = await lab.queue(work(WAITING));
    await lab.release(await lab.take(id), true);
    await lab.expect('pending', id);
    notEqual(await ask(lab, WAITING), id);
  },

  'for a time are taken for that time, also after the job has completed': async (lab) => {
    const id = await lab.queue(work(MINUTE));
    await lab.complete(await lab.take(id));
    await lab.advance(59_000);
    equal(await ask(lab, MINUTE), id);
    await lab.advance(1_000);
    notEqual(await ask(lab, MINUTE), id);
  },

  'for a time are free when the job fails or is cancelled': async (lab) => {
    const failed = await lab.queue(work(MINUTE));
    await lab.fail(await lab.take(failed));
    const cancelled = await ask(lab, MINUTE);
    notEqual(cancelled, failed);
    await lab.cancel([cancelled]);
    notEqual(await ask(lab, MINUTE), cancelled);
  },

  'of two tasks are two keys': async (lab) => {
    const [one, other] = await lab.queueAll(work(KEY, 'one'), work(KEY, 'other'));
    await lab.expect('pending', one, other);
  },

  'let one of those through that come in one call, the first': async (lab) => {
    const trees = ['first', 'second', 'third'].map((name) => lab.plant(work({ ...KEY, args: [name] })));
    const other = lab.plant(work({ ...KEY, uniqueKey: 'other' }));
    const [first, ...rest] = (await lab.insert(...trees, other)).map((answer) => recordOrThrow(answer).job);
    deepEqual(first?.args.read(), ['first']);
    deepEqual(
      rest.map(({ id }) => id),
      [first?.id, first?.id, other[0].id],
    );
    equal(await lab.store.count({}), 2);
  },

  'let one of those through that come at the same time': async (lab) => {
    const trees = Array.from({ length: 5 }, () => lab.plant(work(KEY)));
    const answers = await lab.together(...trees.map((tree) => lab.store.insert([tree])));
    const ids = new Set(answers.flat().map((answer) => recordOrThrow(answer).job.id));
    equal(ids.size, 1);
    equal(await lab.store.count({}), 1);
  },

  'are free for one of those that come at the same time, once they are over': async (lab) => {
    const before = await lab.queue(work(KEY));
    await lab.complete(await lab.take(before));
    const trees = Array.from({ length: 5 }, () => lab.plant(work(KEY)));
    const answers = await lab.together(...trees.map((tree) => lab.store.insert([tree])));
    const ids = new Set(answers.flat().map((answer) => recordOrThrow(answer).job.id));
    equal(ids.size, 1);
    ok(!ids.has(before));
  },

  'are known of a tree that is given again': async (lab) => {
    const tree = lab.plant(work(KEY));
    const other = lab.plant(work(KEY));
    for (const one of [tree, other, tree]) {
      const [answer] = await lab.insert(one);
      equal(answer !== undefined && recordOrThrow(answer).job.id, tree[0].id);
    }
  },

  'of batches keep a second one out with everything below it': async (lab) => {
    for (const plan of [serial([work(), work()], KEY), parallel([work()], { ...KEY, uniqueKey: 'wide', callbacks: [both()] })]) {
      const before = await lab.store.count({});
      const tree = lab.plant(plan);
      await lab.insert(tree);
      const [answer] = await lab.insert(lab.plant(plan));
      equal(answer !== undefined && recordOrThrow(answer).job.id, tree[0].id);
      equal(await lab.store.count({}), before + tree.length);
    }
    await lab.drain();
    const again = lab.plant(serial([work()], KEY));
    const [answer] = await lab.insert(again);
    equal(answer !== undefined && recordOrThrow(answer).job.id, again[0].id);
  },

  'in a transaction are those of jobs outside, and of jobs in it': async (lab) => {
    const outside = await lab.queue(work(KEY));
    const [inside, second] = [lab.plant(work({ uniqueKey: 'new' })), lab.plant(work({ uniqueKey: 'new' }))];
    const ids = await lab.store.transactions.run(async (session) => {
      const insert = async (...trees: readonly JobTree[]): Promise<readonly string[]> =>
        (await lab.store.insert(trees, session)).map((answer) => recordOrThrow(answer).job.id);
      return [
        ...(await insert(lab.plant(work(KEY)))),
        ...(await insert(inside, second)),
        ...(await insert(lab.plant(work({ uniqueKey: 'new' })))),
      ];
    });
    await lab.settled();
    deepEqual(ids, [outside, inside[0].id, inside[0].id, inside[0].id]);
    equal(await lab.store.count({}), 2);
    equal(await ask(lab, { uniqueKey: 'new' }), inside[0].id);
  },

  'of a transaction that is aborted are free': async (lab) => {
    await lab.store.transactions
      .run(async (session) => {
        await lab.store.insert([lab.plant(work(KEY))], session);
        throw new Error('no');
      })
      .catch(() => undefined);
    const tree = lab.plant(work(KEY));
    await lab.insert(tree);
    await lab.expect('pending', tree[0].id);
  },

  'of jobs that have ended are free in a transaction': async (lab) => {
    await lab.complete(await lab.take(await lab.queue(work(KEY))));
    const tree = lab.plant(work(KEY));
    await lab.store.transactions.run((session) => lab.store.insert([tree], session));
    await lab.settled();
    await lab.expect('pending', tree[0].id);
    equal(await ask(lab, KEY), tree[0].id);
  },

  'taken by another caller during a transaction stay with that caller': async (lab) => {
    let rival = '';
    const id = await lab.store.transactions.run(async (session) => {
      await look(lab, session);
      if (rival === '') rival = await lab.queue(work(KEY));
      return askWithin(lab, session, KEY);
    });
    await lab.settled();
    equal(id, rival);
    equal(await lab.store.count({}), 2);
  },

  'requested by another caller before a transaction commits are of one job for both': async (lab) => {
    let asking: Promise<string> | undefined;
    const id = await lab.store.transactions.run(async (session) => {
      const given = await askWithin(lab, session, KEY);
      asking ??= ask(lab, KEY);
      await unlessItWaits(lab, asking);
      return given;
    });
    equal(await asking, id);
    equal(await lab.store.count({}), 1);
  },

  'for waiting jobs make a transaction run again that was given one which begins before the commit': async (lab) => {
    const id = await lab.queue(work(WAITING));
    const begun: string[] = [];
    let claiming: Promise<unknown> | undefined;
    const [given, begunBefore] = await lab.store.transactions.run(async (session) => {
      const asked = await askWithin(lab, session, WAITING);
      claiming ??= lab.claimIds().then((ids) => begun.push(...ids));
      await unlessItWaits(lab, claiming);
      return [asked, [...begun]] as const;
    });
    await claiming;
    deepEqual(begun, [id]);
    ok(!begunBefore.includes(given));
  },

  'for waiting jobs are free for a transaction, though it does not see that the job has begun': async (lab) => {
    const id = await lab.queue(work(WAITING));
    let _run: unknown;
    const given = await lab.store.transactions.run(async (session) => {
      await look(lab, session);
      _run ??= await lab.take(id);
      return askWithin(lab, session, WAITING);
    });
    await lab.settled();
    notEqual(given, id);
    await lab.expect('pending', given);
  },
});

/** Queues a job. @returns the id of the one that is answered with */
export async function ask(lab: StoreLab, extras: Extras): Promise<string> {
  const [answer] = await lab.insert(lab.plant(work(extras)));
  ok(answer !== undefined);
  return recordOrThrow(answer).job.id;
}

async function askWithin(lab: StoreLab, session: object, extras: Extras): Promise<string> {
  const [answer] = await lab.store.insert([lab.plant(work(extras))], session);
  ok(answer !== undefined);
  return recordOrThrow(answer).job.id;
}

/** A transaction sees the data of its first read from then on. */
async function look(lab: StoreLab, session: object): Promise<void> {
  await askWithin(lab, session, { uniqueKey: 'other' });
}

/** Resolves when something is done, or seems not to be before the transaction ends: a store may let it wait for that. */
export async function unlessItWaits(lab: StoreLab, doing: Promise<unknown>): Promise<void> {
  let isDone = false;
  const done = (): void => {
    isDone = true;
  };
  doing.then(done, done);
  for (let turns = 0; turns < 50 && !isDone; turns++) await lab.settled();
}
