/** A process is killed inside a transactional task, and the server keeps its transaction open: the next attempt outlasts that. */

import { expect, it } from 'vitest';
import { makeJob } from '../../src/index.js';
import type { Account, Gate } from './crash-tasks.js';
import { setTheScene } from './scene.js';

const WAIT_MS = 90_000;
/** Longer than it takes until another process has the job. */
const LIFETIME_SECONDS = 20;

it(
  'pays once, and the jobs after the payment run after it',
  async () => {
    const { async, crew, collection, database, tasks } = await setTheScene();
    const admin = database.admin();
    const { was } = await admin.command({ setParameter: 1, transactionLifetimeLimitSeconds: LIFETIME_SECONDS });
    try {
      await database.collection<Account>('accounts').insertOne({ _id: 'account', balance: 0 });
      const killed = await crew.start(0);
      const batch = await async.queueSerialJobs(makeJob(tasks.double, 1, 1), makeJob(tasks.pays, 'open'), makeJob(tasks.double, 2, 1));
      const started = (): Promise<number> => database.collection('ledger').countDocuments({ what: 'start', by: killed });
      await expect.poll(started, { timeout: WAIT_MS, interval: 50 }).toBe(2);
      await crew.kill(0);
      await crew.start(1);
      await database.collection<Gate>('gates').insertOne({ _id: 'open' });
      const steps = await batch.waitForResult({ timeoutMs: WAIT_MS });
      expect(steps.map(({ status }) => status)).toEqual(['completed', 'completed', 'completed']);
      expect(await database.collection<Account>('accounts').findOne()).toMatchObject({ balance: 1 });
      const paid = await collection('jobs').findOne({ taskName: 'pays' });
      expect([paid?.['failures'], paid?.['interruptions']]).toEqual([0, 1]);
      // It has met the transaction that was left open.
      expect(paid?.['attempts']).toBeGreaterThan(2);
      const [, , after] = await collection('jobs')
        .find()
        .sort({ order: 1 })
        .toArray()
        .then((jobs) => jobs.filter(({ taskName }) => taskName !== 'serial'));
      expect(after?.['startedAt'].getTime()).toBeGreaterThanOrEqual(paid?.['endedAt'].getTime());
      await crew.stop();
    } finally {
      await admin.command({ setParameter: 1, transactionLifetimeLimitSeconds: was });
    }
  },
  2 * WAIT_MS,
);
