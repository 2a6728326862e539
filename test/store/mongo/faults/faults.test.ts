/** The fault matrix: every command that the store sends, with everything that can befall it. */

import { describe, expect, it } from 'vitest';
import { play } from './scenario.js';
import { type Cell, FAULTS } from './world.js';

/** `all`, or words that the title of a cell must have; a few cells unless it is given. */
const CHOSEN = process.env['MILLRACE_FAULTS'];
const A_FEW = 6;

const { seen } = await play(undefined);
const cells: readonly Cell[] = [...seen].flatMap(([command, count]) =>
  FAULTS.map((fault) => ({ command, at: Math.max(1, Math.floor(count / 2)), fault })),
);

function titleOf({ command, at, fault }: Cell): string {
  return `${command} (${at}): ${fault}`;
}

function isChosen(cell: Cell, index: number): boolean {
  if (CHOSEN === 'all') return true;
  if (CHOSEN !== undefined) return CHOSEN.split('|').every((word) => titleOf(cell).includes(word));
  return index % Math.ceil(cells.length / A_FEW) === 0;
}

describe('everything ends right, once each, with all places given back, when a command is', () => {
  it.each(cells.filter(isChosen).map((cell) => [titleOf(cell), cell] as const))('%s', { timeout: 60_000 }, async (_title, cell) => {
    await play(cell);
  });

  it('one of many', () => {
    expect(cells.length).toBeGreaterThan(100);
  });
});
