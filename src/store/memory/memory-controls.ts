/** The controls of operators, in memory: they hold from the next claim on. */

import { UnknownQuotaError } from '../../errors.js';
import { isLanePaused, isPaused, NOTHING_PAUSED, type Pausable, type Paused, withPause } from '../../job/pauses.js';
import type { Controls } from '../job-store.js';
import type { QuotaLedger } from './quota-ledger.js';

export class MemoryControls implements Controls {
  #paused: Paused = NOTHING_PAUSED;

  /** @param onChange - called when others may begin now */
  constructor(
    private readonly ledger: QuotaLedger,
    private readonly onChange: () => void,
  ) {}

  async paused(): Promise<Paused> {
    return this.#paused;
  }

  async pause(what: Pausable, isPaused: boolean): Promise<void> {
    this.#paused = withPause(this.#paused, what, isPaused);
    this.ledger.saveOnlyFor((lane) => !isLanePaused(this.#paused, lane));
    this.onChange();
  }

  async resize(quota: string, size: number): Promise<void> {
    if (!this.ledger.sizes.has(quota)) throw new UnknownQuotaError(`there is no quota \`${quota}\``);
    this.ledger.resize(new Map([[quota, size]]));
    this.onChange();
  }

  /** Whether jobs of a task version must not begin in a queue; without a version, whether none must. */
  isPaused(queue: string, taskVersion?: string): boolean {
    return isPaused(this.#paused, queue, taskVersion);
  }
}
