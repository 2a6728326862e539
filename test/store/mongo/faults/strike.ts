/** Strikes commands with faults when they arrive, as a plan says. */

import type { Document } from 'mongodb';
import { firstValueFrom, timer } from 'rxjs';
import { nextTurn } from '../../../../src/clock.js';
import type { VirtualClock } from '../../../../src/testing/virtual-clock.js';
import type { Interception, StandInFaults } from '../../../replica-set/faults/stand-in-faults.js';
import type { FaultName, StrikePlan } from './cell.js';
import { isOurs, kindOf } from './command-kind.js';

/** Longer than a lease, and than the store waits for an answer. */
const LONG_MS = 40_000;
/** How long the primary lives on that will be rolled back, in turns of the event loop. */
const DOOMED_TURNS = 20;

export class Strike {
  /** The kinds of all commands that have arrived. */
  readonly kinds: string[] = [];
  #held = 0;
  /** The primary is about to step down. */
  #isDoomed = false;
  #endedAtMs = Number.NEGATIVE_INFINITY;
  #victim: string | undefined;
  #until: Promise<void> = Promise.resolve();

  /** @param senders - the `appName` of those whose commands count */
  constructor(
    private readonly faults: StandInFaults,
    private readonly clock: VirtualClock,
    private readonly plan: StrikePlan,
    senders: ReadonlySet<string>,
  ) {
    faults.intercept = (command, appName = '') => (senders.has(appName) && isOurs(command) ? this.#meet(command, appName) : undefined);
  }

  /** Whether the command has come that was to be struck. */
  get hasStruck(): boolean {
    return this.plan.isOver;
  }

  /** Whether nothing is to be struck. */
  get isPeaceful(): boolean {
    return this.plan.isPeaceful;
  }

  /** Whether commands are kept from being answered until time moves. */
  get isHolding(): boolean {
    return this.#held > 0;
  }

  /** Whether there is more of it to come. */
  get isUnderWay(): boolean {
    return this.isHolding || this.#isDoomed;
  }

  /** When a fault that lasts was over last. */
  get endedAtMs(): number {
    return this.#endedAtMs;
  }

  #meet(command: Document, sender: string): Interception {
    const kind = kindOf(command);
    this.kinds.push(kind);
    if (this.#victim === sender) return this.#until;
    const fault = this.plan.meet(kind, command, this.isUnderWay);
    return fault === undefined ? undefined : this.#strike[fault](sender);
  }

  readonly #strike: { readonly [F in FaultName]: (sender: string) => Interception } = {
    'error before': () => 'refuse',
    'closed before': () => 'close',
    'closed twice': () => 'close',
    'answer lost': () => 'lose answer',
    'answer lost twice': () => 'lose answer',
    'applied late': () => this.#long(),
    frozen: () => {
      this.faults.freeze();
      void this.#long().then(() => this.faults.thaw());
      return undefined;
    },
    'cut off': (sender) => {
      this.#victim = sender;
      this.#until = this.#long().then(() => {
        this.#victim = undefined;
      });
      return this.#until;
    },
    'rolled back': () => {
      this.faults.holdMajority();
      void this.#stepDown();
      return undefined;
    },
  };

  async #long(): Promise<void> {
    this.#held++;
    await firstValueFrom(timer(LONG_MS, this.clock.scheduler));
    this.#held--;
    this.#endedAtMs = this.clock.now();
  }

  async #stepDown(): Promise<void> {
    this.#isDoomed = true;
    for (let turn = 0; turn < DOOMED_TURNS; turn++) await firstValueFrom(nextTurn());
    this.faults.stepDown();
    this.#isDoomed = false;
    this.#endedAtMs = this.clock.now();
  }
}
