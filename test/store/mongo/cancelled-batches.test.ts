/** Batches that are cancelled while claims go on in several processes, or by a process that dies over it. */

import { ObjectId } from 'mongodb';
import { describe, expect, it } from 'vitest';
import { type Job, makeJob, parallel, serial, task } from '../../../src/index.js';
import { VirtualClock } from '../../../src/testing/virtual-clock.js';
import { type Deferred, deferred, untilAborted } from '../../support/deferred.js';
import { Processes } from './processes.js';

const processes = await Processes.forTests('cancelled');

/** Its driver looks soon whether the server is there again. */
const DYING = { appName: 'dying', heartbeatFrequencyMS: 500 };

const hang = task('hang', { quotas: [] }, () => untilAborted());
const after = task('after', { quotas: [] }, () => 1);

/** Steps that count how many of them have begun, and go on when a gate opens; a signal comes when `count` of them have begun. */
function counted(count: number) {
  const [gate, all]: readonly Deferred<void>[] = [deferred(), deferred()];
  const begun = { count: 0 };
  const step = task('step', { quotas: [] }, async () => {
    if (++begun.count === count) all?.resolve();
    await gate?.promise;
  });
  return { step, begun, areBegun: all?.promise, goOn: () => gate?.resolve() };
}

describe('a parallel batch that is cancelled while its steps run', () => {
  it('has no other step begin in the process that cancels it, though places become free all the time', async () => {
    const { step, goOn, begun, areBegun } = counted(20);
    const { async } = await processes.start({ tasks: [step], dispatcher: { agents: [{ concurrency: 20 }] } });
    const batch = await async.queueJob(parallel(...Array.from({ length: 200 }, () => makeJob(step))));
    await areBegun;
    const cancelled = batch.cancel('enough');
    goOn();
    await cancelled;
    expect(await batch.waitForOutcome()).toEqual({ status: 'cancelled', reason: 'enough' });
    expect(begun.count).toBe(20);
  });

  it('has no other step begin in any process once the cancellation has been answered', async () => {
    const { step, goOn, begun, areBegun } = counted(20);
    const { async } = await processes.start({ tasks: [step], dispatcher: false });
    await processes.start({ tasks: [step], dispatcher: { agents: [{ concurrency: 10 }] } });
    await processes.start({ tasks: [step], dispatcher: { agents: [{ concurrency: 10 }] } });
    const batch = await async.queueJob(parallel(...Array.from({ length: 200 }, () => makeJob(step))));
    await areBegun;
    await batch.cancel('enough');
    goOn();
    expect(await batch.waitForOutcome()).toEqual({ status: 'cancelled', reason: 'enough' });
    expect(begun.count).toBe(20);
  });
});

describe('batches whose cancellation was asked for by a process that died over it', () => {
  it('end, and nothing more of them begins, whichever command was its last', { timeout: 120_000 }, async () => {
    const clock = new VirtualClock();
    const [begun, quotas] = [{ count: 0 }, { gate: 1 }];
    const step = task('step', { quotas: ['gate'] }, () => void begun.count++);
    const tasks = [hang, step, after];
    const dying = (await processes.start({ tasks, quotas, clock: new VirtualClock(), dispatcher: false }, {}, DYING)).async;
    const { async } = await processes.start({ tasks, quotas, clock, dispatcher: { agents: [{ concurrency: 1_000 }] } });
    const holder = await async.queueJob(makeJob(hang).with({ quotas: ['gate'] }));
    const batches: Job<unknown>[] = [];
    for (let isAnswered = false; !isAnswered; ) {
      const followedJob = serial(makeJob(hang), makeJob(step)).with({ quotas: [] });
      const steps = [makeJob(hang), followedJob, makeJob(step).withCallback(after), parallel(makeJob(step))];
      const batch = await async.queueJob(parallel(...steps).with({ quotas: [] }));
      batches.push(batch);
      while ((await claimed()) < 1 + 2 * batches.length) await clock.advance(100, () => processes.quiet());
      isAnswered = await cancelBefore(batches.length, dying.getJob(batch.id));
    }
    await makeOld();
    for (let round = 0; round < 4; round++) await clock.advance(10_000, () => processes.quiet());
    for (const batch of batches) {
      // A wish that was never written is nobody's.
      const document = await processes.collection('jobs').findOne({ _id: new ObjectId(batch.id) });
      if (document?.['cancel'] === undefined) await batch.cancel();
      expect([batches.indexOf(batch), (await batch.waitForOutcome()).status]).toEqual([batches.indexOf(batch), 'cancelled']);
    }
    await holder.cancel();
    await clock.advance(10_000, () => processes.quiet());
    expect(begun.count).toBe(0);
    expect(await processes.collection('jobs').countDocuments({ owner: { $exists: true } })).toBe(0);
  });

  /** Those that have been claimed, whatever has become of them. */
  function claimed(): Promise<number> {
    return processes.collection('jobs').countDocuments({ taskName: 'hang', status: { $nin: ['blocked', 'pending'] } });
  }

  /** Cancels a job by a process that dies after `commands` commands. @returns whether these were enough */
  async function cancelBefore(commands: number, found: Promise<Job<unknown> | undefined>): Promise<boolean> {
    const job = await found;
    const { faults } = processes;
    if (faults === undefined || job === undefined) throw new Error('this needs the faults of the stand-in, and a job');
    const isCounted = (command: object): boolean =>
      ['find', 'findAndModify', 'update', 'distinct', 'aggregate'].some((name) => name in command);
    let left = commands;
    faults.intercept = (command, appName) => (appName === DYING.appName && isCounted(command) && --left <= 0 ? 'close' : undefined);
    const cancelling = job.cancel('enough');
    const isAnswered = await cancelling.then(
      () => true,
      () => false,
    );
    faults.intercept = undefined;
    return isAnswered;
  }

  /** As if all this had been long ago. */
  async function makeOld(): Promise<void> {
    const jobs = processes.collection('jobs');
    await jobs.updateMany({ owner: { $exists: true }, waitsFor: { $exists: true } }, { $set: { startedAt: new Date(0) } });
    await jobs.updateMany({ owner: { $exists: true }, endedAt: { $exists: true } }, { $set: { endedAt: new Date(0) } });
  }
});
