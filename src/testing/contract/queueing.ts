/** Contract cases for queueing: trees go in whole, once, in their order. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { Binary, Decimal128, Double, Int32, Long, MinKey, ObjectId, Timestamp } from 'bson';
import { JobNotFoundError } from '../../errors.js';
import { metadataOf } from '../../job/metadata.js';
import { both, onSuccess, parallel, serial, summary, work } from './plans.js';
import { cases } from './store-case.js';
import { keyOf } from './store-lab.js';

export const queueing = cases('queueing', {
  'answers with the record of each tree, in the order given': async (lab) => {
    const trees = [lab.plant(work()), lab.plant(serial([work()])), lab.plant(work({ delayMs: 1_000 }))];
    const inserted = await lab.insert(...trees);
    deepEqual(
      inserted.map((one) => 'record' in one && [one.record.job.id, one.record.state.status]),
      trees.map(([root], index) => [root.id, index === 2 ? 'scheduled' : 'pending']),
    );
  },

  'begins with no attempts, failures or interruptions, and with the time of the store': async (lab) => {
    const { status, attempts, failures, interruptions, queuedAt, outcome, token, owner } = await lab.state(await lab.queue(work()));
    deepEqual([status, attempts, failures, interruptions, outcome, token, owner], ['pending', 0, 0, 0, undefined, undefined, undefined]);
    equal(queuedAt.getTime(), lab.now);
  },

  'keeps the queued jobs': async (lab) => {
    const extras = { args: ['inbox', { size: 2 }], name: 'mine', queue: 'mail', priority: 3, beginBy: lab.in(5_000), places: { pair: 2 } };
    const tree = lab.plant(work(extras));
    await lab.insert(tree);
    const { job } = await lab.record(tree[0].id);
    deepEqual(job.args.read(), extras.args);
    deepEqual(
      [job.name, job.queue, job.priority, job.beginBy, { ...job.places }],
      [extras.name, extras.queue, extras.priority, extras.beginBy, extras.places],
    );
  },

  'brings values of the types of BSON back by the classes that they had, as arguments and as results': async (lab) => {
    const values: readonly object[] = [
      new ObjectId(),
      Long.fromString('9007199254740993'),
      Long.fromNumber(5),
      new Int32(5),
      new Double(5),
      Decimal128.fromString('1.50'),
      new Timestamp({ t: 1, i: 2 }),
      new Binary(Buffer.from([1, 2]), 5),
      new Binary(Buffer.from([1, 2])),
      new MinKey(),
    ];
    const tree = lab.plant(work({ args: [...values, 5n, Buffer.from([1])] }));
    await lab.insert(tree);
    const run = await lab.take(tree[0].id);
    const args = run.job.args.read() as readonly unknown[];
    deepEqual(args, [...values, 5n, Buffer.from([1])]);
    values.forEach((value, index) => {
      ok((args[index] as object) instanceof value.constructor, `instanceof ${value.constructor.name}`);
    });
    await lab.complete(run, values[1]);
    const { outcome } = await lab.state(run.id);
    const result = outcome?.status === 'completed' ? outcome.result.read() : undefined;
    ok(result instanceof Long, 'a result of 64 bits comes back as it was given');
    equal(String(result), '9007199254740993');
  },

  'keeps on whose behalf each job of a tree runs: that of its root, unless it names another': async (lab) => {
    const [ann, bob] = [
      { realm: 'staff', id: 'ann' },
      { realm: 'staff', id: 'bob' },
    ] as const;
    const side = { principal: bob, callbacks: [both()] } as const;
    const tree = lab.plant(serial([work(), work({ principal: bob })], { principal: ann, callbacks: [onSuccess(side)] }));
    await lab.insert(tree);
    await lab.drain();
    const found = await lab.store.find({});
    deepEqual(
      found.map(({ job }) => [job.taskName, job.principal]),
      [
        ['serial', ann],
        ['work', ann],
        ['work', bob],
        ['success', bob],
        ['after', bob],
      ],
    );
  },

  'keeps the metadata of each job of a tree, and gives those below it the keys that are inherited': async (lab) => {
    const metadata = { tenant: 'acme', trace: 'a1' };
    const other = { tenant: 'other' };
    const tree = lab.plant(serial([work(), work({ metadata: other, callbacks: [onSuccess()] })], { metadata, callbacks: [both()] }));
    await lab.insert(tree);
    await lab.drain();
    const found = await lab.store.find({});
    deepEqual(
      found.map(({ job }) => [job.taskName, job.metadata]),
      [
        ['serial', metadata],
        ['work', { tenant: 'acme' }],
        ['work', other],
        ['success', other],
        ['after', { tenant: 'acme' }],
      ],
    );
  },

  'brings metadata back as it was, whatever its keys and values look like': async (lab) => {
    const metadata = metadataOf('the job', {
      constructor: '$set',
      'a.b': '$$ROOT',
      'x/y:z-_': '__proto__',
      text: '\u0000\n"€',
      number: -1.5,
      large: Number.MAX_SAFE_INTEGER,
      yes: true,
      no: false,
    });
    const id = await lab.queue(work({ metadata }));
    const run = await lab.take(id);
    deepEqual(run.job.metadata, metadata);
    await lab.store.reschedule([{ ...keyOf(run), delayMs: 1_000 }]);
    await lab.later(1_000);
    deepEqual((await lab.take(id)).job.metadata, metadata);
    const bare = await lab.queue(work());
    equal('metadata' in (await lab.record(bare)).job, false);
  },

  'puts a tree in with everything below it, blocked': async (lab) => {
    const plan = parallel([work(), serial([work(), work()])], { postprocess: summary(), callbacks: [both(), onSuccess()] });
    const tree = lab.plant(plan);
    await lab.insert(tree);
    const found = await lab.store.find({ ids: tree.map(({ id }) => id) });
    deepEqual(
      found.map(({ state }) => state.status),
      tree.map((_, index) => (index === 0 ? 'pending' : 'blocked')),
    );
  },

  'leaves a tree that is there already as it is': async (lab) => {
    const tree = lab.plant(serial([work()], { callbacks: [both()] }));
    await lab.insert(tree);
    await lab.drain();
    const before = await lab.store.find({});
    const [again] = await lab.insert(tree);
    ok(again !== undefined && 'record' in again);
    equal(again.record.state.status, 'completed');
    deepEqual(await lab.store.find({}), before);
  },

  'puts a tree in once that is given twice in one call': async (lab) => {
    const tree = lab.plant(work());
    equal((await lab.insert(tree, tree)).filter((one) => 'record' in one).length, 2);
    equal(await lab.store.count({}), 1);
    equal((await lab.claim()).length, 1);
  },

  'runs a callback once that is inserted twice': async (lab) => {
    const id = await lab.queue(work());
    const tree = await lab.plantCallback(id, both());
    await lab.insert(tree);
    await lab.insert(tree);
    deepEqual(await lab.drain(), ['work', 'after']);
    await lab.insert(tree);
    deepEqual(await lab.drain(), []);
  },

  'refuses a callback of a job that is not there, with all its jobs, and nothing beside it': async (lab) => {
    const id = await lab.queue(work());
    const [root, ...below] = await lab.plantCallback(id, both({ callbacks: [both()] }));
    const orphan = { ...root, parent: 'f'.repeat(24) };
    const neighbours = [lab.plant(work()), lab.plant(work())] as const;
    const [first, refused, last] = await lab.insert(neighbours[0], [orphan, ...below], neighbours[1]);
    ok(first !== undefined && 'record' in first && last !== undefined && 'record' in last);
    ok(refused !== undefined && 'refused' in refused && refused.refused instanceof JobNotFoundError);
    deepEqual(await lab.store.find({ ids: [orphan.id, ...below.map((job) => job.id)] }), []);
  },

  'is not affected by a change of a tree after it was inserted': async (lab) => {
    const tree = lab.plant(work({ priority: 1 }));
    const { id } = tree[0];
    await lab.insert(tree);
    Object.assign(tree[0], { queue: 'elsewhere', priority: 9 });
    const { job } = await lab.record(id);
    deepEqual([job.queue, job.priority], ['', 1]);
  },

  'adds quotas that are new to it behind those it knows': async (lab) => {
    await lab.store.start({ clock: lab.clock, quotas: new Map([['fresh', 4], ...lab.expansion.book]) });
    deepEqual([...lab.store.quotas.keys()], [...lab.expansion.book.keys(), 'fresh']);
    equal(lab.store.quotas.get('fresh'), 4);
    await lab.store.stop();
  },

  'knows the sizes of its quotas': async (lab) => {
    deepEqual([...lab.store.quotas], [...lab.expansion.book]);
  },
});
