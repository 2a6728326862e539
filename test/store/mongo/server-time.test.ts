/** How the server's time is computed from its answers: by elapsed time, whatever the clock of the process is set to. */

import { describe, expect, it, vi } from 'vitest';
import type { Clock } from '../../../src/clock.js';
import { likelier, ServerTime } from '../../../src/store/mongo/driver/server-time.js';
import { VirtualClock } from '../../../src/testing/index.js';

const HOUR = 3_600_000;
const nowhere = async (): Promise<void> => {};

/** A server that is a minute ahead of us, and the clock of a process that can be set. */
async function setup(aheadMs = 60_000) {
  const virtual = new VirtualClock();
  let setMs = 0;
  const clock: Clock = { now: () => virtual.now() + setMs, scheduler: virtual.scheduler, turn: () => virtual.turn() };
  const set = (ms: number): void => {
    setMs += ms;
  };
  const server = (): Date => new Date(virtual.now() + aheadMs);
  const ask = vi.fn(async () => server());
  const time = new ServerTime(clock, 0);
  await time.begin(ask);
  ask.mockClear();
  return { time, set, server, ask, clock, pass: (ms: number) => virtual.advance(ms, nowhere) };
}

describe('the time of the server', () => {
  it.each([
    ['set forward', HOUR],
    ['set back', -HOUR],
  ])('goes on when the clock of the process is %s', async (_what, ms) => {
    const { time, set, server, pass } = await setup();
    set(ms);
    await pass(5_000);
    expect(time.estimate()).toEqual(server());
  });

  it.each([
    ['set', HOUR],
    ['set back', -2_000],
  ])('is asked for once by all who must know it after that clock was %s', async (_what, ms) => {
    const { time, set, ask } = await setup();
    set(ms);
    await Promise.all([time.sure(), time.sure(), time.sure()]);
    await time.sure();
    expect(ask).toHaveBeenCalledTimes(1);
  });

  it('is asked for again after a long while, and not before', async () => {
    const { time, ask, pass } = await setup();
    await pass(600_000);
    await time.sure();
    expect(ask).not.toHaveBeenCalled();
    await pass(1);
    await time.sure();
    expect(ask).toHaveBeenCalledTimes(1);
  });

  it('is known after a sleep of the machine, in which no timer moved on', async () => {
    const { time, set, server, ask } = await setup();
    set(2 * HOUR);
    ask.mockImplementation(async () => new Date(server().getTime() + 2 * HOUR));
    await time.sure();
    expect(time.estimate()).toEqual(new Date(server().getTime() + 2 * HOUR));
  });

  it('stays in doubt where the machine slept while the server was asked', async () => {
    const { time, set, ask, server } = await setup();
    set(2_000);
    ask.mockImplementationOnce(async () => {
      set(2 * HOUR);
      return server();
    });
    await time.sure();
    await time.sure();
    expect(ask).toHaveBeenCalledTimes(2);
  });

  it('is told as a moment of the clock of the process, as that is set now', async () => {
    const { time, set, clock, server } = await setup();
    set(-HOUR);
    expect(time.here(new Date(server().getTime() + 7_000)).getTime()).toBe(clock.now() + 7_000);
  });

  it('is asked for again after a failure', async () => {
    const { time, set, ask } = await setup();
    set(HOUR);
    ask.mockImplementationOnce(() => Promise.reject(new Error('no server')));
    await expect(time.sure()).rejects.toThrow('no server');
    await time.sure();
    expect(ask).toHaveBeenCalledTimes(2);
  });

  it.each([
    ['stands while the answer allows it', 100, { leastMs: 90, mostMs: 110 }, 100],
    ['stands at either end', 90, { leastMs: 90, mostMs: 90 }, 90],
    ['is later where the answer came sooner than any before', 80, { leastMs: 90, mostMs: 110 }, 90],
    ['is what is certain where it was too much', 120, { leastMs: 90, mostMs: 110 }, 90],
    ['stands when an answer was long under way', 100, { leastMs: -5_000, mostMs: 110 }, 100],
  ])('%s', (_what, beforeMs, answer, expected) => {
    expect(likelier(beforeMs, answer)).toBe(expected);
  });
});
