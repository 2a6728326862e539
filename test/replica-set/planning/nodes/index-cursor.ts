/** Walks an index within bounds, jumping over what lies between them, and counts every key it looks at. */

import type { CollectionIndex } from '../../documents/collection-index.js';
import { type Direction, type Entry, type Key, type Position, partition } from '../../documents/sorted-entries.js';
import { type Stored, visible } from '../../documents/stored.js';
import type { Doc, Maybe } from '../../values/value.js';
import { type Interval, type Intervals, isAll, isPoint, place } from '../intervals.js';
import type { Counters, Source } from './plan-node.js';

export interface Found {
  readonly key: Key;
  readonly doc: Doc;
  readonly stored: Stored;
}

/** Where to go on: at the first key with this prefix, or after the last one. */
interface SeekPoint {
  readonly prefix: readonly Maybe[];
  readonly isAfter: boolean;
}

type Check = 'within' | 'over' | SeekPoint;

interface FieldBounds {
  /** In the order the scan meets them. */
  readonly intervals: Intervals;
  /** Whether the scan runs through this field's values from high to low. */
  readonly isReversed: boolean;
}

export class IndexCursor {
  readonly #index: CollectionIndex;
  readonly #source: Source;
  readonly #direction: Direction;
  readonly #fields: readonly FieldBounds[];
  readonly #isSingleInterval: boolean;
  readonly #counters: Counters;
  #position: Position | undefined;

  /** @param bounds intervals of each field of the index, in rising order */
  constructor(source: Source, index: CollectionIndex, { bounds, direction, counters }: CursorOptions) {
    this.#source = source;
    this.#index = index;
    this.#direction = direction;
    this.#counters = counters;
    this.#fields = index.spec.fields.map((field, i) => {
      const isReversed = field.direction * direction === -1;
      const intervals = bounds[i] ?? [];
      return { intervals: isReversed ? intervals.toReversed() : intervals, isReversed };
    });
    this.#isSingleInterval = isSingleInterval(bounds);
  }

  /** The first key within the bounds. */
  first(): Found | undefined {
    if (this.#fields.some(({ intervals }) => intervals.length === 0)) return undefined;
    return this.#from(this.#seek({ prefix: [], isAfter: false }, 0));
  }

  /** The next one; after the last there is none. */
  next(): Found | undefined {
    if (this.#position === undefined) return undefined;
    return this.#from(this.#index.entries.next(this.#position, this.#direction));
  }

  /** Jumps to the first key that has other values in the first fields than the present one. */
  skipPrefix(length: number): Found | undefined {
    if (this.#position === undefined) return undefined;
    return this.#from(this.#seek({ prefix: this.#position.entry.key.slice(0, length), isAfter: true }, length));
  }

  #from(start: Position | undefined): Found | undefined {
    let position = start;
    while (position !== undefined) {
      const seen = this.#visible(position.entry);
      const check = seen === undefined ? 'unseen' : this.#check(position.entry.key);
      if (this.#isSingleInterval && check !== 'within' && check !== 'unseen') break;
      if (seen !== undefined) this.#counters.keysExamined++;
      if (check === 'over') break;
      if (check === 'within' && seen !== undefined) {
        this.#position = position;
        return seen;
      }
      position = typeof check === 'object' ? this.#seek(check, check.prefix.length) : this.#index.entries.next(position, this.#direction);
    }
    this.#position = undefined;
    return undefined;
  }

  #visible({ key, id }: Entry): Found | undefined {
    const stored = this.#source.collection.documents.get(id);
    if (stored === undefined) return undefined;
    const doc = visible(stored, this.#source.view());
    if (doc === undefined || (stored.versions.length > 1 && !this.#index.holds(doc, key))) return undefined;
    return { key, doc, stored };
  }

  #check(key: Key): Check {
    for (const [i, { intervals, isReversed }] of this.#fields.entries()) {
      const next = intervals[partition(intervals, (interval) => this.#place(key[i], interval, isReversed) > 0)];
      if (next === undefined) return i === 0 ? 'over' : { prefix: key.slice(0, i), isAfter: true };
      if (this.#place(key[i], next, isReversed) < 0) return this.#startOf(key.slice(0, i), next, isReversed);
    }
    return 'within';
  }

  #place(value: Maybe, interval: Interval, isReversed: boolean): number {
    const where = place(value, interval);
    return isReversed ? -where : where;
  }

  #startOf(prefix: readonly Maybe[], interval: Interval, isReversed: boolean): SeekPoint {
    const start = isReversed ? interval.high : interval.low;
    return { prefix: [...prefix, start], isAfter: !(isReversed ? interval.hasHigh : interval.hasLow) };
  }

  /** Goes to a point, completed by the first bounds of the fields that it leaves open. */
  #seek(point: SeekPoint, from: number): Position | undefined {
    let target = point;
    for (let i = from; i < this.#fields.length && !target.isAfter; i++) {
      const field = this.#fields[i];
      const first = field?.intervals[0];
      if (field === undefined || first === undefined) break;
      target = this.#startOf(target.prefix, first, field.isReversed);
    }
    const { entries } = this.#index;
    return entries.seek(this.#direction, (entry) => {
      const order = entries.compareKeys(entry.key, target.prefix) * this.#direction;
      return order < 0 || (order === 0 && target.isAfter);
    });
  }
}

export interface CursorOptions {
  readonly bounds: readonly Intervals[];
  readonly direction: Direction;
  readonly counters: Counters;
}

/** Points, then one interval, then anything: the server then knows the end and does not look at the key after it. */
export function isSingleInterval(bounds: readonly Intervals[]): boolean {
  const range = bounds.findIndex((intervals) => intervals.length !== 1 || !intervals.every(isPoint));
  if (range < 0) return true;
  return bounds[range]?.length === 1 && bounds.slice(range + 1).every(isAll);
}
