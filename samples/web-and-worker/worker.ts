/** The process that works. Start as many as the work needs; on a stop signal, a worker finishes the jobs that it has begun. */

import { once } from 'node:events';
import { Container } from 'inversify';
import { asyncModule, IAsyncService, start } from 'millrace';
import { openJobs, Receipts, Shop } from './shop.js';

const shop = new Shop();
const jobs = openJobs(shop);
const container = new Container();
container.bind(Shop).toConstantValue(shop);
container.load(asyncModule({ store: jobs.store, tasks: [Receipts] }));
await start(container);
const async = container.get(IAsyncService);
async.events.success.subscribe(({ job }) => console.log(`worker: ${job.taskName} gave "${job.result}"`));
process.send?.('ready');

await once(process, 'SIGTERM');
const { left } = await async.stop({ drain: true, timeoutMs: 20_000 });
if (left > 0) console.log(`worker: ${left} jobs go on elsewhere`);
await jobs.close();
await shop.client.close();
process.disconnect();
