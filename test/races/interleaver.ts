/** Lets what several processes do happen one step after another, in an order that a seed decides. */

import { firstValueFrom } from 'rxjs';
import { nextTurn } from '../../src/clock.js';

/** After this number of turns of the event loop without a new step, all that can come before the next one has been asked for. */
const QUIET_TURNS = 6;

interface Step {
  readonly what: string;
  readonly go: () => void;
}

export class Interleaver {
  readonly #waiting: Step[] = [];
  #isOn = false;
  /** The steps in the order in which they were done: with this a failure can be understood. */
  readonly done: string[] = [];

  constructor(private readonly random: () => number) {}

  /** A step of somebody's is to be done. @returns resolves when it is its turn; `undefined` where nothing is interleaved */
  turnOf(what: string): Promise<void> | undefined {
    if (!this.#isOn) return undefined;
    return new Promise((go) => {
      this.#waiting.push({ what, go });
    });
  }

  /** Does several things at the same time, step by step. */
  async during<T>(act: () => Promise<T>): Promise<T> {
    this.#isOn = true;
    let isOver = false;
    const acted = act().finally(() => {
      isOver = true;
    });
    acted.catch(() => undefined);
    while (!isOver) {
      await this.#quiet();
      this.#next();
    }
    this.#isOn = false;
    while (this.#waiting.length > 0) this.#next();
    return acted;
  }

  #next(): void {
    const [step] = this.#waiting.splice(Math.floor(this.random() * this.#waiting.length), 1);
    if (step === undefined) return;
    this.done.push(step.what);
    step.go();
  }

  async #quiet(): Promise<void> {
    let before = this.#waiting.length;
    for (let turns = 0; turns < QUIET_TURNS; turns++) {
      await firstValueFrom(nextTurn());
      if (this.#waiting.length !== before) turns = 0;
      before = this.#waiting.length;
    }
  }
}
