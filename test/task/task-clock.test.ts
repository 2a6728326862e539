/** A task tells the time, and waits, by a clock that a test can move. */

import { firstValueFrom, timer } from 'rxjs';
import { expect, it } from 'vitest';
import { currentTask, task } from '../../src/index.js';
import { setup } from '../support/bundle.js';

const HOUR_MS = 3_600_000;

it('`currentTask().clock` of a test goes by its virtual time', async () => {
  const work = task('work', async () => {
    const { clock } = currentTask();
    const times = [clock.now()];
    await clock.wait(HOUR_MS);
    times.push(clock.now());
    await firstValueFrom(timer(HOUR_MS, clock.scheduler));
    return [...times, clock.now()];
  });
  const { async, clock, advance } = await setup({ tasks: [work] });
  const before = clock.now();
  const job = await async.queueJob(work);
  await advance(HOUR_MS);
  expect((await job.refresh()).status).toBe('active');
  await advance(HOUR_MS);
  expect(await job.waitForResult()).toEqual([before, before + HOUR_MS, before + 2 * HOUR_MS]);
});

it('`currentTask().clock.wait` ends with the reason of the signal, and leaves no timer', async () => {
  const reasons: unknown[] = [];
  const work = task('work', { timeoutMs: 1_000 }, async () => {
    const { clock, signal } = currentTask();
    for (let time = 0; time < 2; time++) await clock.wait(HOUR_MS).catch((reason) => reasons.push(reason === signal.reason));
  });
  const { async, clock, advance, stop } = await setup({ tasks: [work] });
  const job = await async.queueJob(work);
  await advance(1_000);
  expect(await job.waitForOutcome()).toMatchObject({ error: { code: 'MILLRACE_TASK_TIMEOUT' } });
  expect(reasons).toEqual([true, true]);
  await stop();
  expect(clock.scheduler.actions).toEqual([]);
});

it('`currentTask().clock.wait` takes milliseconds that a timer can wait, and nothing else', async () => {
  const work = task('work', (ms: number) => currentTask().clock.wait(ms));
  const { async } = await setup({ tasks: [work] });
  for (const ms of [-1, Number.NaN, 2 ** 31]) {
    const job = await async.queueJob(work, ms);
    expect(await job.waitForOutcome()).toMatchObject({ error: { code: 'MILLRACE_OPTION' } });
  }
});
