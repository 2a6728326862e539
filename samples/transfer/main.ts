/** Transactional tasks: money that is moved between two accounts by many jobs at a time, each of which takes effect once, or not at all. */

import { Container } from 'inversify';
import { asyncModule, currentTask, IAsyncService, makeJob, start, task } from 'millrace';
import { openStore } from '../store.js';
import { openBank } from './bank.js';

const { store, database, close } = await openStore('millrace-transfer');
const { accounts, transfers } = await openBank(database);

// Of those who meet at the same account one goes on; the others run again, as often as it takes.
const retry = { attempts: 1_000 } as const;

const transfer = task(
  'transfer',
  { quotas: [], transactional: true, retry, failureLogLevel: 'none' },
  async (from: string, to: string, amount: number) => {
    const { session, job } = currentTask();
    const [payer, payee] = [await accounts.get(from, session), await accounts.get(to, session)];
    if (payer === undefined || payee === undefined) throw new Error('there is no such account');
    await accounts.put({ ...payer, balance: payer.balance - amount }, session);
    await accounts.put({ ...payee, balance: payee.balance + amount }, session);
    await transfers.put({ _id: job.id, from, to, amount }, session);
    await async.queueJob(receipt, from, amount);
    if (payer.balance < amount) throw new Error(`${from} has too little money`);
  },
);
const receipt = task('receipt', { quotas: [] }, (name: string, amount: number) => `${name} has paid ${amount}`);

const container = new Container();
container.load(asyncModule({ store, tasks: [transfer, receipt], dispatcher: { agents: [{ concurrency: 4 }] } }));
await start(container);
const async = container.get(IAsyncService);

for (const _id of ['ada', 'bob']) await accounts.put({ _id, balance: 100 });

async function show(): Promise<void> {
  const balances = (await accounts.all()).map(({ _id, balance }) => `${_id} ${balance}`);
  const receipts = await async.getJobs({ task: receipt });
  console.log(balances.join(', '), `- ${(await transfers.all()).length} transfers, ${receipts.length} receipts`);
}

console.log('- Forty transfers at the same time: they conflict, and run again until each has been done, once.');
const there = Array.from({ length: 20 }, () => makeJob(transfer, 'ada', 'bob', 2));
const back = Array.from({ length: 20 }, () => makeJob(transfer, 'bob', 'ada', 1));
const jobs = await async.queueJobs([...there, ...back]);
await Promise.all(jobs.map((job) => job.waitForResult()));
console.log(jobs.some(({ attempts }) => attempts > 1));
await show();

console.log('- A transfer that fails leaves nothing, though it had written and queued everything.');
const tooMuch = await async.queueJob(transfer, 'ada', 'bob', 1_000);
console.log(await tooMuch.waitForResult().catch(({ cause }) => cause.message));
await show();

await async.stop();
await close();

/* It prints:
- Forty transfers at the same time: they conflict, and run again until each has been done, once.
true
ada 80, bob 120 - 40 transfers, 40 receipts
- A transfer that fails leaves nothing, though it had written and queued everything.
ada has too little money
ada 80, bob 120 - 40 transfers, 40 receipts
*/
