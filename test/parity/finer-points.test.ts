/** Behaviour that could easily be different, and was decided. */

import { from } from 'rxjs';
import { expect, it } from 'vitest';
import { currentTask, fixedDelay, type IAsyncService, type JobStore, makeJob, never, type RetryPolicy, task } from '../../src/index.js';
import { onBothStores } from '../support/both-stores.js';
import { deferred, Log, untilAborted } from '../support/deferred.js';

/** A task that notes what it is called with. */
function noting() {
  const noted: unknown[] = [];
  const note = task('note', { quotas: [] }, (what: unknown) => {
    noted.push(what);
  });
  return { noted, note };
}

/** A build of a task, which fails at its first run, as its policy has it in this build. */
function build(retry: RetryPolicy) {
  return task('work', { quotas: [], retry }, () => {
    if (currentTask().attempt === 1) throw new Error('not yet');
    return 42;
  });
}

const quick = task('quick', { quotas: [] }, () => 42);
const broken = task('broken', { quotas: [] }, () => {
  throw new RangeError('it broke');
});
const ONE_AT_A_TIME = { agents: [{ concurrency: 1 }] };

onBothStores((stage) => {
  it('a job that is cancelled and retried is a new one at the end of the line, and waits for no time', async () => {
    const { noted, note } = noting();
    const { async, advance, clock, stateOf } = await stage.start({ tasks: [note], dispatcher: false });
    const delayed = await async.queueJob(makeJob(note, 'delayed').with({ beginAfter: new Date(clock.now() + 3_600_000) }));
    const first = await async.queueJob(note, 'first');
    await advance(1_000);
    await async.queueJob(note, 'second');
    for (const job of [first, delayed]) await job.cancel();
    const again = [await first.retry(), await delayed.retry()] as const;
    expect(again.map(({ id }) => id)).not.toContain(first.id);
    const worker = await stage.start({ tasks: [note], dispatcher: ONE_AT_A_TIME });
    await worker.drain();
    expect(noted).toEqual(['second', 'first', 'delayed']);
    expect((await stateOf(first)).status).toBe('cancelled');
  });

  it.each(['a promise', 'an observable'])('a job that returned %s is active, and holds its slot, until that ends', async (kind) => {
    const gate = deferred<number>();
    const slow = task('slow', { quotas: [] }, () => (kind === 'a promise' ? gate.promise : from(gate.promise)) as unknown);
    const { async, drain, stateOf } = await stage.start({ tasks: [slow, quick], dispatcher: ONE_AT_A_TIME });
    const jobs = [await async.queueJob(slow), await async.queueJob(quick)] as const;
    await drain();
    expect([(await stateOf(jobs[0])).status, (await stateOf(jobs[1])).status]).toEqual(['active', 'pending']);
    gate.resolve(7);
    expect([await jobs[0].waitForResult(), await jobs[1].waitForResult()]).toEqual([7, 42]);
  });

  it('a job is interrupted ten times at most, and then aborted', async () => {
    const work = task('work', { quotas: [] }, () => untilAborted());
    const { async, stateOf } = await stage.start({ tasks: [work], dispatcher: false });
    const job = await async.queueJob(work);
    const seen: string[] = [];
    for (let life = 0; life < 11; life++) {
      const worker = await stage.start({ tasks: [work], dispatcher: { stopMs: 0 } });
      await worker.drain();
      await worker.stop();
      seen.push((await stateOf(job)).status);
    }
    expect(seen).toEqual([...Array(10).fill('pending'), 'failed']);
    expect(await stateOf(job)).toMatchObject({ attempts: 11, failures: 0, outcome: { error: { name: 'AbortedError' } } });
  });

  it('progress and annotations are seen before the transaction around them ends, and stay when that is undone', async () => {
    const gate = deferred();
    const service: { async?: IAsyncService } = {};
    const work = task('work', { quotas: [] }, () =>
      service.async?.transaction(async () => {
        await service.async?.queueJob(quick);
        const { progress, annotate } = currentTask();
        progress(0.5);
        annotate('page', 7);
        await gate.promise;
      }),
    );
    const { async, drain } = await stage.start({ tasks: [work, quick] });
    service.async = async;
    const other = await stage.start({ tasks: [work], dispatcher: false });
    const job = await async.queueJob(work);
    await drain();
    const seen = await other.async.getJob(job.id, work);
    expect([seen?.status, seen?.progress, seen?.annotations]).toEqual(['active', 0.5, { page: 7 }]);
    gate.reject(new RangeError('it broke'));
    await drain();
    await seen?.refresh();
    expect([seen?.status, seen?.progress, seen?.annotations]).toEqual(['failed', 0.5, { page: 7 }]);
    expect(await other.store.count({})).toBe(1);
  });

  it('an agent is asked for each task once, at the start, and not for each job', async () => {
    const asked: string[] = [];
    const accepts = (name: string): boolean => {
      asked.push(name);
      return name === 'quick';
    };
    const options = { tasks: [quick, broken], dispatcher: { agents: [{ accepts }] } };
    const { async, drain, stateOf } = await stage.start(options);
    expect(asked.toSorted()).toEqual(['broken', 'quick']);
    const [refused, ...taken] = await async.queueJobs([makeJob(broken), makeJob(quick), makeJob(quick)]);
    await drain();
    expect(await Promise.all(taken.map((job) => job.waitForResult()))).toEqual([42, 42]);
    expect([(await stateOf(refused)).status, asked.length]).toEqual(['pending', 2]);
  });

  it('the policy of a draft is stored with its job, that of a task is the one of the build that runs it', async () => {
    const [old, today] = [build(never), build(fixedDelay({ attempts: 2, delayMs: 0 }))];
    const { async } = await stage.start({ tasks: [old], dispatcher: false });
    const worker = await stage.start({ tasks: [today] });
    const [ofTask, ofDraft] = [await async.queueJob(old), await async.queueJob(makeJob(old).with({ retry: never }))];
    await worker.drain();
    expect(await worker.stateOf(ofTask)).toMatchObject({ status: 'completed', attempts: 2 });
    expect(await worker.stateOf(ofDraft)).toMatchObject({ status: 'failed', attempts: 1 });
  });

  it('how many interruptions a job bears is stored with it, whatever the build says that runs it', async () => {
    const hanging = (retry: RetryPolicy) => task('work', { quotas: [], retry }, () => untilAborted());
    const old = hanging({ interruptions: 0 });
    const { async, stateOf } = await stage.start({ tasks: [old], dispatcher: false });
    const worker = await stage.start({ tasks: [hanging({ interruptions: 5 })], dispatcher: { stopMs: 0 } });
    const job = await async.queueJob(old);
    await worker.drain();
    await worker.stop();
    expect(await stateOf(job)).toMatchObject({ status: 'failed', attempts: 1, outcome: { error: { name: 'AbortedError' } } });
  });

  it('a failure is logged before the callbacks of its job begin, and a success is not logged', async () => {
    const log = new Log();
    const logged: number[] = [];
    const after = task('after', { quotas: [] }, () => {
      logged.push(log.of('error').length);
    });
    const { async, drain } = await stage.start({ tasks: [quick, broken, after], logger: log });
    await drain();
    const before = log.lines.length;
    await (await async.queueJob(makeJob(quick).withCallback(makeJob(after)))).waitForOutcome();
    expect([logged, log.lines.length]).toEqual([[0], before]);
    await (await async.queueJob(makeJob(broken).withCallback(makeJob(after)))).waitForOutcome();
    expect([logged, log.lines.length]).toEqual([[0, 1], before + 1]);
  });

  it('a dispatcher that polls ten times and finds nothing logs nothing of it', async () => {
    const log = new Log();
    let polls = 0;
    const faults = (store: JobStore): Partial<JobStore> => ({
      claim: (request) => {
        polls++;
        return store.claim(request);
      },
    });
    const { advance } = await stage.start({ tasks: [quick], dispatcher: { pollMs: 60_000 }, logger: log, faults });
    await advance(600_000);
    expect(polls).toBeGreaterThanOrEqual(10);
    expect(log.lines.map(({ message }) => message)).toEqual(['dispatcher process-1 has begun to work']);
  });
});
