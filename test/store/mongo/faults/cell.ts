/** A cell of the matrix: a fault, and the command that it hits. */

import type { Document } from 'mongodb';
import { seededRandom } from '../../../../src/testing/seeded-random.js';

/** The faults of a command; `twice` also hits the next of its kind, which mostly is the driver's own second try. */
export const FAULTS = [
  'error before',
  'closed before',
  'closed twice',
  'answer lost',
  'answer lost twice',
  'applied late',
  'frozen',
  'cut off',
  'rolled back',
] as const;
export type FaultName = (typeof FAULTS)[number];

export function isTwofold(fault: FaultName): boolean {
  return fault.endsWith('twice');
}

export interface Cell {
  /** See `kindOf`. */
  readonly kind: string;
  /** Which of its kind, from 1. */
  readonly ordinal: number;
  readonly fault: FaultName;
}

export function nameOf({ kind, ordinal, fault }: Cell): string {
  return `${fault}: ${kind} #${ordinal}`;
}

/** Which commands are struck. */
export interface StrikePlan {
  /** Whether there is nothing more to come. */
  readonly isOver: boolean;
  /** Whether nothing is to be struck. */
  readonly isPeaceful: boolean;
  /** The fault of a command of a kind that arrives. @param isUnderWay - an earlier fault that takes time */
  meet(kind: string, command: Document, isUnderWay: boolean): FaultName | undefined;
}

/** Strikes what the cell names, or nothing. */
export function planOf(cell: Cell | undefined): StrikePlan {
  let ofKind = 0;
  return {
    get isOver() {
      return cell === undefined || ofKind >= cell.ordinal;
    },
    isPeaceful: cell === undefined,
    meet: (kind) => {
      if (cell?.kind !== kind) return undefined;
      const since = ++ofKind - cell.ordinal;
      return since === 0 || (since === 1 && isTwofold(cell.fault)) ? cell.fault : undefined;
    },
  };
}

/** How many cells an ordinary run of all tests has. */
const SAMPLE = 4;

/** Of each kind, the first and one in the middle. @param kinds - of the commands of a run without faults, in order */
export function cellsOf(kinds: readonly string[]): readonly Cell[] {
  const counts = new Map<string, number>();
  for (const kind of kinds) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return [...counts].flatMap(([kind, count]) =>
    [...new Set([1, Math.ceil(count / 2)])].flatMap((ordinal) => FAULTS.map((fault) => ({ kind, ordinal, fault }))),
  );
}

/** `all`, `2/5` for the second of five parts, or a part of names of cells; a few of them unless something is asked for. */
export function chosen(cells: readonly Cell[], asked: string | undefined): readonly Cell[] {
  if (asked === undefined || asked === '') return sampleOf(cells);
  if (asked === 'all') return cells;
  const [, part, of] = /^(\d+)\/(\d+)$/.exec(asked) ?? [];
  if (part !== undefined && of !== undefined) return cells.filter((_, index) => index % Number(of) === Number(part) - 1);
  return cells.filter((cell) => nameOf(cell).includes(asked));
}

function sampleOf(cells: readonly Cell[]): readonly Cell[] {
  const random = seededRandom(1);
  return Array.from({ length: SAMPLE }, () => cells[Math.floor(random() * cells.length)]).flatMap((cell) => cell ?? []);
}
