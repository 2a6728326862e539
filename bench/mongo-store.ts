/** The Mongo store: what a line of waiting jobs costs a dispatcher. It shows the speed on a real server only. */

import { Container } from 'inversify';
import { type AsyncModuleOptions, asyncModule, type IAsyncService, makeJob, start, task } from 'millrace';
import { mongoStore } from 'millrace/mongo';
import { VirtualClock } from 'millrace/testing';
import { MongoClient } from 'mongodb';
import { firstValueFrom, skip } from 'rxjs';
import { findReplicaSet, type ReplicaSet } from '../test/replica-set/find-replica-set.js';
import { CommandsSent } from '../test/store/mongo/commands-sent.js';
import type { Figure } from './figure.js';

const JOBS = 3_000;
/** Longer than all of it takes, since heartbeats stand still with the clock. */
const LEASE_MS = 600_000;

const nothing = task('nothing', () => {});
const nothingAtAll = task('nothingAtAll', { quotas: [] }, () => {});

export async function mongoFigures(): Promise<readonly Figure[]> {
  const set = await findReplicaSet();
  try {
    return [...(await drained('mongo.drain', nothingAtAll, set)), ...(await drained('mongo.serial', nothing, set))];
  } finally {
    await set.stop();
  }
}

/** From the moment the jobs are there until their only dispatcher has ended them all; who queues them is not counted. */
async function drained(name: string, what: typeof nothing, set: ReplicaSet): Promise<readonly Figure[]> {
  const database = `bench-${name.replace('.', '-')}-${process.pid}`;
  const clients = [new MongoClient(set.uri), new MongoClient(set.uri, { monitorCommands: true })] as const;
  const sent = new CommandsSent();
  sent.watch(clients[1]);
  // The stand-in is slow: in its time, ends would be recorded before more of them have been gathered.
  const clock = set.kind === 'stand-in' ? { clock: new VirtualClock() } : {};
  const queuer = await started({ store: mongoStore({ client: clients[0], database }), dispatcher: false });
  const worker = await started({
    store: mongoStore({ client: clients[1], database }),
    dispatcher: { agents: [{ concurrency: 100 }], leaseMs: LEASE_MS },
    ...clock,
  });
  const done = firstValueFrom(worker.events.all.pipe(skip(JOBS - 1)));
  sent.reset();
  const began = process.hrtime.bigint();
  await queuer.queueJobs(Array.from({ length: JOBS }, () => makeJob(what)));
  await done;
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  const figures = [
    { name: `${name}.commands-per-job`, value: perJob(sent.count), unit: 'commands' },
    { name: `${name}.documents-per-job`, value: perJob(sent.documents), unit: 'documents' },
  ];
  for (const async of [queuer, worker]) await async.stop();
  await clients[0].db(database).dropDatabase();
  for (const client of clients) await client.close();
  return set.kind === 'stand-in'
    ? figures
    : [...figures, { name: `${name}.throughput`, value: Math.round(JOBS / seconds), unit: 'jobs/s' }];
}

function perJob(count: number): number {
  return Math.round((count / JOBS) * 1e4) / 1e4;
}

async function started(options: AsyncModuleOptions): Promise<IAsyncService> {
  const container = new Container();
  container.load(asyncModule({ ...options, tasks: [nothing, nothingAtAll] }));
  return start(container);
}
