/** The clean-up after a test: code that starts something adds how to stop it, and how to see what is left open. */

/** Stops what was started. @returns what is left open, a line each */
export type Check = () => Promise<readonly string[]>;

const checks = new Set<Check>();

export function afterEachTest(check: Check): void {
  checks.add(check);
}

/** Stops everything that was started, and says what is left open. */
export async function stopAll(): Promise<readonly string[]> {
  const left: string[] = [];
  for (const check of checks) left.push(...(await check()));
  return left;
}
