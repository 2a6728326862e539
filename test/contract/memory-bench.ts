/** A fresh memory store, with a hand on its time. */

import { firstValueFrom } from 'rxjs';
import { nextTurn } from '../../src/clock.js';
import { memoryStore } from '../../src/index.js';
import type { StoreBench } from '../../src/testing/contract/index.js';
import { VirtualClock } from '../../src/testing/index.js';

/** A bench whose time the test may move as it likes. */
export interface VirtualBench extends StoreBench {
  readonly clock: VirtualClock;
}

export function memoryBench(): VirtualBench {
  const clock = new VirtualClock();
  const settled = (): Promise<void> => firstValueFrom(nextTurn());
  return { store: memoryStore(), clock, settled, advance: (ms) => clock.advance(ms, settled) };
}
