/** The fault matrix: whichever fault hits a command of the store, everything ends right. */

import { afterAll, describe, expect, it } from 'vitest';
import { cellsOf, chosen, nameOf } from './cell.js';
import { tryOut } from './trial.js';

const LIMIT_MS = 120_000;
const peace = await tryOut();
const all = cellsOf(peace.kinds);
const cells = chosen(all, process.env['MILLRACE_FAULTS']);
const missed: string[] = [];

process.stdout.write(
  `The fault matrix: ${cells.length} of ${all.length} cells; all by \`npm run test:faults\`, one by \`MILLRACE_FAULTS='<its name>' npx vitest run test/store/mongo/faults\`\n`,
);

afterAll(() => {
  if (missed.length > 0) process.stdout.write(`In ${missed.length} cells the command did not come: ${missed.join('; ')}\n`);
});

describe('without a fault', () => {
  it('everything ends right, and nobody is answered with an error', () => {
    expect(peace.faults).toEqual([]);
    expect(peace.refusals).toEqual([]);
  });

  it('commands of many kinds are sent', () => {
    expect(new Set(peace.kinds).size).toBeGreaterThan(50);
  });
});

describe('everything ends right, whichever fault hits a command', () => {
  it.each(cells.map((cell) => [nameOf(cell), cell] as const))('%s', { timeout: LIMIT_MS }, async (name, cell) => {
    const { faults, hasStruck, refusals } = await tryOut(cell);
    if (!hasStruck) missed.push(name);
    expect(faults, `after ${refusals.join('; ') || 'no refusal'}`).toEqual([]);
  });
});
