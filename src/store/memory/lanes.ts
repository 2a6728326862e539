/** The lines in which pending jobs wait: a lane for each set of queue, task and quotas, read from its head. */

import TinyQueue from 'tinyqueue';
import type { JobRecord } from '../../job/job-record.js';
import { laneOf } from '../../job/lane.js';

/** Jobs that wait in one line: all may be claimed, or none. */
export class Lane {
  readonly #line = new TinyQueue<JobRecord>([], inOrder);

  constructor(
    readonly key: string,
    /** Any job of the lane: queue, task and quotas are the same for all. */
    readonly example: JobRecord,
    private readonly isCurrent: (record: JobRecord) => boolean,
  ) {}

  push(record: JobRecord): void {
    this.#line.push(record);
  }

  /** The first that still waits; those that were taken out meanwhile are dropped on the way. */
  head(): JobRecord | undefined {
    let head = this.#line.peek();
    while (head !== undefined && !this.isCurrent(head)) {
      this.#line.pop();
      head = this.#line.peek();
    }
    return head;
  }
}

export class Lanes {
  readonly #byKey = new Map<string, Lane>();
  readonly #byQueue = new Map<string, Set<Lane>>();

  /** @param isCurrent - whether a record is still the stored one: one that has moved since does not wait any more */
  constructor(private readonly isCurrent: (record: JobRecord) => boolean) {}

  push(record: JobRecord): void {
    const key = laneOf(record.job, record.state.hasPlaces === true);
    const lane = this.#byKey.get(key) ?? this.#open(key, record);
    lane.push(record);
  }

  /** Lanes of the queue with at least one job, by the order of their heads. */
  waiting(queue: string, accepts: (lane: Lane) => boolean): TinyQueue<Lane> {
    const found: Lane[] = [];
    for (const lane of this.#byQueue.get(queue) ?? []) {
      if (lane.head() === undefined) this.#close(lane);
      else if (accepts(lane)) found.push(lane);
    }
    return new TinyQueue(found, (one, other) => inOrder(one.head(), other.head()));
  }

  queues(): IterableIterator<string> {
    return this.#byQueue.keys();
  }

  #open(key: string, record: JobRecord): Lane {
    const lane = new Lane(key, record, this.isCurrent);
    const { queue } = record.job;
    this.#byKey.set(key, lane);
    this.#byQueue.set(queue, (this.#byQueue.get(queue) ?? new Set()).add(lane));
    return lane;
  }

  #close(lane: Lane): void {
    const { queue } = lane.example.job;
    this.#byKey.delete(lane.key);
    const others = this.#byQueue.get(queue);
    others?.delete(lane);
    if (others?.size === 0) this.#byQueue.delete(queue);
  }
}

/** By priority, then by insertion; an empty lane comes last. */
export function inOrder(one: JobRecord | undefined, other: JobRecord | undefined): number {
  if (one === undefined || other === undefined) return (one === undefined ? 1 : 0) - (other === undefined ? 1 : 0);
  return one.job.priority - other.job.priority || one.state.order - other.state.order || (one.job.id < other.job.id ? -1 : 1);
}
