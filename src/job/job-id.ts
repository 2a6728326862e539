/** Ids of jobs: shaped like MongoDB's ObjectIds, rising within a process, made before anything is stored. */

const COUNTER_RANGE = 0x1_00_00_00;

export class JobIds {
  readonly #process: string;
  #seconds = 0;
  #prefix = '';
  #counter: number;

  /** @param random - gives numbers in [0, 1); five bytes distinguish processes */
  constructor(random: () => number) {
    const byte = (): number => Math.floor(random() * 256);
    this.#process = Array.from({ length: 5 }, () => hex(byte(), 2)).join('');
    this.#counter = byte();
  }

  /** The next id; rises even when the clock goes back. */
  next(nowMs: number): string {
    const seconds = Math.floor(nowMs / 1000);
    if (++this.#counter === COUNTER_RANGE) this.#startSecond(Math.max(seconds, this.#seconds + 1));
    else if (seconds > this.#seconds) this.#startSecond(seconds);
    return this.#prefix + hex(this.#counter, 6);
  }

  #startSecond(seconds: number): void {
    this.#seconds = seconds;
    this.#prefix = hex(seconds, 8) + this.#process;
    this.#counter = 0;
  }
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}
