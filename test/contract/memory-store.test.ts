/** The store contract, over the memory store. */

import { describe, expect, it } from 'vitest';
import { runStoreCase, storeContract } from '../../src/testing/contract/index.js';
import { memoryBench } from './memory-bench.js';

describe.each([...new Set(storeContract.map(({ theme }) => theme))])('%s', (theme) => {
  it.each(storeContract.filter((one) => one.theme === theme).map((one) => [one.name, one] as const))('%s', async (_name, one) => {
    await runStoreCase(one, memoryBench());
  });
});

it('has no two cases of one name', () => {
  const names = storeContract.map(({ theme, name }) => `${theme}: ${name}`);
  expect(new Set(names).size).toBe(names.length);
});
