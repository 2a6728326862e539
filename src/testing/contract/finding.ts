/** Contract cases for finding and counting jobs. */

import { deepEqual, equal } from 'node:assert/strict';
import type { JobQuery } from '../../store/store-messages.js';
import { both, onSuccess, parallel, serial, steps, summary, work } from './plans.js';
import { cases } from './store-case.js';
import { keyOf, type StoreLab } from './store-lab.js';

export const finding = cases('finding', {
  'finds jobs in the order of the ids asked for, and leaves out those that are not there': async (lab) => {
    const [one, two, three] = await lab.queueAll(work(), work(), work());
    deepEqual(await found(lab, { ids: [three, 'f'.repeat(24), one, two] }), [three, one, two]);
    deepEqual(await found(lab, { ids: ['f'.repeat(24)] }), []);
  },

  'finds the jobs that outcomes name with those that have them, behind them, once each': async (lab) => {
    const tree = lab.plant(serial([parallel([work({}, 'deep')]), work()]));
    const other = lab.plant(work());
    await lab.insert(tree, other);
    const [batch, inner, deep, last] = tree.map(({ id }) => id);
    deepEqual(await found(lab, { ids: [batch ?? ''], withNamed: true }), [batch]);
    await lab.drain();
    const [first, second, ...named] = await found(lab, { ids: [other[0].id, batch ?? ''], withNamed: true });
    deepEqual([first, second, named.toSorted()], [other[0].id, batch, [inner, deep, last].toSorted()]);
    deepEqual((await found(lab, { ids: [batch ?? '', inner ?? ''], withNamed: true })).toSorted(), [batch, inner, deep, last].toSorted());
    deepEqual(await found(lab, { ids: [batch ?? ''] }), [batch]);
  },

  'finds everything where nothing is asked, in the order of insertion': async (lab) => {
    const [first, second, third] = [lab.plant(work()), lab.plant(serial([work(), parallel(steps('one'))])), lab.plant(work())];
    await lab.insert(third, second);
    await lab.insert(first);
    const expected = [...third, ...second, ...first].map(({ id }) => id);
    deepEqual(await found(lab, {}), expected);
    equal(await lab.store.count({}), expected.length);
  },

  'keeps the order of insertion, whatever the state of the jobs': async (lab) => {
    const ids = await lab.queueAll(...['one', 'two', 'three', 'four', 'five'].map((task) => work({}, task)));
    const [one, two, three] = await lab.claim({ tasks: ['one', 'two', 'three'] });
    if (one === undefined || two === undefined || three === undefined) throw new Error('three jobs are claimed');
    await lab.complete(two);
    await lab.release(one, true);
    await lab.again(three, 1_000);
    await lab.cancel([ids[3] ?? '']);
    deepEqual(await found(lab, {}), ids);
  },

  'finds jobs by their queue': async (lab) => {
    const [mail, other, plain] = await lab.queueAll(work({ queue: 'mail' }), work({ queue: 'other' }), work());
    await finds(lab, { queue: 'mail' }, [mail]);
    await finds(lab, { queue: '' }, [plain]);
    await finds(lab, { queue: 'nobody' }, []);
    await finds(lab, { queue: undefined }, [mail, other, plain]);
  },

  'finds jobs by their status': async (lab) => {
    const [later, waits, runs, over] = await lab.queueAll(work({ delayMs: 1_000 }), work({}, 'waits'), work({}, 'runs'), work({}, 'over'));
    const after = await lab.addCallback(over, both());
    const [, last] = await lab.claim({ tasks: ['runs', 'over'] });
    await finds(lab, { statuses: ['blocked'] }, [after]);
    await lab.complete(last ?? { id: over, token: '' });
    await finds(lab, { statuses: ['scheduled'] }, [later]);
    await finds(lab, { statuses: ['pending'] }, [waits, after]);
    await finds(lab, { statuses: ['active'] }, [runs]);
    await finds(lab, { statuses: ['callbacks', 'active'] }, [runs, over]);
    await finds(lab, { statuses: ['completed'] }, []);
    await lab.complete(await lab.takeNext({ tasks: ['after'] }));
    await finds(lab, { statuses: ['completed', 'failed', 'cancelled'] }, [over, after]);
    await finds(lab, { statuses: [] }, []);
  },

  'finds jobs by their tasks, batches and undecided callbacks by their kind': async (lab) => {
    const [one, batch, two] = await lab.queueAll(work({}, 'one'), serial(steps('one')), work({}, 'two'));
    const choice = await lab.addCallback(two, onSuccess());
    const step = await lab.child(batch, 'one');
    await finds(lab, { taskNames: ['one'] }, [one, step]);
    await finds(lab, { taskNames: ['two', 'one'] }, [one, step, two]);
    await finds(lab, { taskNames: ['serial'] }, [batch]);
    await finds(lab, { taskNames: ['choice'] }, [choice]);
    await finds(lab, { taskNames: [] }, []);
    await lab.complete(await lab.takeNext({ tasks: ['two'] }));
    await finds(lab, { taskNames: ['choice'] }, []);
    await finds(lab, { taskNames: ['success'] }, [choice]);
  },

  'finds the children of a job, and not theirs': async (lab) => {
    const batch = await lab.queue(serial([work(), parallel(steps('deep'))], { postprocess: summary(), callbacks: [both()] }));
    const late = await lab.addCallback(batch, both());
    const children = await lab.store.find({ parents: [batch] });
    deepEqual(
      children.map(({ job }) => [job.role, job.taskName]),
      [['step', 'work'], ['step', 'parallel'], ['postprocess', 'summary'], ['callback', 'after'], ['callback', 'after']], // biome-ignore format: one line says it
    );
    equal(children.at(-1)?.job.id, late);
    equal(await lab.store.count({ parents: [batch] }), 5);
    await finds(lab, { parents: [late] }, []);
    await finds(lab, { parents: ['f'.repeat(24)] }, []);
  },

  'finds only jobs that match all criteria': async (lab) => {
    const [, wanted, , running] = await lab.queueAll(
      work({ queue: 'mail' }, 'one'),
      work({ queue: 'mail' }, 'two'),
      work({}, 'two'),
      work({ queue: 'mail' }, 'two'),
    );
    const batch = await lab.queue(parallel([work({}, 'two'), work({}, 'one')], { queue: 'mail' }));
    await lab.cancel([running]);
    const step = await lab.child(batch, 'two');
    await finds(lab, { queue: 'mail', taskNames: ['two'], statuses: ['pending'] }, [wanted]);
    await finds(lab, { parents: [batch], taskNames: ['two'], queue: 'mail', statuses: ['blocked'] }, [step]);
    await finds(lab, { ids: [step, running, wanted], statuses: ['cancelled', 'blocked'] }, [step, running]);
    await finds(lab, { ids: [wanted], queue: '' }, []);
  },

  'finds no more than the limit, the first of them': async (lab) => {
    const [one, two, three] = await lab.queueAll(work(), work({}, 'other'), work());
    deepEqual(await found(lab, { limit: 2 }), [one, two]);
    deepEqual(await found(lab, { taskNames: ['work'], limit: 2 }), [one, three]);
    deepEqual(await found(lab, { ids: [three, two, one], limit: 2 }), [three, two]);
    deepEqual(await found(lab, { limit: 10 }), [one, two, three]);
  },

  'finds jobs by when their work ended, and those first that ended last': async (lab) => {
    const ids = await lab.queueAll(work(), work(), work({ callbacks: [both()] }), work());
    const times: Date[] = [];
    for (const id of ids.slice(0, 3)) {
      times.push(lab.in(0));
      await lab.complete(await lab.take(id));
      await lab.advance(1_000);
    }
    const [first, second, third] = ids;
    const [, then] = times;
    deepEqual(await found(lab, { endedSince: then, taskNames: ['work'] }), [second, third]);
    deepEqual(await found(lab, { endedBefore: then }), [first]);
    deepEqual(await found(lab, { endedSince: then, endedBefore: lab.in(-1_000) }), [second]);
    deepEqual(await found(lab, { endedSince: times[0], latestFirst: true }), [third, second, first]);
    deepEqual(await found(lab, { endedSince: times[0], latestFirst: true, limit: 1 }), [third]);
  },

  'goes through all jobs in the order of their ids': async (lab) => {
    const ids = await lab.queueAll(work({ priority: 2 }), work({ delayMs: 5 }), work(), work({}, 'other'));
    const seen: string[] = [];
    for (let after = '0'.repeat(24); seen.length < ids.length; after = seen.at(-1) ?? '') {
      const page = await found(lab, { after, limit: 3 });
      if (page.length === 0) break;
      seen.push(...page);
    }
    deepEqual(seen, [...ids]);
    deepEqual(await found(lab, { after: ids[1], taskNames: ['work'] }), [ids[2]]);
    deepEqual(await found(lab, { after: 'f'.repeat(24) }), []);
  },

  'finds the children of several jobs together': async (lab) => {
    const [one, two] = await lab.queueAll(serial(steps('a', 'b')), parallel(steps('c')));
    deepEqual((await lab.store.find({ parents: [two, one] })).map(({ job }) => job.taskName).toSorted(), ['a', 'b', 'c']);
    await finds(lab, { parents: [] }, []);
  },

  'shows each job as the last call that was answered left it': async (lab) => {
    const id = await lab.queue(work({ callbacks: [both()] }));
    await lab.expect('pending', id);
    const run = await lab.take(id);
    await lab.expect('active', id);
    await lab.complete(run);
    await lab.expect('callbacks', id);
    await lab.drain();
    await lab.expect('completed', id);
  },

  'hands out records that later moves do not change': async (lab) => {
    const id = await lab.queue(work({ callbacks: [both()] }));
    const seen = [await lab.record(id)];
    const run = await lab.take(id);
    seen.push(await lab.record(id));
    await lab.together(lab.store.report([{ ...keyOf(run), progress: 1 }]));
    seen.push(await lab.record(id));
    await lab.complete(run, 42);
    seen.push(await lab.record(id));
    await lab.drain();
    deepEqual(
      seen.map(({ state }) => [state.status, state.progress, state.outcome?.status]),
      [
        ['pending', undefined, undefined],
        ['active', undefined, undefined],
        ['active', 1, undefined],
        ['callbacks', 1, 'completed'],
      ],
    );
  },

  'hands out values that nobody can change for others': async (lab) => {
    const id = await lab.queue(work({ args: [{ list: [1] }] }));
    const [first] = (await lab.record(id)).job.args.read() as [{ list: number[] }];
    first.list.push(2);
    deepEqual((await lab.record(id)).job.args.read(), [{ list: [1] }]);
    deepEqual((await lab.takeNext()).job.args.read(), [{ list: [1] }]);
  },
});

/** The ids of the jobs that are found. */
async function found(lab: StoreLab, query: JobQuery): Promise<readonly string[]> {
  return (await lab.store.find(query)).map(({ job }) => job.id);
}

/** Whether these jobs are found, in this order, and as many counted. */
async function finds(lab: StoreLab, query: JobQuery, ids: readonly string[]): Promise<void> {
  deepEqual([await found(lab, query), await lab.store.count(query)], [ids, ids.length]);
}
