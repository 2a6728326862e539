/** Many transfers in two processes while faults hit their commands: each transfer moves money once, or not at all. */

import { type IAsyncService, makeJob } from '../../../../src/index.js';
import type { JobDocument } from '../../../../src/store/mongo/schema/documents.js';
import { seededRandom } from '../../../../src/testing/seeded-random.js';
import { RandomStrikes } from '../faults/random-strikes.js';
import { Stage } from '../faults/stage.js';
import { ACCOUNTS, type Account, BALANCE, type Transfer, tasksOf } from './bank.js';
import { STRIKES } from './strikes.js';

export interface TransfersTrial {
  /** The problems, a line each. */
  readonly problems: readonly string[];
  readonly struck: readonly string[];
  readonly attempts: number;
}

export async function tryTransfers(seed: number, count: number): Promise<TransfersTrial> {
  const random = seededRandom(seed);
  const pick = <T>(some: readonly T[]): T => some[Math.floor(random() * some.length)] as T;
  const plan = new RandomStrikes(random, STRIKES);
  const stage = await Stage.open(plan);
  try {
    await stage.data.collection<Account>('accounts').insertMany(ACCOUNTS.map((_id) => ({ _id, balance: BALANCE })));
    await stage.data.createCollection('transfers');
    const services: IAsyncService[] = [];
    const own = (index: number) => () => services[index] as IAsyncService;
    const [a, b] = await stage.start((data, index) => ({ tasks: Object.values(tasksOf(data, own(index))) }));
    if (a === undefined || b === undefined) throw new Error('two processes are needed');
    services.push(a, b);
    const { transfer } = tasksOf(stage.data, own(0));
    const jobs = await stage.play(
      a.queueJobs(
        Array.from({ length: count }, () => {
          const from = pick(ACCOUNTS);
          return makeJob(transfer, from, pick(ACCOUNTS.filter((other) => other !== from)), 1 + Math.floor(random() * BALANCE));
        }),
      ),
      'the queueing',
    );
    plan.begin();
    const cancelled = jobs.filter(() => random() < 0.1).map((job) => b.getJob(job.id).then((found) => found?.cancel('enough')));
    await stage.play(Promise.allSettled([...cancelled, allEnded(stage)]), 'all transfers');
    const problems = problemsIn(await stage.documents('jobs'), await bankOf(stage));
    const attempts = (await stage.documents('jobs')).reduce((sum, job) => sum + job.attempts, 0);
    await stage.stopServices();
    await stage.outlast();
    return { problems, struck: plan.struck, attempts };
  } finally {
    await stage.close();
  }
}

async function allEnded(stage: Stage): Promise<void> {
  while ((await stage.documents('jobs')).some(({ isOpen }) => isOpen === true)) await stage.wait(1_000);
}

interface BankState {
  readonly accounts: readonly Account[];
  readonly transfers: readonly Transfer[];
}

async function bankOf({ data }: Stage): Promise<BankState> {
  const [accounts, transfers] = [data.collection<Account>('accounts'), data.collection<Transfer>('transfers')];
  return { accounts: await accounts.find().toArray(), transfers: await transfers.find().toArray() };
}

function problemsIn(jobs: readonly JobDocument[], { accounts, transfers }: BankState): readonly string[] {
  const done = new Set(transfers.map(({ _id }) => _id));
  const receipts = jobs.filter(({ taskName, status }) => taskName === 'receipt' && status === 'completed').length;
  const all = jobs.filter(({ taskName }) => taskName === 'transfer');
  const balanceOf = (name: string): number =>
    transfers.reduce((sum, { from, to, amount }) => sum + (to === name ? amount : 0) - (from === name ? amount : 0), BALANCE);
  return [
    ...all.flatMap(({ _id, status }) =>
      (status === 'completed') === done.has(String(_id))
        ? []
        : [`job ${_id} is ${status}, but its transfer is ${done.has(String(_id)) ? '' : 'not '}there`],
    ),
    ...accounts.flatMap(({ _id, balance }) =>
      balance === balanceOf(_id) && balance >= 0 ? [] : [`${_id} has ${balance}, not ${balanceOf(_id)}`],
    ),
    ...(receipts === transfers.length ? [] : [`${transfers.length} transfers have ${receipts} receipts`]),
    ...(all.every(({ status }) => ['completed', 'failed', 'cancelled'].includes(status)) ? [] : ['some have not ended']),
  ];
}
