/** The stand-in: an in-process replica set for tests, to which the real driver connects over TCP. */

import { faultsOf } from './faults/faults-of.js';
import type { StandInFaults } from './faults/stand-in-faults.js';
import { Server } from './server.js';
import type { Timer } from './server-clock.js';
import { type Timing, timingOf } from './timing.js';
import { SET_NAME } from './topology/topology.js';
import { type Listener, listen } from './wire/listener.js';

export interface StandInOptions {
  /** Members of the set, each a port of its own; 1 unless given. */
  readonly members?: number;
  /** The port of its first member; a free one unless given. */
  readonly port?: number;
  /** Changes the oplog remembers; 50,000 unless given. */
  readonly oplogEntries?: number;
  /** How soon it does what follows from a command; as the environment says, unless given. */
  readonly timing?: Timing;
  /** Milliseconds since the epoch, as the server is to believe; its own clock unless given. */
  readonly now?: () => number;
  /** Calls `act` after `ms` of that time, unless cancelled: the server ends open transactions with it. */
  readonly limit?: (ms: number, act: () => void) => Timer;
}

/** How soon a driver looks again for a member that it has lost: after half a second, unless it is told otherwise, for which tests would wait. */
const MIN_HEARTBEAT_MS = 20;

const DEFAULTS = { members: 1, port: 0, oplogEntries: 50_000, now: Date.now };

export interface StandIn {
  /** The connection string, e.g. `mongodb://127.0.0.1:40123/?replicaSet=rs0&minHeartbeatFrequencyMS=20`. */
  readonly uri: string;
  readonly faults: StandInFaults;
  /** Closes every connection and listener; nothing is left open. */
  stop(): Promise<void>;
}

/** Starts a set that is ready at once. */
export async function startStandIn(options: StandInOptions = {}): Promise<StandIn> {
  const { members, port, oplogEntries, now, limit, timing = timingOf() } = { ...DEFAULTS, ...options };
  const server = new Server(oplogEntries, timing);
  server.clock.source = now;
  if (limit !== undefined) server.clock.limit = limit;
  const listeners: Listener[] = await Promise.all(
    Array.from({ length: members }, (_, member) => listen(server, member, member === 0 ? port : 0)),
  );
  server.topology.hosts.push(...listeners.map(({ host }) => host));
  server.scheduleTtl();
  return {
    uri: `mongodb://${server.topology.hosts.join(',')}/?replicaSet=${SET_NAME}&minHeartbeatFrequencyMS=${MIN_HEARTBEAT_MS}`,
    faults: faultsOf(server, listeners),
    stop: async () => {
      await Promise.all(listeners.map((listener) => listener.stop()));
      server.stop();
    },
  };
}
