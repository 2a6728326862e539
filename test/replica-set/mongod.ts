/** Starts a real mongod as a replica set of one, with test commands, through mongodb-memory-server-core. */

import { MongoMemoryReplSet } from 'mongodb-memory-server-core';

export interface Mongod {
  readonly uri: string;
  stop(): Promise<void>;
}

/** @param binary the mongod to run; downloads one if not given */
export async function startMongod(binary: string | undefined): Promise<Mongod> {
  const set = await MongoMemoryReplSet.create({
    replSet: { name: 'rs0', count: 1, storageEngine: 'wiredTiger', args: ['--setParameter', 'enableTestCommands=1'] },
    ...(binary === undefined ? {} : { binary: { systemBinary: binary } }),
  });
  return {
    uri: set.getUri(),
    stop: async () => {
      await set.stop();
    },
  };
}
