/** The one place of the suite that waits by asking again: until something holds, or a deadline has passed. */

import { setTimeout as pause } from 'node:timers/promises';

export interface Patience {
  /** The awaited event, for the message. */
  readonly what: string;
  readonly withinMs?: number;
}

/** Asks until the answer is not undefined, and returns it. */
export async function eventually<T>(ask: () => Promise<T | undefined>, { what, withinMs = 5_000 }: Patience): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > deadline) throw new Error(`${what} did not come within ${withinMs} ms`);
    await pause(5);
  }
}
