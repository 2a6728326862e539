/** Middleware: a connection for the tenant of each job, and a line for each attempt with its time. */

import { AsyncLocalStorage } from 'node:async_hooks';
import { Container } from 'inversify';
import { type Around, asyncModule, currentTask, fixedDelay, makeJob, memoryStore, start, task } from 'millrace';

/** Stands for a pool of connections, one for each tenant. */
const connections = new AsyncLocalStorage<string>();

const withConnection: Around = ({ metadata }, next) => connections.run(`connection of ${metadata['tenant']}`, next);

const logged: Around = async ({ taskName, attempt }, next) => {
  try {
    console.log(`${taskName}, attempt ${attempt}: ${await next()}`);
  } catch (error) {
    console.log(`${taskName}, attempt ${attempt} failed: ${(error as Error).message}`);
    throw error;
  }
};

const save = task('save', { retry: fixedDelay({ delayMs: 0 }) }, (what: string) => {
  if (currentTask().attempt === 1) throw new Error('the connection was closed');
  return `saved ${what} through the ${connections.getStore()}`;
});

const container = new Container();
const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: console.error };
container.load(asyncModule({ store: memoryStore(), tasks: [save], around: [logged, withConnection], logger }));
await using async = await start(container);

for (const tenant of ['acme', 'zenith']) {
  const job = await async.queueJob(makeJob(save, 'an invoice').with({ metadata: { tenant } }));
  await job.waitForResult();
}

/* It prints:
save, attempt 1 failed: the connection was closed
save, attempt 2: saved an invoice through the connection of acme
save, attempt 1 failed: the connection was closed
save, attempt 2: saved an invoice through the connection of zenith
*/
