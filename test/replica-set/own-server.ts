/** A server of a test's own without a port: commands are executed directly, as they would be from the wire. */

import { BSON, type Document } from 'mongodb';
import { onTestFinished } from 'vitest';
import { execute } from './commands/execute.js';
import { Server } from './server.js';
import { type Timing, timingOf } from './timing.js';
import { readDocument } from './wire/op-msg.js';

export interface OwnServer {
  readonly server: Server;
  /** Runs a command, in the database `test` unless it names another. */
  run(command: Document): Promise<Document>;
}

export function ownServer(timing: Timing = timingOf()): OwnServer {
  const server = new Server(500, timing);
  server.topology.hosts.push('here:1');
  onTestFinished(() => server.stop());
  const client = { id: 1, member: 0, appName: undefined, isClosed: false };
  return {
    server,
    run: ({ $db = 'test', ...command }) => execute(server, readDocument(Buffer.from(BSON.serialize({ ...command, $db }))), client),
  };
}
