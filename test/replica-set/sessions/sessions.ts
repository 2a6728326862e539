/** The logical sessions of the set, by their id. */

import { Binary } from 'mongodb';
import { ServerError } from '../server-error.js';
import { type Doc, isDoc, type Maybe } from '../values/value.js';
import { Session } from './session.js';

export const SESSION_TIMEOUT_MINUTES = 30;

/** At least this number is kept; above it, sessions that are unused for longer than the timeout are removed. */
const ENOUGH = 10_000;

export class Sessions {
  readonly #sessions = new Map<string, Session>();

  get size(): number {
    return this.#sessions.size;
  }

  all(): Session[] {
    return [...this.#sessions.values()];
  }

  /** The session of an `lsid`, which begins with its first use. */
  use(lsid: Doc, now: number): Session {
    const id = sessionId(lsid);
    let session = this.#sessions.get(id);
    if (session === undefined) {
      session = new Session(id, lsid);
      this.#sessions.set(id, session);
      if (this.#sessions.size > ENOUGH) this.#forgetUnused(now);
    }
    session.lastUsedAt = now;
    return session;
  }

  find(lsid: Doc): Session | undefined {
    return this.#sessions.get(sessionId(lsid));
  }

  #forgetUnused(now: number): void {
    for (const session of this.#sessions.values()) {
      const isUnused = session.transaction?.isOver !== false && now - session.lastUsedAt > SESSION_TIMEOUT_MINUTES * 60_000;
      if (isUnused) this.#sessions.delete(session.id);
    }
  }
}

export function sessionId(lsid: Maybe): string {
  const id = isDoc(lsid) ? lsid['id'] : undefined;
  if (!(id instanceof Binary)) throw new ServerError(40414, "BSON field 'OperationSessionInfo.lsid.id' is missing but a required field");
  return id.toString('hex');
}
