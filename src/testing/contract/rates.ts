/** Contract cases for quotas with a rate: how many jobs begin in a period, and that waiting agents are notified. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import type { Rate } from '../../job/rates.js';
import type { StoreSetup } from '../../store/job-store.js';
import { parallel, serial, steps, work } from './plans.js';
import { cases } from './store-case.js';
import { LAB_QUOTAS, type StoreLab } from './store-lab.js';

const PERIOD_MS = 1_000;
/** A period and the little that a store may round up. */
const OVER_MS = 1_020;

const WIDE = { places: { wide: 1 } } as const;

export const rates = cases('rates', {
  'let the number of jobs in the rate begin at once, and no more before the period is over': async (lab) => {
    await limit(lab, 3);
    const ids = await lab.queueAll(...[1, 2, 3, 4, 5].map(() => work(WIDE)));
    const runs = await lab.claim();
    deepEqual(
      runs.map(({ id }) => id),
      ids.slice(0, 3),
    );
    await lab.completeAll(...runs);
    deepEqual(await lab.claimIds(), []);
    await lab.advance(PERIOD_MS - 1);
    deepEqual(await lab.claimIds(), []);
    await lab.advance(OVER_MS - PERIOD_MS + 1);
    deepEqual(await lab.claimIds(), ids.slice(3));
  },

  'hold in every period, whenever it begins': async (lab) => {
    await limit(lab, 3);
    await lab.queueAll(...Array.from({ length: 40 }, () => work(WIDE)));
    const begunAt: number[] = [];
    for (let look = 0; look < 60; look++) {
      const runs = await lab.claim({ limit: (look % 3) + 1 });
      for (const _ of runs) begunAt.push(lab.now);
      if (runs.length > 0) await lab.completeAll(...runs);
      await lab.advance(70);
    }
    ok(begunAt.length >= 3 * Math.floor((60 * 70) / OVER_MS), `a rate is made use of: ${begunAt.length}`);
    for (const first of begunAt) {
      const within = begunAt.filter((at) => at >= first && at < first + PERIOD_MS).length;
      ok(within <= 3, `${within} jobs begin within a period`);
    }
  },

  'hold for all dispatchers together': async (lab) => {
    await limit(lab, 3);
    await lab.queueAll(...[1, 2, 3, 4, 5].map(() => work(WIDE)));
    const [one, other] = await lab.together(
      lab.store.claim({ dispatcher: 'a', queue: '', taskVersions: new Set(['work']), limit: 2 }),
      lab.store.claim({ dispatcher: 'b', queue: '', taskVersions: new Set(['work']), limit: 2 }),
    );
    const more = await lab.claim();
    equal(one.length + other.length + more.length, 3);
  },

  'count a job once, whatever its weight': async (lab) => {
    await limit(lab, 2);
    await lab.queueAll(work({ places: { wide: 4 } }), work({ places: { wide: 4 } }), work(WIDE));
    equal((await lab.claim()).length, 2);
  },

  'count a job that runs again later, and not one that goes on with its places': async (lab) => {
    await limit(lab, 2);
    const [first, second] = await lab.queueAll(work(WIDE), work(WIDE));
    const run = await lab.take(first);
    await lab.complete({ id: first, token: (await lab.rerun(run)).token });
    await lab.again(await lab.take(second), 100);
    await lab.later(100);
    await lab.expect('pending', second);
    deepEqual(await lab.claimIds(), []);
    await lab.later(OVER_MS);
    deepEqual(await lab.claimIds(), [second]);
  },

  'count a batch when it is opened': async (lab) => {
    await limit(lab, 1);
    const batch = await lab.queue(serial(steps('one'), WIDE));
    const next = await lab.queue(parallel(steps('two'), WIDE));
    deepEqual(
      (await lab.claim()).map(({ job }) => job.taskName),
      ['one'],
    );
    await lab.expect('active', batch);
    await lab.expect('pending', next);
    await lab.later(OVER_MS);
    deepEqual(
      (await lab.claim()).map(({ job }) => job.taskName),
      ['two'],
    );
  },

  'hold up no jobs of other quotas, nor keep places from them': async (lab) => {
    await limit(lab, 1);
    const [first, , other] = await lab.queueAll(
      work({ places: { wide: 1, trio: 3 } }),
      work({ places: { wide: 1, trio: 3 } }),
      work({ places: { trio: 1 } }, 'other'),
    );
    await lab.complete(await lab.take(first));
    deepEqual(await lab.claimIds(), [other]);
  },

  'need a start of each quota that has one': async (lab) => {
    await limit(lab, 1, { trio: { starts: 2, perMs: 10 * PERIOD_MS } });
    const both = { places: { wide: 1, trio: 1 } };
    const [first, second] = await lab.queueAll(work(both), work(both), work(both, 'third'));
    await lab.complete(await lab.take(first));
    deepEqual(await lab.claimIds(), []);
    await lab.later(OVER_MS);
    await lab.complete(await lab.take(second));
    await lab.later(OVER_MS);
    deepEqual(await lab.claimIds(), []);
    await lab.later(10 * OVER_MS);
    equal((await lab.claim()).length, 1);
  },

  'ring when a job that waited for them may begin': async (lab) => {
    await limit(lab, 1);
    const [first] = await lab.queueAll(work(WIDE), work(WIDE));
    await lab.complete(await lab.take(first));
    deepEqual(await lab.claimIds(), []);
    const bell = await lab.watch({ work: '' });
    await lab.later(PERIOD_MS / 2);
    const before = bell.seen.length;
    await lab.later(OVER_MS - PERIOD_MS / 2);
    ok(bell.seen.length > before, 'it rings');
    equal((await lab.claim()).length, 1);
  },

  'are those of the configuration that was started last': async (lab) => {
    await limit(lab, 1);
    await lab.queueAll(...[1, 2, 3, 4].map(() => work(WIDE)));
    equal((await lab.claim()).length, 1);
    await limit(lab, 2);
    equal((await lab.claim()).length, 1);
    await configure(lab, { quotas: new Map([['trio', 3]]) });
    equal((await lab.claim()).length, 0);
    await configure(lab, { quotas: new Map([['wide', 10]]) });
    equal((await lab.claim()).length, 2);
  },
});

/** From now on a quota lets `starts` jobs begin in a period. */
async function limit(lab: StoreLab, starts: number, others: Readonly<Record<string, Rate>> = {}): Promise<void> {
  await configure(lab, { quotas: LAB_QUOTAS, rates: new Map([['wide', { starts, perMs: PERIOD_MS }], ...Object.entries(others)]) });
}

/** As another process does that starts with a configuration of its own. */
async function configure(lab: StoreLab, configuration: Pick<StoreSetup, 'quotas' | 'rates'>): Promise<void> {
  await lab.store.start({ clock: lab.clock, ...configuration });
  await lab.store.stop();
}
