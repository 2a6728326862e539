/** Documents made and submitted in the background: queue, status, wait, batches, failure, callbacks, events. */

import assert from 'node:assert/strict';
import { Container } from 'inversify';
import { asyncModule, callback, IAsyncService, JobFailedError, makeJob, start } from 'millrace';
import { openStore } from '../store.js';
import { Documents, documents, Mails, mails } from './documents.js';

const { store, close } = await openStore('millrace-documents');
const container = new Container();
container.bind(Documents).toSelf().inSingletonScope();
container.load(asyncModule({ store, tasks: [Documents, Mails] }));
await start(container);
const async = container.get(IAsyncService);
async.events.failure.subscribe(({ job, error }) => console.log(`event: ${job.taskName} failed: ${error.message}`));

console.log('- A job is queued, and run when its turn has come.');
const job = await async.queueJob(documents.create, 'inbox', 'foo', 'A title');
console.log(job.status);
console.log(await job.waitForResult());
console.log(job.status);

console.log('- Two jobs, one after the other: the default quota lets one run at a time, in the order queued.');
const first = await async.queueJob(documents.create, 'inbox', 'bar', 'A title');
const second = await async.queueJob(documents.submit, 'inbox', 'bar');
await second.waitForResult();
assert.equal((await first.refresh()).status, 'completed');
console.log(second.result);

console.log('- The same as a serial batch; its result is the jobs in it.');
const batch = await async.queueSerialJobs(makeJob(documents.create, 'inbox', 'baz', 'A title'), makeJob(documents.submit, 'inbox', 'baz'));
const [created, submitted] = await batch.waitForResult();
console.log(created.result, '|', submitted.status, '|', submitted.result);

console.log('- As a parallel batch.');
const many = await async.queueParallelJobs(
  makeJob(documents.create, 'inbox', 'one', 'The first'),
  makeJob(documents.create, 'inbox', 'two', 'The second'),
);
for (const child of await many.waitForResult()) console.log(child.result);

console.log('- A job that fails, with callbacks: making the same document again. Its failure is expected, and so not logged.');
const failing = await async.queueJob(
  makeJob(documents.create, 'inbox', 'foo', 'Again')
    .with({ failureLogLevel: 'none' })
    .withCallbacks({ success: mails.created, failure: callback(mails.failed, 'ops@example.org') }),
);
await assert.rejects(failing.waitForResult(), (error) => error instanceof JobFailedError && error.cause instanceof Error);
console.log(failing.status, '|', failing.error?.message);

console.log('- A callback can be added at any time, also when the job has ended.');
const told = await failing.addCallbacks({ failure: callback(mails.failed, 'boss@example.org') });
console.log(await told.waitForResult());

await async.stop();
await close();

/* It prints:
- A job is queued, and run when its turn has come.
pending
inbox/foo
completed
- Two jobs, one after the other: the default quota lets one run at a time, in the order queued.
inbox/bar is submitted
- The same as a serial batch; its result is the jobs in it.
inbox/baz | completed | inbox/baz is submitted
- As a parallel batch.
inbox/one
inbox/two
- A job that fails, with callbacks: making the same document again. Its failure is expected, and so not logged.
event: Documents.create failed: the id foo is in use
mail to ops@example.org: the id foo is in use
failed | the id foo is in use
- A callback can be added at any time, also when the job has ended.
mail to boss@example.org: the id foo is in use
sent
*/
