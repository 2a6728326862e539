/** One promise of the store contract, as a case that can be run over any store. */

import { type StoreBench, StoreLab } from './store-lab.js';

export interface StoreCase {
  readonly theme: string;
  /** A fact about every store. */
  readonly name: string;
  /** Rejects with an `AssertionError` when the store breaks the promise. */
  readonly run: (lab: StoreLab) => Promise<void>;
}

/** The cases of one theme, by their names. */
export function cases(theme: string, facts: Readonly<Record<string, StoreCase['run']>>): readonly StoreCase[] {
  return Object.entries(facts).map(([name, run]) => ({ theme, name, run }));
}

/** Runs one case over a store that nobody has started; stops it in the end. */
export async function runStoreCase({ run }: StoreCase, bench: StoreBench): Promise<void> {
  const lab = await StoreLab.open(bench);
  try {
    await run(lab);
  } finally {
    await lab.close();
  }
}
