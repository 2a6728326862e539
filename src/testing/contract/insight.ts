/** Contract cases for insight: which dispatcher runs which jobs, which jobs have places, which jobs come before another. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import type { QuotaStatus } from '../../store/store-insight.js';
import { serial, steps, work } from './plans.js';
import { cases } from './store-case.js';
import { LAB_QUOTAS, LEASE_MS, type StoreLab } from './store-lab.js';

const AGENTS = [{ queue: 'mail', taskVersions: ['send', 'send\u00002'], concurrency: 3 }] as const;
const TRIO = { places: { trio: 2 } } as const;

export const insight = cases('insight', {
  'names the living dispatchers, with the agents that they reported': async (lab) => {
    await lab.store.heartbeat('c', LEASE_MS, AGENTS);
    await lab.store.heartbeat('c', LEASE_MS);
    const known = async (): Promise<Readonly<Record<string, unknown>>> =>
      Object.fromEntries((await lab.store.insight.dispatchers()).map(({ dispatcher, agents }) => [dispatcher, agents]));
    deepEqual(await known(), { a: [], b: [], c: AGENTS });
    await lab.advance(LEASE_MS + 1);
    deepEqual(await known(), { a: [], b: [] });
  },

  'lists the jobs that each dispatcher runs, without those that only wait for others': async (lab) => {
    await lab.queue(work({ queue: 'mail' }, 'send'));
    await lab.queue(serial(steps('one')));
    const [run] = await lab.claim({ queue: 'mail' });
    await lab.claim({ by: 'b' });
    const running = async (): Promise<unknown> =>
      Object.fromEntries((await lab.store.insight.dispatchers()).map(({ dispatcher, running }) => [dispatcher, running]));
    deepEqual(await running(), { a: [{ queue: 'mail', taskVersion: 'send' }], b: [{ queue: '', taskVersion: 'one' }] });
    await lab.complete(run ?? { id: '', token: '' });
    deepEqual(await running(), { a: [], b: [{ queue: '', taskVersion: 'one' }] });
  },

  'says who has the places of a quota, and since when': async (lab) => {
    const [first] = await lab.queueAll(work(TRIO), work(TRIO, 'other'));
    await lab.take(first);
    const since = new Date(lab.now);
    await lab.advance(1_000);
    const { size, holders } = await use(lab, 'trio');
    equal(size, 3);
    const running = holders.filter(({ job }) => job !== undefined);
    deepEqual(running, [{ places: 2, job: { id: first, taskName: 'work' }, since, dispatcher: 'a' }]);
    ok(holders.reduce((sum, { places }) => sum + places, 0) <= 3, 'no more than there are');
  },

  'says that a batch has places of its own': async (lab) => {
    const batch = await lab.queue(serial(steps('one'), TRIO));
    await lab.claim();
    const { holders } = await use(lab, 'trio');
    const [holder] = holders.filter(({ job }) => job !== undefined);
    deepEqual([holder?.places, holder?.job], [2, { id: batch, taskName: 'serial' }]);
  },

  'says when a rate lets another job begin': async (lab) => {
    await lab.store.start({ clock: lab.clock, quotas: LAB_QUOTAS, rates: new Map([['trio', { starts: 1, perMs: 64 }]]) });
    await lab.store.stop();
    await lab.queueAll(work({ places: { trio: 1 } }), work({ places: { trio: 1 } }));
    equal((await use(lab, 'trio')).nextStart, undefined);
    const run = await lab.takeNext();
    await lab.complete(run);
    const { rate, nextStart } = await use(lab, 'trio');
    deepEqual([rate, nextStart], [{ starts: 1, perMs: 64 }, lab.in(64)]);
  },

  'knows nothing of a quota that is not there': async (lab) => {
    deepEqual(await lab.store.insight.quotas(['nowhere']), []);
  },

  'counts the jobs before a job in its queue, whatever their task': async (lab) => {
    const [, , , last] = await lab.queueAll(
      work({ priority: 5 }, 'late'),
      work({ priority: -1 }, 'first'),
      work({ queue: 'mail' }, 'elsewhere'),
      work({}, 'last'),
    );
    equal(await lab.store.insight.countAhead(last, 10), 1);
    await lab.queueAll(work({ priority: -1 }, 'urgent'), work({}, 'behind'));
    equal(await lab.store.insight.countAhead(last, 10), 2);
    equal(await lab.store.insight.countAhead(last, 1), 1);
    equal(await lab.store.insight.countAhead('f'.repeat(24), 10), 0);
  },

  'names the lanes in which jobs wait, and none in which they run or are not due': async (lab) => {
    await lab.queueAll(work({ queue: 'mail' }, 'send'), work(TRIO), work(TRIO), work({ delayMs: 60_000 }, 'later'));
    deepEqual([...(await lab.store.insight.lanes())].sort(), ['["","work",["trio:2"]]', '["mail","send",[]]']);
    await lab.claim({ queue: 'mail' });
    deepEqual(await lab.store.insight.lanes(), ['["","work",["trio:2"]]']);
  },

  'names the lane of a job whose time has come, and that nobody has made pending': async (lab) => {
    await lab.queue(work({ delayMs: 60_000 }, 'later'));
    await lab.advance(65_000);
    deepEqual(await lab.store.insight.lanes(), []);
    await lab.advance(10_000);
    deepEqual(await lab.store.insight.lanes(), ['["","later",[]]']);
    const { count, waitedMs } = await lab.store.insight.waiting('["","later",[]]', 10);
    equal(count, 1);
    ok(waitedMs >= 14_000 && waitedMs <= 16_000, `it has waited since it was due: ${waitedMs} ms`);
  },

  'counts the jobs of a lane up to a limit, and says for how long the first has waited': async (lab) => {
    await lab.queueAll(work({}, 'one'), work({}, 'other'));
    await lab.advance(30_000);
    await lab.queueAll(work({}, 'one'), work({}, 'one'));
    const { count, waitedMs } = await lab.store.insight.waiting('["","one",[]]', 10);
    equal(count, 3);
    ok(waitedMs >= 29_000 && waitedMs <= 31_000, `the first has waited for ${waitedMs} ms`);
    equal((await lab.store.insight.waiting('["","one",[]]', 2)).count, 2);
    equal((await lab.store.insight.waiting('["","none",[]]', 2)).count, 0);
  },
});

async function use(lab: StoreLab, name: string): Promise<QuotaStatus> {
  const [found] = await lab.store.insight.quotas([name]);
  ok(found !== undefined, `the quota ${name} is there`);
  return found;
}
