/** A method that hands its signal to an API of the platform heeds it, however that API ends: nothing is said of ignoring. */

import { EventEmitter, once } from 'node:events';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { currentTask, task } from '../../src/index.js';
import { setup } from '../support/bundle.js';
import { Log } from '../support/deferred.js';

const LONG_MS = 1e8;

describe.each<[string, (signal: AbortSignal) => Promise<unknown>]>([
  ['timers/promises', (signal) => wait(LONG_MS, undefined, { signal })],
  ['events', (signal) => once(new EventEmitter(), 'never', { signal })],
  ['stream/promises', (signal) => pipeline(new PassThrough(), new PassThrough(), { signal })],
  [
    'a promise that rejects with the reason',
    (signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  ],
])('a method that ends by its signal through %s', (_api, heed) => {
  const start = async (timeoutMs?: number) => {
    const log = new Log();
    const work = task('work', { quotas: [], timeoutMs, failureLogLevel: 'none' }, () => heed(currentTask().signal));
    const bundle = await setup({ tasks: [work], logger: log });
    const job = await bundle.async.queueJob(work);
    await bundle.drain();
    return { ...bundle, job, log };
  };

  it('is not said to ignore its timeout', async () => {
    const { advance, job, log, async } = await start(1_000);
    await advance(1_000);
    expect(await job.waitForOutcome()).toMatchObject({ error: { code: 'MILLRACE_TASK_TIMEOUT' } });
    await advance(10_000);
    expect(log.of('warn')).toEqual([]);
    expect(async.dispatcher?.running).toEqual([]);
  });

  it('is cancelled', async () => {
    const { job, log, drain } = await start();
    await job.cancel('enough');
    expect(await job.waitForOutcome()).toEqual({ status: 'cancelled', reason: 'enough' });
    await drain();
    expect([log.of('warn'), log.of('error')]).toEqual([[], []]);
  });

  it('is interrupted by `stop`', async () => {
    const { job, log, stop, store } = await start();
    await stop();
    expect(log.of('warn')).toEqual([]);
    expect((await store.find({ ids: [job.id] }))[0]?.state).toMatchObject({ status: 'pending', interruptions: 1 });
  });
});
