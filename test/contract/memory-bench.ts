/** A fresh memory store, with a hand on its time. */

import { firstValueFrom } from 'rxjs';
import { nextTurn } from '../../src/clock.js';
import { memoryStore } from '../../src/index.js';
import { type StoreBench, VirtualClock } from '../../src/testing/index.js';

export function memoryBench(): StoreBench {
  const clock = new VirtualClock();
  const settled = (): Promise<void> => firstValueFrom(nextTurn());
  return { store: memoryStore(), clock, settled, advance: (ms) => clock.advance(ms, settled) };
}
