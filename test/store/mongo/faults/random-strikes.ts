/** Strikes commands by a seed, up to a number of times. */

import type { Document } from 'mongodb';
import type { FaultName, StrikePlan } from './cell.js';

export interface StrikeOdds {
  /** How many commands are struck at most. */
  readonly times: number;
  /** The faults, each as many times as its weight. */
  readonly drawn: readonly FaultName[];
  /** The share of such commands that is struck, in [0, 1]. */
  readonly shareOf: (command: Document) => number;
}

export class RandomStrikes implements StrikePlan {
  readonly isPeaceful = false;
  readonly struck: string[] = [];
  #isOn = false;

  constructor(
    private readonly random: () => number,
    private readonly odds: StrikeOdds,
  ) {}

  get isOver(): boolean {
    return this.struck.length >= this.odds.times;
  }

  begin(): void {
    this.#isOn = true;
  }

  end(): void {
    this.#isOn = false;
  }

  meet(kind: string, command: Document, isUnderWay: boolean): FaultName | undefined {
    const { drawn, shareOf } = this.odds;
    if (!this.#isOn || this.isOver || isUnderWay || this.random() >= shareOf(command)) return undefined;
    const fault = drawn[Math.floor(this.random() * drawn.length)] ?? 'answer lost';
    this.struck.push(`${fault}: ${kind}`);
    return fault;
  }
}
