/** One member's port, and the connections that were made to it. */

import { createServer, type Server as NetServer } from 'node:net';
import { nextTurn } from '../../../src/clock.js';
import type { Server } from '../server.js';
import { Connection } from './connection.js';

export interface Listener {
  readonly host: string;
  readonly connections: ReadonlySet<Connection>;
  /**
   * Closes all connections, the youngest first and one a turn; new ones can be made. Driver 7.9 fails if all are closed at once: its
   * monitor may wait without end for a closed socket to drain, and never finds the server again.
   */
  closeConnections(): void;
  stop(): Promise<void>;
}

let lastConnection = 0;

/** Listens on 127.0.0.1. @param at - the port; a free one unless given */
export async function listen(server: Server, member: number, at = 0): Promise<Listener> {
  const connections = new Set<Connection>();
  const net = createServer((socket) => {
    lastConnection++;
    const connection = new Connection(socket, server, { id: lastConnection, member });
    connections.add(connection);
    socket.on('close', () => connections.delete(connection));
  });
  const closeConnections = (): void => {
    const [youngest, ...others] = [...connections].reverse();
    youngest?.close();
    if (others.length > 0) nextTurn().subscribe(closeConnections);
  };
  const port = await listening(net, at);
  return {
    host: `127.0.0.1:${port}`,
    connections,
    closeConnections,
    stop: async () => {
      const closed = new Promise<void>((resolve) => net.close(() => resolve()));
      closeConnections();
      await closed;
    },
  };
}

function listening(net: NetServer, at: number): Promise<number> {
  return new Promise((resolve, reject) => {
    net.on('error', reject);
    net.listen(at, '127.0.0.1', () => {
      const address = net.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
}
