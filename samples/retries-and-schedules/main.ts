/** Retries, times, dead letters, and a job that recurs. */

import { Container } from 'inversify';
import { asyncModule, currentTask, exponential, IAsyncService, makeJob, RetryLater, start, task } from 'millrace';
import { openStore } from '../store.js';

const { store, close } = await openStore('millrace-retries');

/** A service that is down for a while. */
let isUp = false;

const send = task('send', { quotas: [], retry: exponential({ attempts: 3, firstMs: 20 }), failureLogLevel: 'none' }, async (to: string) => {
  console.log(`attempt ${currentTask().attempt} to reach ${to}`);
  if (!isUp) throw new Error(`${to} cannot be reached`);
  return `sent to ${to}`;
});

/** Asks to run again later; that is not a failure. */
const poll = task('poll', { quotas: [] }, () => {
  if (currentTask().attempt < 3) throw new RetryLater(20);
  return 'there';
});

let ticks = 0;
const tick = task('tick', { quotas: [] }, () => ++ticks);

const container = new Container();
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
container.load(
  asyncModule({
    store,
    tasks: [send, poll, tick],
    logger: silent,
    schedules: [{ every: '* * * * * *', job: makeJob(tick), missed: 'skip' }],
  }),
);
await start(container);
const async = container.get(IAsyncService);

console.log('- A job that fails is tried again, ever later; in the end it is a dead letter.');
const job = await async.queueJob(send, 'ada');
console.log((await job.waitForOutcome()).status);
const [letter] = await async.getDeadLetters({ task: send });
console.log(letter?.error.message);

console.log('- When the cause is fixed, the job is queued again.');
isUp = true;
const again = await job.retry();
console.log(await again.waitForResult());

console.log('- A task may ask to run later.');
const polled = await async.queueJob(poll);
console.log(await polled.waitForResult(), 'after', polled.attempts, 'attempts');

console.log('- A job may have to wait, or must have begun by some time.');
const late = await async.queueJob(
  makeJob(poll).with({ queue: 'nobody serves it', beginBy: new Date(Date.now() + 500), failureLogLevel: 'none' }),
);
console.log((await late.explain()).reasons.map(({ because }) => because));
await late.waitForOutcome();
console.log(late.error?.name);
const soon = await async.queueJob(makeJob(send, 'bob').with({ delayMs: 50 }));
console.log(soon.status);
console.log(await soon.waitForResult());

console.log('- The schedule has fired each second.');
while (ticks === 0) await new Promise((done) => setTimeout(done, 100));
console.log(ticks > 0);

await async.stop();
await close();

/* It prints:
- A job that fails is tried again, ever later; in the end it is a dead letter.
attempt 1 to reach ada
attempt 2 to reach ada
attempt 3 to reach ada
failed
ada cannot be reached
- When the cause is fixed, the job is queued again.
attempt 1 to reach ada
sent to ada
- A task may ask to run later.
there after 3 attempts
- A job may have to wait, or must have begun by some time.
[ 'no-dispatcher-accepts' ]
ExpiredError
scheduled
attempt 1 to reach bob
sent to bob
- The schedule has fired each second.
true
*/
