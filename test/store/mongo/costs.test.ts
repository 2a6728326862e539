/** The costs of jobs in commands and in documents written, which do not depend on the machine. */

import { type Document, ObjectId } from 'mongodb';
import { firstValueFrom, skip } from 'rxjs';
import { describe, expect, it } from 'vitest';
import {
  currentTask,
  type Draft,
  type FunctionTask,
  type IAsyncService,
  type Job,
  makeJob,
  never,
  parallel,
  serial,
  task,
} from '../../../src/index.js';
import { VirtualClock } from '../../../src/testing/virtual-clock.js';
import { deferred } from '../../support/deferred.js';
import { type Cost, Processes } from './processes.js';

const processes = await Processes.forTests('costs');

const add = task('add', { quotas: [] }, (x: number, y: number) => x + y);
const show = task('show', { quotas: [] }, (value: number) => value);
const inOrder = task('inOrder', (value: number) => value);
const tasks = [add, show, inOrder];

/** A quota for each tenant. */
const tenants = (count: number): Readonly<Record<string, number>> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`tenant${index}`, 1]));

/** A process that has done everything once, so that it listens and knows its quotas. */
async function warm(async: IAsyncService): Promise<void> {
  await (await async.queueJob(add, 1, 2)).waitForResult();
  await (await async.queueJob(inOrder, 1)).waitForResult();
}

/**
 * The cost of `count` jobs that wait at once, from their insertion until the only dispatcher, which has run such jobs before, has ended
 * them all.
 */
async function draining(what: typeof inOrder | typeof show, count: number): Promise<Cost> {
  const queuer = (await processes.start({ tasks, dispatcher: false })).async;
  const worker = (await processes.start({ tasks, clock: new VirtualClock(), dispatcher: { agents: [{ concurrency: 100 }] } })).async;
  const drain = async (jobs: number): Promise<void> => {
    const drained = firstValueFrom(worker.events.all.pipe(skip(jobs - 1)));
    await queuer.queueJobs(Array.from({ length: jobs }, (_, value) => makeJob(what, value)));
    await drained;
  };
  await drain(200);
  return processes.costOf(() => drain(count));
}

/** A process whose clock stands still, and the cost of an action in it, with the one write that releases jobs whose follow-ups are done. */
async function still(quotas: Readonly<Record<string, number>> = {}) {
  const clock = new VirtualClock();
  const { async } = await processes.start({ tasks, clock, quotas });
  await processes.untilHeard(() => warm(async));
  const costOf = async (run: () => Promise<unknown>): Promise<{ readonly commands: number; readonly documents: number }> => {
    const { names, documents } = await processes.costOf(run);
    const relief = await processes.costOf(() => clock.advance(1_000, () => processes.quiet()));
    return { commands: names.length, documents: documents + relief.documents };
  };
  return { async, clock, costOf };
}

/** The cost of one more child of a batch: the difference between 30 children and 10, without the cost of the batch. */
async function perChild(batchOf: typeof serial | typeof parallel) {
  const { async, costOf } = await still();
  const of = (size: number) =>
    costOf(async () => (await async.queueJob(batchOf(...Array.from({ length: size }, () => makeJob(add, 1, 2))))).waitForOutcome());
  // The first gives the quota's place in hand away.
  await of(0);
  const [few, many] = [await of(10), await of(30)];
  return { commands: (many.commands - few.commands) / 20, documents: (many.documents - few.documents) / 20 };
}

describe('in one process which also works', () => {
  it('a job that is queued and waited for takes 4 commands: insert, find, claim, settle; and 3 writes of a document', async () => {
    const { async } = await processes.start({ tasks });
    await warm(async);
    const { names, documents } = await processes.costOf(async () => (await async.queueJob(add, 40, 2)).waitForResult());
    expect({ names, documents }).toEqual({ names: ['insert', 'find', 'update', 'update'], documents: 3 });
  });

  it('under a quota takes one more, which asks for a place, once', async () => {
    const { async } = await processes.start({ tasks });
    await (await async.queueJob(add, 1, 2)).waitForResult();
    const one = () => processes.costOf(async () => (await async.queueJob(inOrder, 1)).waitForResult());
    const [first, next] = [await one(), await one()];
    expect(first.names).toEqual(['insert', 'find', 'findAndModify', 'update', 'update']);
    expect({ names: next.names, documents: next.documents }).toEqual({ names: ['insert', 'find', 'update', 'update'], documents: 3 });
  });

  it('a job with a callback takes 15 commands at most, and 10 writes, until both have run', async () => {
    const { async, costOf } = await still();
    const job = makeJob(add, 40, 2).withCallbacks({ success: show });
    const { commands, documents } = await costOf(async () => (await async.queueJob(job)).waitForResult());
    // A stream that shows the callback's turn after it has begun causes one more look.
    expect([14, 15]).toContain(commands);
    expect(documents).toBe(10);
  });

  it('a step that is added to a batch takes one transaction, which reads no other step', async () => {
    const { async } = await processes.start({ tasks, dispatcher: false });
    const batch = await async.queueJob(serial(makeJob(add, 1, 2), makeJob(add, 3, 4)).with({ delayMs: 60_000 }));
    const { names, documents } = await processes.costOf(() => async.extendBatch(batch, makeJob(add, 5, 6)));
    expect({ names, documents }).toEqual({
      names: ['find', 'findAndModify', 'findAndModify', 'insert', 'commitTransaction'],
      documents: 2,
    });
  });

  it('a child of a serial batch takes 3 commands, and 4 writes: insert, unblock and claim in one, settle, removal', async () => {
    const { commands, documents } = await perChild(serial);
    expect(documents).toBe(4);
    expect(commands).toBeCloseTo(3, 0);
  });

  it('a child of a parallel batch takes one write more, and less than half a command', async () => {
    const { commands, documents } = await perChild(parallel);
    expect(documents).toBe(5);
    expect(commands).toBeLessThanOrEqual(0.5);
  });

  it.each([0, 600])(
    'an idle minute with %i quotas takes 18 commands and the getMores of its stream, one every 10 s of the server, and 6 writes',
    async (count) => {
      const { clock } = await still(tenants(count));
      const { commands, documents } = await processes.costOf(() => clock.advance(60_000, () => processes.quiet()));
      expect(commands).toHaveLength(18);
      expect(documents).toBe(6);
    },
  );
});

describe('a parallel batch that is cancelled', () => {
  it('takes 14 commands until it has ended, however many steps wait, and one write for each step', async () => {
    // On standing time, so that nothing is let go of in between.
    const { async } = await processes.start({ tasks, dispatcher: false, clock: new VirtualClock() });
    // The process that has room opens the batch, but does not know the task of its steps.
    await processes.start({ tasks: [show], clock: new VirtualClock() });
    const cancelling = async (size: number): Promise<Cost> => {
      const batch = await async.queueJob(parallel(...Array.from({ length: size }, () => makeJob(add, 1, 2))).with({ quotas: [] }));
      const waits = { parent: new ObjectId(batch.id), status: 'pending' };
      await processes.until(async () => (await processes.collection('jobs').countDocuments(waits)) === size);
      return processes.costOf(() => batch.cancel());
    };
    const [few, many] = [await cancelling(10), await cancelling(300)];
    expect(few.names).toHaveLength(14);
    expect(many.names).toEqual(few.names);
    expect(many.documents - few.documents).toBe(290 * 2);
  });
});

describe('a chain of jobs, each returned by the one before', () => {
  it.each([
    ['a quota that is free', {}],
    ['a quota that the one before has still', { retry: never }],
  ] as const)('costs at most 20 commands for each of them, however long it is, under %s', { timeout: 60_000 }, async (_what, options) => {
    const next: FunctionTask<(left: number) => Promise<Job<unknown>> | number> = task('next', options, (left: number) =>
      left === 0 ? 0 : async.queueJob(next, left - 1),
    );
    const { async } = await processes.start({ tasks: [next], dispatcher: { agents: [{ concurrency: 2 }] } });
    const costOf = async (length: number): Promise<number> =>
      (await processes.during(async () => (await async.queueJob(next, length)).waitForResult())).length;
    const [short, long] = [await costOf(10), await costOf(40)];
    expect((long - short) / 30).toBeLessThanOrEqual(20);
  });
});

describe('many at once', () => {
  it('a thousand jobs queued at once take one insert', async () => {
    const { async } = await processes.start({ tasks, dispatcher: false });
    const { names, documents } = await processes.costOf(() => Promise.all(Array.from({ length: 1_000 }, () => async.queueJob(add, 1, 2))));
    expect({ names, documents }).toEqual({ names: ['insert'], documents: 1_000 });
  });

  it('jobs without a quota take 3 commands a hundred, at a concurrency of 100, and 2 writes each after the insert', async () => {
    const { names, documents } = await draining(show, 400);
    expect(names.length / 400).toBeLessThanOrEqual(0.035);
    expect(documents).toBe(3 * 400);
  });

  it('jobs under a quota of 1, in order, take at most 0.035 commands each, and 2 writes after the insert', async () => {
    const { names, documents } = await draining(inOrder, 400);
    expect(names.length / 400).toBeLessThanOrEqual(0.035);
    expect(documents).toBe(3 * 400);
  });
});

describe('jobs whose time comes', () => {
  /** A store whose clock stands still, with `count` more jobs like one that it makes. */
  async function waiting(job: Draft<unknown>, count: number, like: (place: number) => Document) {
    const { async, store } = await processes.start({ tasks, clock: new VirtualClock(), dispatcher: false });
    const jobs = processes.collection('jobs');
    const { _id, ...first } = (await jobs.findOneAndDelete({ _id: new ObjectId((await async.queueJob(job)).id) })) ?? {};
    await jobs.insertMany(Array.from({ length: count }, (_, place) => ({ ...first, ...like(place) })));
    return { recover: () => store.recover('somebody'), count: (status: string) => jobs.countDocuments({ status }) };
  }

  const longAgo = (place: number): Date => new Date(Date.UTC(2020, 0, 1) + place);
  const delayed = makeJob(show, 1).with({ delayMs: 60_000 });

  it('become pending by set writes: 2,000 that are due at once take at most 0.02 commands each, and one write', async () => {
    const { recover, count } = await waiting(delayed, 2_000, (place) => ({ dueAt: longAgo(place) }));
    const { names, documents } = await processes.costOf(recover);
    expect(names.length / 2_000).toBeLessThanOrEqual(0.02);
    expect([documents, await count('pending')]).toEqual([2_000, 2_000]);
  });

  it('expire by set writes: 800 that are late at once take at most 0.04 commands each, and one write', async () => {
    const limited = makeJob(show, 1).with({ beginBy: new Date(Date.UTC(2200, 0, 1)) });
    const { recover, count } = await waiting(limited, 800, (place) => ({ beginBy: longAgo(place), pendingBeginBy: longAgo(place) }));
    const { names, documents } = await processes.costOf(recover);
    expect(names.length / 800).toBeLessThanOrEqual(0.04);
    expect([documents, await count('failed')]).toEqual([800, 800]);
  });

  it.each([
    ['due', 'dueAt', delayed],
    ['late', 'pendingBeginBy', makeJob(show, 1).with({ beginBy: new Date(Date.UTC(2200, 0, 1)) })],
  ] as const)('are found from an index, without a look at more than are read, however many are %s', async (_what, field, job) => {
    const { recover } = await waiting(job, 1_000, (place) => ({ [field]: longAgo(place) }));
    const { commands } = await processes.costOf(recover);
    const reads = commands.filter(({ find, filter }) => find !== undefined && filter?.[field] !== undefined);
    await processes
      .collection('jobs')
      .updateMany({}, { $set: { status: field === 'dueAt' ? 'scheduled' : 'pending', [field]: longAgo(0) } });
    for (const { find, filter, sort, limit } of reads) {
      const command = { explain: { find, filter, sort, limit }, verbosity: 'executionStats' };
      const { totalKeysExamined } = (await processes.database.command(command))['executionStats'];
      expect(totalKeysExamined).toBeLessThanOrEqual(limit + 1);
    }
    expect(reads.length).toBeGreaterThan(2);
  });

  it('take a turn of a round, in which others have theirs, and what is left takes another one, at once', async () => {
    const { recover, count } = await waiting(delayed, 2_100, (place) => ({ dueAt: longAgo(place) }));
    let nextAt: Date | undefined;
    const { commands } = await processes.costOf(async () => {
      nextAt = (await recover()).nextAt;
    });
    expect([nextAt?.getTime(), await count('pending')]).toEqual([expect.any(Number), 2_000]);
    expect(nextAt?.getTime()).toBeLessThan(Date.UTC(2030, 0, 1));
    expect(commands.filter(({ find, distinct }) => find === 'millrace.dispatchers' || distinct !== undefined)).toHaveLength(3);
    expect([await recover(), await count('pending')]).toEqual([{}, 2_100]);
  });
});

describe('many quotas', () => {
  it.each([
    [75, 4],
    [600, 1],
  ])('%i, with %i jobs each, take less than a command a job, of 10 at once', { timeout: 120_000 }, async (count, each) => {
    const options = { tasks, quotas: tenants(count) };
    const queuer = (await processes.start({ ...options, dispatcher: false })).async;
    const worker = (await processes.start({ ...options, clock: new VirtualClock() })).async;
    const drafts = Array.from({ length: count * each }, (_, n) => makeJob(inOrder, n).with({ quotas: [`tenant${n % count}`] }));
    const drained = firstValueFrom(worker.events.all.pipe(skip(drafts.length - 1)));
    const { names, documents } = await processes.costOf(async () => {
      await queuer.queueJobs(drafts);
      await drained;
    });
    expect(names.length).toBeLessThan(drafts.length);
    // Each is queued, claimed and ended; and each quota gives one place, and is there for the next.
    expect(documents).toBeLessThanOrEqual(3 * drafts.length + count + 20);
  });

  it.each([75, 600])('%i are configured at the start by at most 10 commands, and a restart writes nothing', async (count) => {
    const start = () => processes.start({ tasks, quotas: tenants(count), dispatcher: false });
    const [first, again] = [await processes.costOf(start), await processes.costOf(start)];
    expect(first.names.length).toBeLessThanOrEqual(10);
    expect(first.documents).toBe(count + 3);
    expect(again.documents).toBe(0);
  });
});

describe('progress', () => {
  const inALoop = task('inALoop', { quotas: [] }, async (count: number, turns: number) => {
    const { progress, annotate } = currentTask();
    for (let done = 1; done <= count; done++) {
      progress({ done, total: count });
      annotate(`part ${done % 3}`, done);
      if (done % turns === 0) await Promise.resolve();
    }
  });

  it('in a loop of 5,000 calls takes 2 commands at most, and 2 writes, and no read', async () => {
    const { async } = await processes.start({ tasks: [...tasks, inALoop] });
    await warm(async);
    const run = async () => {
      const job = await async.queueJob(inALoop, 5_000, 10);
      await job.waitForResult();
      return job;
    };
    await run();
    let job: Awaited<ReturnType<typeof run>> | undefined;
    const { names, documents } = await processes.costOf(async () => {
      job = await run();
    });
    expect(job?.progress).toEqual({ done: 5_000, total: 5_000 });
    expect(job?.annotations).toEqual({ 'part 0': 4_998, 'part 1': 4_999, 'part 2': 5_000 });
    expect(names).toEqual(['insert', 'find', 'update', 'update', 'update', 'update']);
    expect(documents).toBe(3 + 2);
  });

  it('of a hundred jobs at once takes as many commands as of one', async () => {
    const { async } = await processes.start({ tasks: [...tasks, inALoop], dispatcher: { agents: [{ concurrency: 100 }] } });
    await warm(async);
    const drafts = Array.from({ length: 100 }, () => makeJob(inALoop, 50, 10));
    const drain = async () => {
      const jobs = await async.queueJobs(drafts);
      await Promise.all(jobs.map((job) => job.waitForResult()));
    };
    await drain();
    const { commands } = await processes.costOf(drain);
    const reports = commands.filter(({ updates }) => updates?.[0]?.u?.$set?.progress !== undefined);
    expect(reports.length).toBeGreaterThan(0);
    expect(reports.length).toBeLessThanOrEqual(4);
  });
});

describe('in two processes', () => {
  it('a job queued in one, run in the other, takes 5 commands and 3 writes: as in one, and the reading of its end', async () => {
    const queuer = (await processes.start({ tasks, dispatcher: false })).async;
    await processes.start({ tasks });
    await warm(queuer);
    const { names, documents } = await processes.costOf(async () => (await queuer.queueJob(add, 40, 2)).waitForResult());
    expect({ names, documents }).toEqual({ names: ['insert', 'find', 'update', 'update', 'find'], documents: 3 });
  });
});

describe('a claim', () => {
  it('looks at no more keys, however many jobs have ended, and however many wait for a full quota', async () => {
    const [begun, gate] = [deferred(), deferred()];
    const hold = task('hold', () => {
      begun.resolve();
      return gate.promise;
    });
    const holder = (await processes.start({ tasks: [hold] })).async;
    const queuer = (await processes.start({ tasks, dispatcher: false })).async;
    await holder.queueJob(hold);
    await begun.promise;
    const behind = await pendingOf(await queuer.queueJob(inOrder, 1));
    const ready = await pendingOf(await queuer.queueJob(show, 1));
    await addCopies(behind, 500);
    await addCopies(ended(behind), 500);
    await addCopies(ready, 9);
    const { commands } = await processes.costOf(async () => {
      await processes.start({ tasks: [show, inOrder] });
      await processes.until(async () => (await processes.collection('jobs').countDocuments({ taskName: 'show', status: 'pending' })) === 0);
    });
    const reads = commands.filter(({ hint, distinct, query }) => hint === 'ready' || (distinct !== undefined && query.lane !== undefined));
    expect(reads.map(lanesOf)).toEqual(expect.arrayContaining([[behind['lane']], [ready['lane']]]));
    await addCopies(ready, 10);
    const few = await keysLookedAt(reads);
    await addCopies(behind, 2_000);
    await addCopies(ended(behind), 2_000);
    expect(few).toBeLessThanOrEqual(20);
    expect(await keysLookedAt(reads)).toBe(few);
    gate.resolve();
  });

  it('the latest dead letters cost a look at these, however many others there are', async () => {
    const broken = task('broken', { quotas: [] }, () => Promise.reject(new TypeError('no')));
    const { async } = await processes.start({ tasks: [broken] });
    const job = await async.queueJob(broken);
    await job.waitForOutcome();
    const letter = (await processes.collection('jobs').findOne({ _id: new ObjectId(job.id) })) ?? {};
    await addCopies(letter, 300);
    const { commands } = await processes.costOf(async () => expect(await async.getDeadLetters({ limit: 10 })).toHaveLength(10));
    const [{ find, filter, sort, limit } = {}] = commands;
    const command = { explain: { find, filter, sort, limit }, verbosity: 'executionStats' };
    const { totalKeysExamined, totalDocsExamined } = (await processes.database.command(command))['executionStats'];
    expect(find).toBe('millrace.jobs');
    expect(Math.max(totalKeysExamined, totalDocsExamined)).toBeLessThan(20);
  });

  async function pendingOf({ id }: { readonly id: string }): Promise<Document> {
    const { pendingSignal: _, ...job }: Document = (await processes.collection('jobs').findOne({ _id: new ObjectId(id) })) ?? {};
    return job;
  }

  function ended({ isOpen: _, ...job }: Document): Document {
    return { ...job, status: 'completed' };
  }

  async function addCopies(job: Document, count: number): Promise<void> {
    const copies = Array.from({ length: count }, () => ({ ...job, _id: new ObjectId() }));
    await processes.collection('jobs').insertMany(copies, { writeConcern: { w: 'majority' } });
  }

  function lanesOf({ filter, query }: Document): readonly string[] {
    return (filter ?? query).lane.$in;
  }

  /** By all different reads of a claim together. */
  async function keysLookedAt(reads: readonly Document[]): Promise<number> {
    let keys = 0;
    for (const read of new Map(reads.map((read) => [String(lanesOf(read)), read])).values()) {
      const { find, filter, sort, limit, hint, distinct, key, query } = read;
      const asked = distinct === undefined ? { find, filter, sort, limit, hint } : { distinct, key, query };
      const command = { explain: asked, verbosity: 'executionStats' };
      keys += Number((await processes.database.command(command))['executionStats'].totalKeysExamined);
    }
    return keys;
  }
});
