/** Middleware and events: a connection for the tenant of each job, a span for each attempt, and a line for each retry. */

import { AsyncLocalStorage } from 'node:async_hooks';
import { Container } from 'inversify';
import { type Around, asyncModule, currentTask, fixedDelay, makeJob, memoryStore, start, task } from 'millrace';

/** Stands for a pool of connections, one for each tenant. */
const connections = new AsyncLocalStorage<string>();

const withConnection: Around = ({ metadata }, next) => connections.run(`connection of ${metadata['tenant']}`, next);

/** Stands for a tracer: what the task logs meanwhile, and the time that it takes, belong to its span. */
const spans = new AsyncLocalStorage<string>();

const traced: Around = ({ taskName, attempt }, next) =>
  spans.run(`${taskName}/${attempt}`, async () => {
    const begin = performance.now();
    try {
      await next();
    } finally {
      console.log(`${spans.getStore()} took ${performance.now() - begin < 5_000 ? 'less' : 'more'} than 5 s`);
    }
  });

const save = task('save', { retry: fixedDelay({ delayMs: 0 }) }, (what: string) => {
  console.log(`${spans.getStore()} saves ${what} through the ${connections.getStore()}`);
  if (currentTask().attempt === 1) throw new Error('the connection was closed');
});

const container = new Container();
const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: console.error };
container.load(asyncModule({ store: memoryStore(), tasks: [save], around: [traced, withConnection], logger }));
await using async = await start(container);

async.events.retrying.subscribe(({ job, because, error }) => console.log(`${job.taskName}/${job.attempt} ${because}: ${error?.message}`));

for (const tenant of ['acme', 'zenith']) {
  const job = await async.queueJob(makeJob(save, 'an invoice').with({ metadata: { tenant } }));
  await job.waitForResult();
}

/* It prints:
save/1 saves an invoice through the connection of acme
save/1 took less than 5 s
save/1 failed: the connection was closed
save/2 saves an invoice through the connection of acme
save/2 took less than 5 s
save/1 saves an invoice through the connection of zenith
save/1 took less than 5 s
save/1 failed: the connection was closed
save/2 saves an invoice through the connection of zenith
save/2 took less than 5 s
*/
