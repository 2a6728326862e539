/** Topics: how the changes of a store reach those who listen in this process. Both stores notify through them. */

import { Observable, Subject } from 'rxjs';
import type { ChangeFilter, StoreChange } from './store-changes.js';

/** How the topics of queues begin. */
const WORK = 'work ';

export class Topics {
  readonly #subjects = new Map<string, Subject<StoreChange>>();

  /** @param onLeft - is called with a topic to which nobody listens any more */
  constructor(private readonly onLeft: (topic: string) => void = () => {}) {}

  /** The topics to which somebody listens. */
  get heard(): Iterable<string> {
    return this.#subjects.keys();
  }

  isHeard(topic: string): boolean {
    return this.#subjects.has(topic);
  }

  emit(topic: string, change: StoreChange): void {
    this.#subjects.get(topic)?.next(change);
  }

  /** The changes of a topic from now on. */
  changes(topic: string): Observable<StoreChange> {
    return new Observable((subscriber) => {
      const subject = this.#subjects.get(topic) ?? new Subject<StoreChange>();
      this.#subjects.set(topic, subject);
      const subscription = subject.subscribe(subscriber);
      return () => {
        subscription.unsubscribe();
        if (subject.observed || this.#subjects.get(topic) !== subject) return;
        this.#subjects.delete(topic);
        this.onLeft(topic);
      };
    });
  }

  /** Nothing more comes of a topic. */
  complete(topic: string): void {
    this.#subjects.get(topic)?.complete();
  }

  /** Nothing more comes of any topic. */
  completeAll(): void {
    const subjects = [...this.#subjects.values()];
    this.#subjects.clear();
    for (const subject of subjects) subject.complete();
  }
}

/** The topic under which the changes that pass a filter are emitted. */
export function topicOf(filter: ChangeFilter): string {
  if ('work' in filter) return `${WORK}${filter.work}`;
  if ('cancelsOf' in filter) return `cancels ${filter.cancelsOf}`;
  if ('job' in filter) return filter.job;
  if ('ended' in filter) return filter.ended;
  if ('due' in filter) return 'due';
  if ('longWaits' in filter) return 'long waits';
  if ('failures' in filter) return 'failures';
  filter satisfies { readonly outcomes: string };
  return 'outcomes';
}

/** The queue of a topic that is about the work of one. */
export function queueIn(topic: string): string | undefined {
  return topic.startsWith(WORK) ? topic.slice(WORK.length) : undefined;
}
