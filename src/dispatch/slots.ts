/** How many more jobs an agent may take. */

import { type Observable, Subject } from 'rxjs';

export class Slots {
  readonly #freed = new Subject<void>();
  #busy = 0;

  constructor(readonly size: number) {}

  get free(): number {
    return this.size - this.#busy;
  }

  /** Emits when a slot becomes free. */
  get freed(): Observable<void> {
    return this.#freed;
  }

  take(count: number): void {
    this.#busy += count;
  }

  release(): void {
    this.#busy--;
    this.#freed.next();
  }

  /** Releases one slot, however often it is called. */
  once(): () => void {
    let isFree = false;
    return () => {
      if (isFree) return;
      isFree = true;
      this.release();
    };
  }
}
