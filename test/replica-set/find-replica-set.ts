/** Finds the replica set that tests run on: the one given, a mongod of this machine, or the stand-in. */

import type { StandInFaults } from './faults/stand-in-faults.js';
import { chooseReplicaSet } from './replica-set-choice.js';
import { type StandInOptions, startStandIn } from './stand-in.js';

export type { StandInFaults } from './faults/stand-in-faults.js';

export interface ReplicaSet {
  /** 'given' = MONGODB_URI, 'mongod' = a mongod of this machine through mongodb-memory-server-core, 'stand-in' otherwise. */
  readonly kind: 'given' | 'mongod' | 'stand-in';
  readonly uri: string;
  /** The stand-in's own faults; undefined on a real server. */
  readonly faults: StandInFaults | undefined;
  stop(): Promise<void>;
}

/**
 * Finds one in the order MONGODB_URI, mongod (MONGOMS_SYSTEM_BINARY or on PATH; no download unless MONGOMS_DOWNLOAD=1), stand-in.
 * With MILLRACE_MONGODB=real a stand-in is refused with a sentence saying what to set.
 * @param options of the stand-in, where it is one
 */
export async function findReplicaSet(options: StandInOptions = {}): Promise<ReplicaSet> {
  const started = await mongodOfTheRun();
  if (started !== undefined) return { kind: 'mongod', uri: started, faults: undefined, stop: async () => {} };
  const choice = chooseReplicaSet();
  if (choice.kind === 'given') return { ...choice, faults: undefined, stop: async () => {} };
  if (choice.kind === 'mongod') {
    const { startMongod } = await import('./mongod.js');
    return { kind: 'mongod', faults: undefined, ...(await startMongod(choice.binary)) };
  }
  const standIn = await startStandIn(options);
  return { kind: 'stand-in', uri: standIn.uri, faults: standIn.faults, stop: () => standIn.stop() };
}

/** The mongod that vitest's global setup started once for all test files. */
async function mongodOfTheRun(): Promise<string | undefined> {
  if (process.env['VITEST'] === undefined) return undefined;
  const { inject } = await import('vitest');
  return inject('mongodUri');
}
