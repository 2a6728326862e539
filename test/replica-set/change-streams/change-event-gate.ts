/** Faults of change streams: events that come late, twice, or not at all. */

import type { ChangeEventFaults } from '../faults/stand-in-faults.js';

export class ChangeEventGate implements ChangeEventFaults {
  #isDelaying = false;
  #repeats = 0;
  #drops = 0;
  tellsWhole = false;
  /** Called when events may flow again. */
  onRelease: () => void = () => {};

  get isDelaying(): boolean {
    return this.#isDelaying;
  }

  delay(): void {
    this.#isDelaying = true;
  }

  release(): void {
    this.#isDelaying = false;
    this.onRelease();
  }

  repeat(times: number): void {
    this.#repeats += times;
  }

  drop(times: number): void {
    this.#drops += times;
  }

  /** How often the next event is to be sent: once, unless a fault is set. */
  copies(): number {
    if (this.#drops > 0) {
      this.#drops--;
      return 0;
    }
    if (this.#repeats === 0) return 1;
    this.#repeats--;
    return 2;
  }
}
