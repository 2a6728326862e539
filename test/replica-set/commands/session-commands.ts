/** Commands on sessions and transactions: commit, abort, and the beginning and end of sessions. */

import { Binary, UUID } from 'mongodb';
import type { Server } from '../server.js';
import { ServerError } from '../server-error.js';
import type { Session } from '../sessions/session.js';
import { sessionId } from '../sessions/sessions.js';
import { wholeNumber } from '../values/numbers.js';
import { isArray, isDoc } from '../values/value.js';
import type { Call, Command } from './command.js';
import { requiredArray } from './fields.js';

const commitTransaction: Command = {
  kind: 'write',
  options: ['recoveryToken'],
  inTransaction: true,
  onlyAdmin: true,
  run: ({ transaction }) => {
    if (transaction === undefined) throw new ServerError('InvalidOptions', 'commitTransaction must be run within a transaction');
    if (transaction.state === 'open') transaction.commit();
    return {};
  },
};

const abortTransaction: Command = {
  kind: 'write',
  options: ['recoveryToken'],
  inTransaction: true,
  onlyAdmin: true,
  run: ({ transaction }) => {
    transaction?.abort();
    return {};
  },
};

const startSession: Command = {
  kind: 'any',
  options: [],
  run: () => ({ id: { id: new Binary(new UUID().buffer, 4) }, timeoutMinutes: wholeNumber(30) }),
};

/** The sessions that a command names, by `lsid`. */
function meant({ server, name, body }: Call): Session[] {
  return requiredArray(body, name)
    .map((lsid) => (isDoc(lsid) ? server.sessions.find(lsid) : undefined))
    .filter((session): session is Session => session !== undefined);
}

/** Aborts its transaction and closes its cursors; the answers to its writes are kept, since one may still arrive again. */
function endWork(server: Server, session: Session): void {
  session.transaction?.abortIfOpen();
  server.cursors.closeWhere((cursor) => cursor.sessionId === session.id);
  session.snapshotAt = undefined;
  server.history.unpin(session);
}

const endSessions: Command = {
  kind: 'any',
  options: [],
  run: (call) => {
    for (const session of meant(call)) endWork(call.server, session);
    return {};
  },
};

const refreshSessions: Command = { kind: 'any', options: [], run: () => ({}) };

function interrupt(server: Server, isMeant: (id: string) => boolean): void {
  const error = new ServerError('Interrupted', 'operation was interrupted');
  server.operations.interrupt(error, ({ session }) => session !== undefined && isMeant(sessionId(session)));
}

const killSessions: Command = {
  kind: 'any',
  options: [],
  run: (call) => {
    const { server, name, body } = call;
    const ids = requiredArray(body, name).map((lsid) => sessionId(lsid));
    const all = ids.length === 0;
    for (const session of server.sessions.all()) if (all || ids.includes(session.id)) endWork(server, session);
    interrupt(server, (id) => all || ids.includes(id));
    return {};
  },
};

const killAllSessions: Command = {
  kind: 'any',
  options: [],
  run: ({ server, body, name }) => {
    if (!isArray(body[name])) throw new ServerError('TypeMismatch', `BSON field '${name}' is the wrong type, expected type 'array'`);
    for (const session of server.sessions.all()) endWork(server, session);
    interrupt(server, () => true);
    return {};
  },
};

export const SESSION_COMMANDS: Readonly<Record<string, Command>> = {
  commitTransaction,
  abortTransaction,
  startSession,
  endSessions,
  refreshSessions,
  killSessions,
  killAllSessions,
};
