/** Faults by a seed: so many, upon commands of transactions more often than upon others. */

import type { Document } from 'mongodb';
import type { FaultName, StrikePlan } from '../faults/cell.js';

/** How often each is drawn, against the others. */
const WEIGHTS: Readonly<Record<FaultName, number>> = {
  'error before': 1,
  'closed before': 3,
  'closed twice': 0,
  'answer lost': 4,
  'answer lost twice': 0,
  'applied late': 2,
  frozen: 1,
  'cut off': 2,
  'rolled back': 2,
};
/** Of commands that are struck. */
const SHARE_OF_COMMITS = 0.2;
const SHARE_IN_TRANSACTIONS = 0.06;
const SHARE_ELSEWHERE = 0.02;

export class RandomPlan implements StrikePlan {
  readonly isPeaceful = false;
  readonly struck: string[] = [];
  #hasBegun = false;

  constructor(
    private readonly random: () => number,
    private readonly times: number,
  ) {}

  get isOver(): boolean {
    return this.struck.length >= this.times;
  }

  begin(): void {
    this.#hasBegun = true;
  }

  meet(kind: string, command: Document, isUnderWay: boolean): FaultName | undefined {
    if (!this.#hasBegun || this.isOver || isUnderWay || this.random() >= shareOf(command)) return undefined;
    const fault = this.#draw();
    this.struck.push(`${fault}: ${kind}`);
    return fault;
  }

  #draw(): FaultName {
    const all = Object.entries(WEIGHTS) as [FaultName, number][];
    let left = this.random() * all.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [fault, weight] of all) {
      left -= weight;
      if (left < 0) return fault;
    }
    return 'answer lost';
  }
}

function shareOf({ autocommit, commitTransaction }: Document): number {
  if (commitTransaction !== undefined) return SHARE_OF_COMMITS;
  return autocommit === false ? SHARE_IN_TRANSACTIONS : SHARE_ELSEWHERE;
}
