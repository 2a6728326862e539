/** Commands are struck by a seed: refused, not answered, done late, or at a primary that steps down; claims and what ends attempts more often. */

import type { Document } from 'mongodb';
import type { FaultName, StrikePlan } from '../store/mongo/faults/cell.js';

const DRAWN: readonly FaultName[] = [
  'error before',
  'closed before',
  'closed before',
  'closed before',
  'answer lost',
  'answer lost',
  'answer lost',
  'answer lost',
  'answer lost',
  'rolled back',
  'applied late',
  'cut off',
  'rolled back',
];
const SHARE_OF_WRITES = 0.06;
const SHARE_OF_READS = 0.02;

export class RandomLosses implements StrikePlan {
  readonly isPeaceful = false;
  readonly struck: string[] = [];
  #isOn = false;

  constructor(
    private readonly random: () => number,
    private readonly times: number,
  ) {}

  get isOver(): boolean {
    return this.struck.length >= this.times;
  }

  begin(): void {
    this.#isOn = true;
  }

  end(): void {
    this.#isOn = false;
  }

  meet(kind: string, command: Document, isUnderWay: boolean): FaultName | undefined {
    if (!this.#isOn || this.isOver || isUnderWay || this.random() >= shareOf(command)) return undefined;
    const fault = DRAWN[Math.floor(this.random() * DRAWN.length)] ?? 'answer lost';
    this.struck.push(`${fault}: ${kind}`);
    return fault;
  }
}

function shareOf(command: Document): number {
  return 'find' in command || 'aggregate' in command || 'getMore' in command ? SHARE_OF_READS : SHARE_OF_WRITES;
}
