/** When the clocks of a time zone are changed, and by how much. */

/** A change of the clocks: its moment, and how far the clocks are ahead of UTC from then on, and before. */
export interface ClockChange {
  readonly at: Date;
  readonly beforeMs: number;
  readonly afterMs: number;
}

/** Two changes are at least this far apart. */
const WEEK_MS = 604_800_000;
/** How many weeks are remembered: those of ten years. */
const MOST_WEEKS = 520;
/** `GMT`, or `GMT+02:00`, or with seconds, as it was before 1900. */
const OFFSET = /([+-])(\d+):(\d+)(?::(\d+))?$/;

/** Whether the platform knows a time zone of this name. */
export function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: name }) !== undefined;
  } catch {
    return false;
  }
}

export class TimeZone {
  readonly #format: Intl.DateTimeFormat;
  readonly #weeks = new Map<number, { readonly change: ClockChange | undefined }>();

  /** @throws RangeError for a name that the platform does not know */
  constructor(name: string) {
    this.#format = new Intl.DateTimeFormat('en-US', { timeZone: name, timeZoneName: 'longOffset' });
  }

  /** The changes after one moment and before another. */
  *changes(after: Date, before: Date): Generator<ClockChange> {
    for (let week = Math.floor(after.getTime() / WEEK_MS); week * WEEK_MS < before.getTime(); week++) {
      const change = this.#changeIn(week);
      if (change !== undefined && change.at > after && change.at < before) yield change;
    }
  }

  /** The one change of a week. */
  #changeIn(week: number): ClockChange | undefined {
    const known = this.#weeks.get(week);
    if (known !== undefined) return known.change;
    if (this.#weeks.size >= MOST_WEEKS) this.#weeks.clear();
    const change = this.#change(week * WEEK_MS, (week + 1) * WEEK_MS);
    this.#weeks.set(week, { change });
    return change;
  }

  /** The one change after one moment and up to another. */
  #change(fromMs: number, toMs: number): ClockChange | undefined {
    const [beforeMs, afterMs] = [this.#aheadMs(fromMs), this.#aheadMs(toMs)];
    if (beforeMs === afterMs) return undefined;
    let [low, high] = [fromMs, toMs];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (this.#aheadMs(middle) === beforeMs) low = middle;
      else high = middle;
    }
    return { at: new Date(high), beforeMs, afterMs };
  }

  /** How far its clocks are ahead of UTC. */
  #aheadMs(atMs: number): number {
    const name = this.#format.formatToParts(atMs).find(({ type }) => type === 'timeZoneName')?.value ?? '';
    const [, sign, hours, minutes, seconds = 0] = OFFSET.exec(name) ?? [];
    if (sign === undefined) return 0;
    return (sign === '-' ? -1_000 : 1_000) * (Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds));
  }
}
