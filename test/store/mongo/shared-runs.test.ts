import { describe, expect, it } from 'vitest';
import { SingleFlight } from '../../../src/store/async/single-flight.js';
import { deferred } from '../../support/deferred.js';

describe('shared runs', () => {
  it('are one for all who ask in a turn', async () => {
    const runs = new SingleFlight();
    let count = 0;
    const work = async (): Promise<void> => {
      count++;
    };
    await Promise.all([runs.run('a', work), runs.run('a', work), runs.run('a', work)]);
    expect(count).toBe(1);
  });

  it('are one more for all who ask while one is under way, since that may have read too early', async () => {
    const runs = new SingleFlight();
    const gates = [deferred(), deferred()];
    let begun = 0;
    const work = (): Promise<void> => gates[begun++]?.promise ?? Promise.resolve();
    const first = runs.run('a', work);
    await Promise.resolve();
    await Promise.resolve();
    expect(begun).toBe(1);
    const later = Promise.all([runs.run('a', work), runs.run('a', work)]);
    gates[0]?.resolve();
    await first;
    gates[1]?.resolve();
    await later;
    expect(begun).toBe(2);
  });

  it('of other names do not wait for each other', async () => {
    const runs = new SingleFlight();
    const gate = deferred();
    const held = runs.run('a', () => gate.promise);
    await runs.run('b', async () => {});
    gate.resolve();
    await held;
  });

  it('go on after one that failed, which fails for those who shared it', async () => {
    const runs = new SingleFlight();
    await expect(runs.run('a', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    let ran = false;
    await runs.run('a', async () => {
      ran = true;
    });
    expect(ran).toBe(true);
  });
});
