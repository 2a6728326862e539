/** A program that has no MongoDB driver installed, and needs none. */

import { Container } from 'inversify';
import { asyncModule, memoryStore, start, task } from 'millrace';

const add = task('add', (x: number, y: number) => x + y);
const container = new Container();
container.load(asyncModule({ store: memoryStore(), tasks: [add] }));
const async = await start(container);
if ((await (await async.queueJob(add, 40, 2)).waitForResult()) !== 42) throw new Error('40 and 2 are not 42');
await async.stop();
// By a name that the compiler does not follow: the types of the store are those of the driver.
const subpath: string = 'millrace/mongo';
const missing = await import(subpath).then(
  () => 'no error',
  (error: { code: string }) => error.code,
);
if (missing !== 'MILLRACE_STORE') throw new Error(`a missing driver is reported by ${missing}`);
