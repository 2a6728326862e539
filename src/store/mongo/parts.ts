/** The parts of a store that has been started, and how they are put together. */

import { ObjectId } from 'mongodb';
import { interval, type Subscription } from 'rxjs';
import type { Clock } from '../../clock.js';
import { Ahead } from './ahead.js';
import { Attempts } from './attempts.js';
import { Claims } from './claims.js';
import { type Collections, openCollections } from './collections.js';
import type { QuotaDocument } from './documents.js';
import { Inserts } from './inserts.js';
import { Jobs } from './jobs.js';
import { Lanes } from './lanes.js';
import { Leases } from './leases.js';
import type { CheckedMongoOptions } from './mongo-options.js';
import { News } from './news.js';
import { Relief } from './relief.js';
import { Rounds } from './rounds.js';
import { Running } from './running.js';
import type { ServerTime } from './server-time.js';
import { Settlements } from './settlements.js';
import { Shares } from './shares.js';
import { Tender } from './tender.js';
import { WaitGraph } from './waiting.js';
import { type Heard, Watch } from './watch.js';

/** Between two looks at the jobs that are watched here, in case news of them was lost. */
const POLL_MS = 5_000;

interface HeardOfQuota {
  readonly name: string;
  readonly quota: QuotaDocument | undefined;
  readonly rev: number | undefined;
}

export class Parts {
  readonly news: News;
  readonly shares: Shares;
  readonly leases: Leases;
  readonly tender: Tender;
  readonly attempts: Attempts;
  readonly settlements: Settlements;
  readonly claims: Claims;
  readonly inserts: Inserts;
  readonly rounds: Rounds;
  readonly jobs: Jobs;
  readonly collections: Collections;
  readonly relief: Relief;
  readonly ahead: Ahead;
  readonly watch: Watch;
  #polling: Subscription | undefined;

  constructor({ client, database, prefix }: CheckedMongoOptions, clock: Clock, time: ServerTime) {
    const process = new ObjectId().toHexString();
    const collections = openCollections(client, database, prefix);
    const lanes = new Lanes();
    const news = new News({
      collections,
      onPending: (lane) => lanes.ring(lane),
      follow: (id) => this.watch.follow(id),
      unfollow: (id) => this.watch.unfollow(id),
      dropAhead: (id, reason) => this.#dropAhead(id, reason),
    });
    const jobs = new Jobs(collections, (job) => news.changed(job));
    const leases = new Leases(collections, time);
    const shares = new Shares({
      collections,
      time,
      leases,
      onFreed: () => news.room(),
      beforeGivingWay: (dispatcher) => this.ahead.handBack(dispatcher),
      onBackground: (work) => news.track(work),
    });
    const relief = new Relief({ collections, clock, process, onBackground: (work) => news.track(work) });
    const tender = new Tender({ collections, jobs, shares, time, news, relief, process });
    const graph = new WaitGraph(jobs, shares);
    const running = new Running();
    const ahead = new Ahead({ collections, clock, time, running, news });
    this.ahead = ahead;
    const attempts = new Attempts({ jobs, shares, tender, time, news, graph, running, ahead, relief, process });
    this.collections = collections;
    this.news = news;
    this.jobs = jobs;
    this.leases = leases;
    this.shares = shares;
    this.tender = tender;
    this.attempts = attempts;
    this.settlements = new Settlements({ ahead, collections, jobs, running, shares, tender, time, news, process });
    this.claims = new Claims({ ahead, collections, relief, lanes, leases, running, shares, time, tender, news, process });
    this.inserts = new Inserts({ client, collections, jobs, time, news, tender, process });
    this.rounds = new Rounds({ collections, jobs, leases, shares, time, tender, attempts, ahead, running, news });
    this.relief = relief;
    this.process = process;
    this.watch = new Watch({
      collections,
      clock,
      process,
      onHeard: (heard) => this.#hear(heard),
      onOpened: () => this.#sweep(),
      onFailed: () => undefined,
    });
    this.#clock = clock;
  }

  readonly process: string;
  readonly #clock: Clock;

  /** Hears of what other processes do, and looks now and then in case something is not heard. */
  listen(): void {
    this.watch.open();
    this.#polling ??= interval(POLL_MS, this.#clock.scheduler).subscribe(() => this.news.readAll());
  }

  async close(): Promise<void> {
    this.#polling?.unsubscribe();
    await this.watch.close();
    await this.news.idle();
    // What is not written now is found by a round of somebody else.
    await this.relief.flush().catch(() => undefined);
    this.news.complete();
  }

  #hear({ collection, id, quota, rev, isInsert, origin, bell, dueAt, startBy, cancelOwner, cancelReason }: Heard): void {
    const { news, shares, collections } = this;
    if (collection === collections.quotas.collectionName) return news.track(this.#hearOfQuota(shares, { name: String(id), quota, rev }));
    const isEcho = isInsert && origin === this.process;
    if (bell !== undefined && !isEcho) news.found(bell);
    if (dueAt !== undefined) news.due(dueAt);
    if (startBy !== undefined) news.due(startBy);
    if (cancelOwner !== undefined) news.cancelOf(cancelOwner, String(id), cancelReason);
    if (!isEcho) news.changed({ _id: id as ObjectId });
  }

  #dropAhead(id: string, reason: string | undefined): boolean {
    const job = this.ahead.drop(id);
    if (job === undefined) return false;
    const end = this.jobs.decide(job._id, (now) =>
      now.status === 'assigned' ? this.tender.end(now, 'end', { status: 'cancelled', reason }) : 'nothing',
    );
    this.news.track(end.then(() => undefined));
    return true;
  }

  async #hearOfQuota(shares: Shares, { name, quota, rev }: HeardOfQuota): Promise<void> {
    if (await shares.hear(name, quota, rev)) this.news.room();
    await shares.yieldIdle();
  }

  /** What happened while nothing was heard is looked for. */
  #sweep(): void {
    this.news.room();
    this.news.readAll();
  }
}
