/** How an application tests its tasks: the memory store, a clock that only the test moves, no sleeping. */

import { Container } from 'inversify';
import { makeJob } from 'millrace';
import { type TestAsync, testAsync } from 'millrace/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { GATEWAY, Reminders, reminders } from './reminders.js';

const DAY_MS = 86_400_000;

describe('reminders', () => {
  const send = vi.fn<(to: string, text: string, signal: AbortSignal) => Promise<void>>();
  let bench: TestAsync;

  beforeEach(async () => {
    send.mockReset().mockResolvedValue();
    const container = new Container();
    container.bind(GATEWAY).toConstantValue({ send });
    bench = await testAsync({ container, tasks: [Reminders] });
  });
  afterEach(() => bench.stop());

  it('are sent when their time has come, not before', async () => {
    await bench.async.queueJob(makeJob(reminders.remind, 'ann', 'tea').with({ delayMs: DAY_MS }));
    await bench.advance(DAY_MS - 1);
    expect(send).not.toHaveBeenCalled();
    await bench.advance(1);
    expect(send).toHaveBeenCalledOnce();
  });

  it('are tried again after one minute, then two', async () => {
    send.mockRejectedValueOnce(new Error('busy')).mockRejectedValueOnce(new Error('busy'));
    const job = await bench.async.queueJob(reminders.remind, 'ann', 'tea');
    await bench.advance(180_000);
    await job.refresh();
    expect(job.result).toBe('reminded ann in attempt 3');
  });

  it('fail in the end', async () => {
    send.mockRejectedValue(new Error('down'));
    const job = await bench.async.queueJob(reminders.remind, 'ann', 'tea');
    await bench.waitForAllJobs();
    await job.refresh();
    expect(job.error?.message).toBe('down');
    expect(job.attempts).toBe(4);
  });

  it('are repeated an hour later, by the clock of the task', async () => {
    const job = await bench.async.queueJob(reminders.remindTwice, 'ann', 'tea');
    await bench.advance(3_599_999);
    expect(send).toHaveBeenCalledOnce();
    await bench.advance(1);
    expect(await job.waitForResult()).toBe('2030-01-01T01:00:00.000Z');
    expect(send).toHaveBeenLastCalledWith('ann', 'tea!', expect.anything());
  });

  it('give up on a gateway that does not answer', async () => {
    send.mockImplementation(
      (_to, _text, signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    );
    const job = await bench.async.queueJob(makeJob(reminders.remind, 'ann', 'tea').with({ retry: { attempts: 1 } }));
    await bench.advance(10_000);
    await job.refresh();
    expect(job.error?.code).toBe('MILLRACE_TASK_TIMEOUT');
  });
});
