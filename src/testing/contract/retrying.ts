/** Contract cases for retries by hand: a tree that names the job it retries is inserted once. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { JobNotFoundError } from '../../errors.js';
import type { JobTree } from '../../job/job-record.js';
import { NO_PLACES } from '../../job/places.js';
import { copyTree } from '../../job/retry-copy.js';
import { recordOrThrow } from '../../store/insert-result.js';
import { both, onError, onSuccess, parallel, work } from './plans.js';
import { cases } from './store-case.js';
import type { StoreLab } from './store-lab.js';

export const retrying = cases('retrying', {
  'puts the retry in, and notes it on the job that it is of': async (lab) => {
    const id = await failedJob(lab);
    const tree = await retry(lab, id);
    await lab.insert(tree);
    equal((await lab.state(id)).retriedAs, tree[0].id);
    await lab.expect('failed', id);
    equal((await lab.record(tree[0].id)).job.retryOf, id);
    deepEqual(await lab.drain(), ['work']);
    await lab.expect('completed', tree[0].id);
  },

  'keeps the metadata of the job and of the jobs below it': async (lab) => {
    const metadata = { tenant: 'acme', trace: 'a1' };
    const id = await lab.queue(work({ metadata, callbacks: [onError({ metadata: { step: 2 } }), both()] }));
    await lab.fail(await lab.take(id), 'broken');
    await lab.drain();
    const [root, failure, after] = await retry(lab, id);
    deepEqual(root.metadata, metadata);
    deepEqual(failure?.branches?.failure?.[0].metadata, { tenant: 'acme', step: 2 });
    deepEqual(after?.metadata, { tenant: 'acme' });
  },

  'answers a second retry with the first': async (lab) => {
    const id = await failedJob(lab);
    const [first, second] = [await retry(lab, id), await retry(lab, id)];
    await lab.insert(first);
    const [answer] = await lab.insert(second);
    equal(answer !== undefined && recordOrThrow(answer).job.id, first[0].id);
    equal(await lab.store.count({}), 2);
  },

  'lets one of several retries through that come at the same time': async (lab) => {
    const id = await failedJob(lab);
    const trees = await Promise.all([retry(lab, id), retry(lab, id), retry(lab, id)]);
    const answers = await lab.together(...trees.map((tree) => lab.store.insert([tree])));
    equal(new Set(answers.flat().map((answer) => recordOrThrow(answer).job.id)).size, 1);
    equal(await lab.store.count({}), 2);
  },

  'refuses the retry of a job that is not there': async (lab) => {
    const tree = await retry(lab, await failedJob(lab));
    const [answer] = await lab.insert([{ ...tree[0], retryOf: 'f'.repeat(24) }]);
    ok(answer !== undefined && 'refused' in answer && answer.refused instanceof JobNotFoundError);
  },

  'of a callback runs it again with the outcome of its job': async (lab) => {
    const id = await lab.queue(work({ callbacks: [onError()] }));
    await lab.fail(await lab.take(id), 'broken');
    const run = await lab.takeNext();
    await lab.fail(run);
    await lab.expect('failed', id, run.id);
    const tree = await retry(lab, run.id);
    await lab.insert(tree);
    const again = await lab.takeNext();
    equal(again.id, tree[0].id);
    equal(again.job.retryOf, run.id);
    deepEqual(again.input, { status: 'failed', error: { name: 'Error', message: 'broken' } });
  },

  'chooses anew between the two sides of a callback': async (lab) => {
    const id = await lab.queue(work({ callbacks: [{ success: onSide('won'), failure: onSide('lost') }] }));
    deepEqual(await lab.drain({ failing: ['work'] }), ['work', 'lost']);
    await lab.insert(await retry(lab, id));
    deepEqual(await lab.drain(), ['work', 'won']);
  },

  'in a transaction is there with its commit': async (lab) => {
    const id = await failedJob(lab);
    const tree = await retry(lab, id);
    await lab.store.transactions
      .run(async (session) => {
        await lab.store.insert([tree], session);
        throw new Error('no');
      })
      .catch(() => undefined);
    equal((await lab.state(id)).retriedAs, undefined);
    await lab.store.transactions.run((session) => lab.store.insert([tree], session));
    await lab.settled();
    equal((await lab.state(id)).retriedAs, tree[0].id);
    deepEqual(await lab.drain(), ['work']);
  },

  'in a transaction answers a second retry with the first': async (lab) => {
    const [one, other] = [await failedJob(lab), await failedJob(lab)];
    const trees = [await retry(lab, one), await retry(lab, one), await retry(lab, other), await retry(lab, other)] as const;
    const ids = await lab.store.transactions.run(async (session) => {
      const answers = [
        ...(await lab.store.insert([trees[0]], session)),
        ...(await lab.store.insert([trees[1]], session)),
        ...(await lab.store.insert([trees[2], trees[3]], session)),
      ];
      return answers.map((answer) => recordOrThrow(answer).job.id);
    });
    await lab.settled();
    const [[first], , [third]] = trees;
    deepEqual(ids, [first.id, first.id, third.id, third.id]);
    equal(await lab.store.count({}), 4);
    deepEqual([(await lab.state(one)).retriedAs, (await lab.state(other)).retriedAs], [first.id, third.id]);
  },

  'answers with an earlier retry before it asks who has the key, in a transaction or outside': async (lab) => {
    const keyed = work({ uniqueKey: 'inbox' });
    const id = await lab.queue(keyed);
    await lab.fail(await lab.take(id));
    const [first, inside, outside] = [await retry(lab, id), await retry(lab, id), await retry(lab, id)];
    await lab.insert(first);
    await lab.fail(await lab.takeNext());
    await lab.queue(keyed);
    const answers = [
      ...(await lab.store.transactions.run((session) => lab.store.insert([inside], session))),
      ...(await lab.insert(outside)),
    ];
    deepEqual(
      answers.map((answer) => recordOrThrow(answer).job.id),
      [first[0].id, first[0].id],
    );
  },

  'of a whole batch runs all of it again': async (lab) => {
    const id = await lab.queue(parallel([work({}, 'one'), work({ callbacks: [both(), onSuccess()] }, 'two')], { onFailure: 'fail' }));
    await lab.drain({ failing: ['one'] });
    await lab.expect('failed', id);
    const tree = await retry(lab, id);
    await lab.insert(tree);
    deepEqual((await lab.drain()).toSorted(), ['after', 'one', 'success', 'two']);
    await lab.expect('completed', tree[0].id, ...tree.map(({ id: each }) => each));
    deepEqual(
      (await lab.store.find({ ids: tree.map(({ id: each }) => each) })).map(({ job }) => job.parent),
      tree.map(({ parent }) => parent),
    );
  },

  'finds jobs that were retried, and those that were not': async (lab) => {
    const [one, other] = [await failedJob(lab), await failedJob(lab)];
    const tree = await retry(lab, one);
    await lab.insert(tree);
    const found = async (isRetried: boolean): Promise<readonly string[]> =>
      (await lab.store.find({ statuses: ['failed'], isRetried })).map(({ job }) => job.id);
    deepEqual([await found(true), await found(false)], [[one], [other]]);
  },
});

function onSide(name: string) {
  return work({ input: 'outcome' }, name);
}

async function failedJob(lab: StoreLab): Promise<string> {
  const id = await lab.queue(work());
  await lab.fail(await lab.take(id));
  return id;
}

export async function retry(lab: StoreLab, id: string): Promise<JobTree> {
  const below = [];
  for (let parents: readonly string[] = [id]; parents.length > 0; ) {
    const children = await lab.store.find({ parents });
    below.push(...children.map(({ job }) => job));
    parents = children.map(({ job }) => job.id);
  }
  const context = { nextId: lab.expansion.nextId, now: new Date(lab.now), placesAround: NO_PLACES };
  return copyTree((await lab.record(id)).job, below, context);
}
