/** The process that faces the web: it queues and waits, but runs no job itself. */

import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { Container } from 'inversify';
import { asyncModule, IAsyncService, start } from 'millrace';
import { ObjectId } from 'mongodb';
import { openJobs, Receipts, receipts, Shop } from './shop.js';

const shop = new Shop();
const jobs = openJobs(shop);
const container = new Container();
container.bind(Shop).toConstantValue(shop);
container.load(asyncModule({ store: jobs.store, tasks: [Receipts], dispatcher: false }));
await start(container);
const async = container.get(IAsyncService);

/** An order and the job for its receipt, both or neither. */
async function order(item: string): Promise<string> {
  if (item === '') throw new Error('nothing was ordered');
  const job = await async.transaction(async (session) => {
    const { insertedId } = await shop.orders.insertOne({ _id: new ObjectId(), item }, { session });
    return async.queueJob(receipts.write, insertedId.toHexString());
  });
  return job.waitForResult({ timeoutMs: 20_000 });
}

async function answer(request: IncomingMessage): Promise<readonly [status: number, body: string]> {
  try {
    return [200, await order(await text(request))];
  } catch (error) {
    return [400, error instanceof Error ? error.message : String(error)];
  }
}

const server = createServer((request, response) => {
  void answer(request).then(([status, body]) => response.writeHead(status).end(body));
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
process.send?.({ port: (server.address() as AddressInfo).port });

await once(process, 'SIGTERM');
server.close();
server.closeAllConnections();
await async.stop();
await jobs.close();
await shop.client.close();
process.disconnect();
