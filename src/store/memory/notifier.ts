/** Notifies listeners, once an operation of the store is complete. */

import { Observable } from 'rxjs';
import type { JobRecord } from '../../job/job-record.js';
import { isFinal } from '../../job/job-status.js';
import type { ChangeFilter, StoreChange } from '../store-changes.js';
import { Topics, topicOf } from '../topics.js';

export class Notifier {
  readonly #topics = new Topics();
  readonly #rung = new Set<string>();
  #news: { readonly topic: string; readonly change: StoreChange }[] = [];

  constructor(private readonly find: (id: string) => JobRecord | undefined) {}

  /** There may be a job to claim in a queue; sent once an operation, however often it is called. */
  work(queue: string): void {
    this.#rung.add(queue);
  }

  due(at: Date): void {
    this.#tell(topicOf({ due: true }), { type: 'due', at });
  }

  cancelOf(owner: string, id: string, reason: string | undefined): void {
    this.#tell(topicOf({ cancelsOf: owner }), { type: 'cancel', id, reason });
  }

  changed(record: JobRecord): void {
    this.#tell(record.job.id, { type: 'job', record });
  }

  outcome(record: JobRecord): void {
    this.#tell(topicOf({ outcomes: 'here' }), { type: 'job', record });
    if (record.state.outcome?.status === 'failed') this.#tell(topicOf({ failures: 'here' }), { type: 'job', record });
  }

  /** Tells everything that was noted since the last time. */
  flush(): void {
    if (this.#rung.size > 0) {
      const rung = [...this.#rung];
      this.#rung.clear();
      for (const queue of rung) this.#topics.emit(topicOf({ work: queue }), { type: 'work' });
    }
    while (this.#news.length > 0) {
      const news = this.#news;
      this.#news = [];
      for (const { topic, change } of news) this.#topics.emit(topic, change);
    }
  }

  listen(interest: ChangeFilter): Observable<StoreChange> {
    const id = 'job' in interest ? interest.job : 'ended' in interest ? interest.ended : undefined;
    return id === undefined ? this.#topics.changes(topicOf(interest)) : this.#jobChanges(id);
  }

  complete(): void {
    this.#topics.completeAll();
  }

  #tell(topic: string, change: StoreChange): void {
    if (this.#topics.isHeard(topic)) this.#news.push({ topic, change });
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
      return this.#topics.changes(topicOf({ job: id })).subscribe({
        next: (change) => change.type === 'job' && tell(change.record),
        complete: () => subscriber.complete(),
      });
    });
  }
}
