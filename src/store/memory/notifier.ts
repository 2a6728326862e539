/** Tells those who listen what has happened, once each operation of the store is complete. */

import { Observable, Subject } from 'rxjs';
import type { JobRecord } from '../../job/job-record.js';
import { isFinal } from '../../job/job-status.js';
import type { ChangeFilter, StoreChange } from '../store-changes.js';

export class Notifier {
  readonly #topics = new Map<string, Subject<StoreChange>>();
  readonly #rung = new Set<string>();
  #news: { readonly topic: string; readonly change: StoreChange }[] = [];

  constructor(private readonly find: (id: string) => JobRecord | undefined) {}

  /** There may be something to claim in a queue; told once an operation, however often it was said. */
  work(queue: string): void {
    this.#rung.add(queue);
  }

  due(at: Date): void {
    this.#tell('due', { type: 'due', at });
  }

  cancelOf(owner: string, id: string, reason: string | undefined): void {
    this.#tell(topicOf({ cancelsOf: owner }), { type: 'cancel', id, reason });
  }

  changed(record: JobRecord): void {
    this.#tell(record.job.id, { type: 'job', record });
  }

  outcome(record: JobRecord): void {
    this.#tell('outcomes', { type: 'job', record });
    if (record.state.outcome?.status === 'failed') this.#tell('failures', { type: 'job', record });
  }

  /** Tells everything that was noted since the last time. */
  flush(): void {
    if (this.#rung.size > 0) {
      const rung = [...this.#rung];
      this.#rung.clear();
      for (const queue of rung) this.#topics.get(topicOf({ work: queue }))?.next({ type: 'work' });
    }
    while (this.#news.length > 0) {
      const news = this.#news;
      this.#news = [];
      for (const { topic, change } of news) this.#topics.get(topic)?.next(change);
    }
  }

  listen(interest: ChangeFilter): Observable<StoreChange> {
    const id = 'job' in interest ? interest.job : 'ended' in interest ? interest.ended : undefined;
    return id === undefined ? this.#changes(topicOf(interest)) : this.#jobChanges(id);
  }

  complete(): void {
    for (const subject of [...this.#topics.values()]) subject.complete();
    this.#topics.clear();
  }

  #tell(topic: string, change: StoreChange): void {
    if (this.#topics.has(topic)) this.#news.push({ topic, change });
  }

  #changes(topic: string): Observable<StoreChange> {
    return new Observable((subscriber) => {
      const subject = this.#topics.get(topic) ?? new Subject<StoreChange>();
      this.#topics.set(topic, subject);
      const subscription = subject.subscribe(subscriber);
      return () => {
        subscription.unsubscribe();
        if (!subject.observed && this.#topics.get(topic) === subject) this.#topics.delete(topic);
      };
    });
  }

  #jobChanges(id: string): Observable<StoreChange> {
    return new Observable((subscriber) => {
      const tell = (record: JobRecord): void => {
        subscriber.next({ type: 'job', record });
        if (isFinal(record.state.status)) subscriber.complete();
      };
      const record = this.find(id);
      if (record === undefined) return subscriber.complete();
      tell(record);
      if (subscriber.closed) return undefined;
      return this.#changes(topicOf({ job: id })).subscribe({
        next: (change) => change.type === 'job' && tell(change.record),
        complete: () => subscriber.complete(),
      });
    });
  }
}

function topicOf(interest: ChangeFilter): string {
  if ('work' in interest) return `work ${interest.work}`;
  if ('cancelsOf' in interest) return `cancels ${interest.cancelsOf}`;
  if ('job' in interest) return interest.job;
  if ('ended' in interest) return interest.ended;
  if ('due' in interest) return 'due';
  // These are never emitted: a process with jobs in memory sees by itself what waits.
  if ('longWaits' in interest) return 'long waits';
  if ('failures' in interest) return 'failures';
  interest satisfies { readonly outcomes: string };
  return 'outcomes';
}
