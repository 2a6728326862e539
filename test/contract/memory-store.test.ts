/** The store contract, over the memory store. */

import { firstValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { nextTurn } from '../../src/clock.js';
import { memoryStore } from '../../src/index.js';
import { runStoreCase, type StoreBench, storeContract, VirtualClock } from '../../src/testing/index.js';

function bench(): StoreBench {
  const clock = new VirtualClock();
  const settled = (): Promise<void> => firstValueFrom(nextTurn());
  return { store: memoryStore(), clock, settled, advance: (ms) => clock.advance(ms, settled) };
}

describe.each([...new Set(storeContract.map(({ theme }) => theme))])('%s', (theme) => {
  it.each(storeContract.filter((one) => one.theme === theme).map((one) => [one.name, one] as const))('%s', async (_name, one) => {
    await runStoreCase(one, bench());
  });
});

it('has no two cases of one name', () => {
  const names = storeContract.map(({ theme, name }) => `${theme}: ${name}`);
  expect(new Set(names).size).toBe(names.length);
});
