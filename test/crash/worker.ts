/** A process that works until it is told to stop, or until whoever started it is gone. Arguments: URI, database, name. */

import { Container } from 'inversify';
import { MongoClient } from 'mongodb';
import { asyncModule, start } from '../../src/index.js';
import { mongoStore } from '../../src/store/mongo/index.js';
import { crashTasks, LEASE_MS, QUOTAS } from './crash-tasks.js';

const [uri = '', database = '', name = ''] = process.argv.slice(2);
const client = await new MongoClient(uri).connect();
const container = new Container();
container.load(
  asyncModule({
    store: mongoStore({ client, database }),
    tasks: Object.values(crashTasks(client.db(database), name)),
    quotas: QUOTAS,
    dispatcher: { name, leaseMs: LEASE_MS, heartbeatMs: 300, pollMs: 500 },
  }),
);
const async = await start(container);

process.on('SIGTERM', async () => {
  await async.stop();
  await client.close();
  process.exit(0);
});
process.stdin.on('end', () => process.exit(1)).resume();
console.log('ready');
