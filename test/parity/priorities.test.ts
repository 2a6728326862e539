/** Among jobs of different priorities, the lower number goes first, however long the others wait. */

import { expect, it } from 'vitest';
import { type AgentOptions, fixedDelay, type IAsyncService, makeJob, RetryLater, task } from '../../src/index.js';
import { onBothStores } from '../support/both-stores.js';

const STREAM = 30;

/** A stream of urgent jobs, each of which queues the next one, and a report of a low priority. */
function streaming() {
  const order: string[] = [];
  const service: { async?: IAsyncService } = {};
  const urgent = task('urgent', { quotas: [] }, async (left: number): Promise<void> => {
    order.push('urgent');
    if (left > 1) await service.async?.queueJob(makeJob(urgent, left - 1).with({ priority: 1 }));
  });
  const report = task('report', { quotas: [] }, () => {
    order.push('report');
  });
  const drafts = (queue: string) => [makeJob(report).with({ priority: 9, queue }), makeJob(urgent, STREAM).with({ priority: 1 })] as const;
  return { order, service, urgent, report, drafts };
}

onBothStores((stage) => {
  it('a low priority waits as long as jobs of a higher one come, and runs when none is left', async () => {
    const { order, service, urgent, report, drafts } = streaming();
    const { async, drain } = await stage.start({ tasks: [urgent, report], dispatcher: { agents: [{ concurrency: 1 }] } });
    service.async = async;
    await async.queueJobs([...drafts('')]);
    await drain();
    expect(order).toEqual([...Array.from({ length: STREAM }, () => 'urgent'), 'report']);
  });

  it.each([
    ['is to be tried again later', new Error('no')],
    ['asks for that itself', new RetryLater(60_000)],
  ])('the job that comes first has the slot of one that %s, where it needs its place as well', async (_what, thrown) => {
    const order: string[] = [];
    const putOff = task('putOff', { retry: fixedDelay({ attempts: 2, delayMs: 60_000 }) }, () => Promise.reject(thrown));
    const note = (name: string) => void order.push(name);
    const first = task('first', note);
    const second = task('second', { quotas: [] }, note);
    const { async, drain } = await stage.start({ tasks: [putOff, first, second], dispatcher: { agents: [{ concurrency: 1 }] } });
    const drafts = [makeJob(second, 'second').with({ priority: 2 }), makeJob(first, 'first').with({ priority: 1 }), makeJob(putOff)];
    await async.queueJobs(drafts);
    await drain();
    expect(order).toEqual(['first', 'second']);
  });

  it.each<[string, string, (report: ReturnType<typeof streaming>['report']) => readonly AgentOptions[]]>([
    ['in a queue of its own', 'reports', () => [{ concurrency: 1 }, { queue: 'reports', concurrency: 1 }]],
    [
      'where an agent accepts its task alone',
      '',
      (report) => [
        { concurrency: 1, accepts: (name) => name !== 'report' },
        { concurrency: 1, accepts: [report] },
      ],
    ],
  ])('a low priority runs beside a steady stream of a higher one %s', async (_where, queue, agents) => {
    const { order, service, urgent, report, drafts } = streaming();
    const { async, drain } = await stage.start({ tasks: [urgent, report], dispatcher: { agents: agents(report) } });
    service.async = async;
    await async.queueJobs([...drafts(queue)]);
    await drain();
    expect(order).toHaveLength(STREAM + 1);
    expect(order.indexOf('report')).toBeLessThan(STREAM / 2);
  });
});
