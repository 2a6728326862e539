/** Jobs that are not started in time. */

import { expect, it } from 'vitest';
import { fixedDelay, makeJob, type StoredError, task } from '../../src/index.js';
import { onBothStores } from '../support/both-stores.js';
import { deferred } from '../support/deferred.js';

const LIMIT_MS = 300_000;

/** A task that counts its runs, and a failure callback that notes the codes it is given. */
function witnesses() {
  const runs: number[] = [];
  const work = task('work', { quotas: [] }, () => {
    runs.push(runs.length);
    return 42;
  });
  const codes: (string | number | undefined)[] = [];
  const failure = task('failure', { quotas: [] }, ({ code }: StoredError) => {
    codes.push(code);
  });
  return { runs, work, codes, failure };
}

onBothStores((stage) => {
  it('a job that no worker has taken within its time fails as expired, and its failure callback runs with the first worker', async () => {
    const { runs, work, codes, failure } = witnesses();
    const tasks = [work, failure];
    const { async, advance, clock, stateOf } = await stage.start({ tasks, dispatcher: false });
    const draft = makeJob(work).with({ beginBy: new Date(clock.now() + LIMIT_MS) });
    const job = await async.queueJob(draft.withCallbacks({ failure }));
    await advance(LIMIT_MS + 1_000);
    const worker = await stage.start({ tasks });
    await worker.drain();
    expect(await stateOf(job)).toMatchObject({ status: 'failed', attempts: 0, outcome: { error: { name: 'ExpiredError' } } });
    expect([runs, codes]).toEqual([[], ['MILLRACE_EXPIRED']]);
  });

  it('a job behind a full quota fails as expired at the very moment, and not before', async () => {
    const gate = deferred();
    const holder = task('holder', () => gate.promise);
    const { runs, work, codes, failure } = witnesses();
    const { async, advance, clock, drain, stateOf } = await stage.start({ tasks: [holder, work, failure] });
    await async.queueJob(holder);
    const draft = makeJob(work).with({ quotas: ['default'], beginBy: new Date(clock.now() + LIMIT_MS) });
    const job = await async.queueJob(draft.withCallbacks({ failure }));
    await advance(LIMIT_MS - 1);
    expect((await stateOf(job)).status).toBe('pending');
    await advance(1);
    expect([(await stateOf(job)).status, codes]).toEqual(['failed', ['MILLRACE_EXPIRED']]);
    gate.resolve();
    await drain();
    expect(runs).toEqual([]);
  });

  it('a job that is queued when its time is over fails as expired at once', async () => {
    const { runs, work } = witnesses();
    const { async, clock, drain, stateOf } = await stage.start({ tasks: [work] });
    const at = (ms: number): Date => new Date(clock.now() + ms);
    const job = await async.queueJob(makeJob(work).with({ beginAfter: at(-2 * LIMIT_MS), beginBy: at(-LIMIT_MS) }));
    await drain();
    expect(await stateOf(job)).toMatchObject({ status: 'failed', outcome: { error: { name: 'ExpiredError' } } });
    expect(runs).toEqual([]);
  });

  it.each([
    ['before', LIMIT_MS],
    ['after', 1_000],
  ])('a job that was started in time is retried %s its deadline, which is for the start alone', async (_when, deadlineMs) => {
    let runs = 0;
    const flaky = task('flaky', { quotas: [], retry: fixedDelay({ attempts: 3, delayMs: 60_000 }) }, () => {
      if (++runs < 3) throw new Error('not yet');
      return 42;
    });
    const { async, advance, clock, stateOf } = await stage.start({ tasks: [flaky] });
    const job = await async.queueJob(makeJob(flaky).with({ beginBy: new Date(clock.now() + deadlineMs) }));
    await advance(120_000);
    expect(await stateOf(job)).toMatchObject({ status: 'completed', attempts: 3, failures: 2 });
  });

  it('a job that no agent accepts fails as expired in its time', async () => {
    const { runs, work, codes, failure } = witnesses();
    const options = { tasks: [work, failure], dispatcher: { agents: [{ accepts: [failure] }] } };
    const { async, advance, clock, stateOf } = await stage.start(options);
    const draft = makeJob(work).with({ beginBy: new Date(clock.now() + LIMIT_MS) });
    const job = await async.queueJob(draft.withCallbacks({ failure }));
    await advance(LIMIT_MS);
    expect((await stateOf(job)).status).toBe('failed');
    expect([runs, codes]).toEqual([[], ['MILLRACE_EXPIRED']]);
  });
});
