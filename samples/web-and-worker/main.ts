/** Starts the web process and a worker, orders some things, and stops both as an operator would. */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

if ((process.env['MONGODB_URI'] ?? '') === '') {
  console.error('Two processes cannot share a store in memory: set MONGODB_URI to the URI of a replica set.');
  process.exit(2);
}

interface Started {
  readonly child: ChildProcess;
  readonly message: unknown;
}

async function started(name: string): Promise<Started> {
  const child = fork(new URL(`./${name}.ts`, import.meta.url));
  const failed = once(child, 'exit').then(([code]) => Promise.reject(new Error(`${name} has ended with ${code}`)));
  const [message] = await Promise.race([once(child, 'message'), failed]);
  failed.catch(() => undefined);
  return { child, message };
}

async function stop(name: string, { child }: Started): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const [code] = await ended;
  console.log(`${name} has ended with ${code}`);
}

const web = await started('web');
const worker = await started('worker');
const { port } = web.message as { readonly port: number };
for (const item of ['apple', 'pear', '']) {
  const response = await fetch(`http://127.0.0.1:${port}/orders`, { method: 'POST', body: item });
  console.log(`web: ${response.status} ${await response.text()}`);
}
await stop('web', web);
await stop('worker', worker);

/* It prints, the lines of the worker a little sooner or later:
worker: Receipts.write gave "receipt for 1 apple"
web: 200 receipt for 1 apple
worker: Receipts.write gave "receipt for 1 pear"
web: 200 receipt for 1 pear
web: 400 nothing was ordered
web has ended with 0
worker has ended with 0
*/
