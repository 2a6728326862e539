/** Processes hear of each other on a server that reports every update as a replacement, as MongoDB 4.4 does. */

import { firstValueFrom } from 'rxjs';
import { expect, it } from 'vitest';
import { currentTask, task } from '../../../src/index.js';
import { Processes } from './processes.js';

const processes = await Processes.forTests('whole');

const add = task('add', { quotas: [] }, (x: number, y: number) => x + y);
const inOrder = task('inOrder', (value: number) => value);
const hang = task('hang', { quotas: [] }, () => {
  const { signal } = currentTask();
  return new Promise<never>((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
});
const tasks = [add, inOrder, hang];

it.skipIf(processes.faults === undefined)('results, places of quotas, cancellations and outcomes', async () => {
  if (processes.faults !== undefined) processes.faults.changeEvents.tellsWhole = true;
  const queuer = (await processes.start({ tasks, dispatcher: false })).async;
  await processes.start({ tasks });
  await processes.start({ tasks });
  const outcome = firstValueFrom(queuer.outcomes());
  const jobs = await Promise.all([queuer.queueJob(add, 40, 2), queuer.queueJob(inOrder, 1), queuer.queueJob(inOrder, 2)]);
  expect(await Promise.all(jobs.map((job) => job.waitForResult()))).toEqual([42, 1, 2]);
  expect(jobs.map(({ id }) => id)).toContain((await outcome).job.id);
  const running = await queuer.queueJob(hang);
  await firstValueFrom(running.changes);
  await running.cancel('enough');
  expect(await running.waitForOutcome()).toEqual({ status: 'cancelled', reason: 'enough' });
});
