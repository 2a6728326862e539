/** Contract cases for controls: pauses, and the sizes of quotas. */

import { deepEqual, equal, rejects } from 'node:assert/strict';
import { UnknownQuotaError } from '../../errors.js';
import { NOTHING_PAUSED } from '../../job/pauses.js';
import type { QuotaLimits } from '../../job/places.js';
import { serial, steps, work } from './plans.js';
import { cases } from './store-case.js';
import { LAB_QUOTAS } from './store-lab.js';

export const controls = cases('controls', {
  'pause a queue, and no other': async (lab) => {
    const [mail, other] = await lab.queueAll(work({ queue: 'mail' }), work());
    await lab.store.controls.pause({ queue: 'mail' }, true);
    deepEqual(await lab.claimIds({ queue: 'mail' }), []);
    deepEqual(await lab.claimIds(), [other]);
    deepEqual(await lab.store.controls.paused(), { ...NOTHING_PAUSED, queues: ['mail'] });
    await lab.store.controls.pause({ queue: 'mail' }, false);
    await lab.settled();
    deepEqual(await lab.claimIds({ queue: 'mail' }), [mail]);
    deepEqual(await lab.store.controls.paused(), NOTHING_PAUSED);
  },

  'pause a task under all its names, and no other': async (lab) => {
    const [, , fine] = await lab.queueAll(work({}, 'bad'), { ...work({}, 'worse'), version: 2 }, work({}, 'fine'));
    await lab.store.controls.pause({ taskNames: ['bad', 'worse'] }, true);
    deepEqual(await lab.claimIds(), [fine]);
    await lab.store.controls.pause({ taskNames: ['worse'] }, false);
    await lab.settled();
    equal((await lab.claim()).length, 1);
    deepEqual((await lab.store.controls.paused()).taskNames, ['bad']);
  },

  'pause everything, and a queue or task that was paused on its own stays paused': async (lab) => {
    const [, second] = await lab.queueAll(work({}, 'bad'), work({}, 'fine'));
    await lab.store.controls.pause({ taskNames: ['bad'] }, true);
    await lab.store.controls.pause('everything', true);
    deepEqual(await lab.claimIds(), []);
    await lab.store.controls.pause('everything', false);
    await lab.settled();
    deepEqual(await lab.claimIds(), [second]);
  },

  'let running jobs go on': async (lab) => {
    const id = await lab.queue(work());
    const run = await lab.take(id);
    await lab.store.controls.pause('everything', true);
    equal(await lab.complete(run), true);
    await lab.expect('completed', id);
  },

  'put a job whose next attempt is due at once back in its line, without places': async (lab) => {
    const id = await lab.queue(work({ places: { default: 1 } }, 'flaky'));
    const run = await lab.take(id);
    await lab.store.controls.pause({ taskNames: ['flaky'] }, true);
    equal(await lab.again(run, 0), 'later');
    await lab.expect('pending', id);
    await lab.complete(await lab.take(await lab.queue(work({ places: { default: 1 } }))));
    await lab.store.controls.pause({ taskNames: ['flaky'] }, false);
    const next = await lab.take(id);
    equal(next.attempt.number, 2);
    equal(await lab.complete(run), false);
    equal(await lab.complete(next), true);
  },

  'keep the steps of a batch from beginning, and open no batch': async (lab) => {
    await lab.queue(serial(steps('one', 'two')));
    const run = await lab.takeNext();
    const waiting = await lab.queue(serial(steps('three')));
    await lab.store.controls.pause({ queue: '' }, true);
    await lab.complete(run);
    deepEqual(await lab.claimIds(), []);
    await lab.expect('pending', waiting);
    await lab.store.controls.pause({ queue: '' }, false);
    await lab.settled();
    deepEqual((await lab.drain()).toSorted(), ['three', 'two']);
  },

  'give the places of a paused task to others': async (lab) => {
    const [, other] = await lab.queueAll(work({ places: { default: 1 } }, 'bad'), work({ places: { default: 1 } }, 'fine'));
    await lab.store.controls.pause({ taskNames: ['bad'] }, true);
    deepEqual(await lab.claimIds(), [other]);
  },

  'give places saved for a paused queue, or a paused task, to others': async (lab) => {
    const pausable = [{ queue: 'mail' }, { taskNames: ['big'] }] as const;
    for (const what of pausable) {
      const run = await lab.take(await lab.queue(work({ places: { pair: 1 } })));
      const big = await lab.queue(work({ queue: 'mail', places: { pair: 2 } }, 'big'));
      for (const ms of [2_000, 0]) {
        deepEqual(await lab.claimIds({ queue: 'mail' }), []);
        await lab.advance(ms);
      }
      await lab.store.controls.pause(what, true);
      await lab.settled();
      deepEqual(await lab.claimIds({ queue: 'mail' }), []);
      const small = await lab.queue(work({ places: { pair: 1 } }));
      await lab.complete(await lab.take(small, 'b'));
      await lab.store.controls.pause(what, false);
      await lab.complete(run);
      await lab.complete(await lab.takeNext({ queue: 'mail' }));
      await lab.expect('completed', big);
    }
  },

  'ring when something may begin again': async (lab) => {
    await lab.queue(work());
    await lab.store.controls.pause('everything', true);
    const bell = await lab.watch({ work: '' });
    await lab.store.controls.pause('everything', false);
    await lab.settled();
    equal(bell.seen.length > 0, true);
  },

  'make a quota larger at once': async (lab) => {
    const ids = await lab.queueAll(...[1, 2, 3].map(() => work({ places: { default: 1 } })));
    deepEqual(await lab.claimIds(), ids.slice(0, 1));
    const bell = await lab.watch({ work: '' });
    await lab.store.controls.resize('default', 3);
    await lab.settled();
    equal(bell.seen.length > 0, true);
    deepEqual(await lab.claimIds(), ids.slice(1));
    equal(lab.store.quotas.get('default'), 3);
  },

  'make a quota smaller as its places come back': async (lab) => {
    const ids = await lab.queueAll(...[1, 2, 3, 4].map(() => work({ places: { trio: 1 } })));
    const runs = await lab.claim();
    equal(runs.length, 3);
    await lab.store.controls.resize('trio', 1);
    for (const run of runs.slice(0, 2)) {
      await lab.complete(run);
      deepEqual(await lab.claimIds(), []);
    }
    await lab.complete(runs[2] ?? { id: '', token: '' });
    deepEqual(await lab.claimIds(), ids.slice(3));
  },

  'keep the size of a quota until the configuration names another than before': async (lab) => {
    const sizeAfterStart = async (quotas: QuotaLimits): Promise<number | undefined> => {
      await lab.store.start({ clock: lab.clock, quotas });
      await lab.store.stop();
      return lab.store.quotas.get('pair');
    };
    await lab.store.controls.resize('pair', 5);
    equal(await sizeAfterStart(LAB_QUOTAS), 5);
    equal(await sizeAfterStart(new Map([...LAB_QUOTAS, ['pair', 4]])), 4);
  },

  'give places saved for a job that has become too large to others': async (lab) => {
    const run = await lab.take(await lab.queue(work({ places: { trio: 1 } })));
    const big = await lab.queue(work({ places: { trio: 3 } }));
    for (const ms of [2_000, 0]) {
      deepEqual(await lab.claimIds(), []);
      await lab.advance(ms);
    }
    const bell = await lab.watch({ work: '' });
    await lab.store.controls.resize('trio', 2);
    await lab.settled();
    equal(bell.seen.length > 0, true);
    deepEqual(await lab.claimIds(), []);
    const small = await lab.queue(work({ places: { trio: 1 } }));
    await lab.complete(await lab.take(small, 'b'));
    await lab.complete(run);
    await lab.store.controls.resize('trio', 3);
    await lab.take(big);
  },

  'refuse to resize an unknown quota': async (lab) => {
    await rejects(lab.store.controls.resize('nowhere', 2), UnknownQuotaError);
  },
});
