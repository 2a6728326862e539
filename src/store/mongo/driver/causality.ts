/** Makes reads come after the commits of the application's sessions, whatever their write concern. */

import type { ClientSession, ClusterTime, MongoClient, Timestamp } from 'mongodb';

/** The last times that a session has seen. */
interface Seen {
  readonly operationTime: Timestamp;
  readonly clusterTime: ClusterTime | undefined;
}

export class Causality {
  /** Sessions that may still commit something; the driver keeps them as well until they have ended. */
  readonly #sessions = new Set<ClientSession>();
  #last: Seen | undefined;

  /** From now on, reads come after the writes of this session. */
  follow(session: ClientSession): void {
    this.#sessions.add(session);
  }

  /**
   * Reads through a session that waits for all these commits, if there are any. With read concern `majority` alone, a commit
   * with `w: 1`, the default of MongoDB 4.4, might not be visible yet.
   */
  read<T>(client: MongoClient, read: (session: ClientSession | undefined) => Promise<T>): Promise<T> {
    if (this.#seen() === undefined) return read(undefined);
    return client.withSession((session) => {
      this.pass(session);
      return read(session);
    });
  }

  /** Lets a session of the store's own see all these commits. */
  pass(session: ClientSession): void {
    const seen = this.#seen();
    if (seen === undefined) return;
    if (seen.clusterTime !== undefined) session.advanceClusterTime(seen.clusterTime);
    session.advanceOperationTime(seen.operationTime);
  }

  #seen(): Seen | undefined {
    for (const session of this.#sessions) {
      const seen = seenBy(session);
      if (seen !== undefined && (this.#last === undefined || seen.operationTime.greaterThan(this.#last.operationTime))) this.#last = seen;
      if (session.hasEnded) this.#sessions.delete(session);
    }
    return this.#last;
  }
}

/** A session without causal consistency notes only the time of the cluster, which is not earlier. */
function seenBy({ operationTime, clusterTime }: ClientSession): Seen | undefined {
  const time = operationTime ?? clusterTime?.clusterTime;
  return time === undefined ? undefined : { operationTime: time, clusterTime };
}
