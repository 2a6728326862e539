/** Contract cases for schedules: each firing is done once, whichever dispatcher asks. */

import { deepEqual, equal, rejects } from 'node:assert/strict';
import { both, serial, work } from './plans.js';
import { cases } from './store-case.js';

export const scheduling = cases('schedules', {
  'begin at the time that is given first, and stay there': async (lab) => {
    const first = lab.in(0);
    deepEqual(await lab.store.schedules.begin('nightly', first), first);
    deepEqual(await lab.store.schedules.begin('nightly', lab.in(5_000)), first);
    deepEqual(await lab.store.schedules.begin('other', lab.in(5_000)), lab.in(5_000));
  },

  'begin anew where they fire by another timetable than before': async (lab) => {
    const { schedules } = lab.store;
    deepEqual(await schedules.begin('nightly', lab.in(0), '0 3 * * *'), lab.in(0));
    deepEqual(await schedules.begin('nightly', lab.in(1_000), '0 3 * * *'), lab.in(0));
    deepEqual(await schedules.begin('nightly', lab.in(2_000), '0 4 * * *'), lab.in(2_000));
    await lab.advance(5_000);
    equal(await schedules.fire('nightly', { after: lab.in(-5_000), until: lab.in(-4_000) }, [lab.plant(work())]), false);
    equal(await schedules.fire('nightly', { after: lab.in(-3_000), until: lab.in(-1_000) }, []), true);
    deepEqual(await schedules.begin('nightly', lab.in(0), '0 4 * * *'), lab.in(-1_000));
  },

  'never go back for another timetable, and stay where they are for none, or for the first': async (lab) => {
    const { schedules } = lab.store;
    deepEqual(await schedules.begin('nightly', lab.in(0)), lab.in(0));
    deepEqual(await schedules.begin('nightly', lab.in(1_000), '0 3 * * *'), lab.in(0));
    deepEqual(await schedules.begin('nightly', lab.in(2_000)), lab.in(0));
    deepEqual(await schedules.begin('nightly', lab.in(-1_000), '0 4 * * *'), lab.in(0));
    deepEqual(await schedules.begin('nightly', lab.in(3_000), '0 3 * * *'), lab.in(3_000));
  },

  'insert the fired jobs, once': async (lab) => {
    const [after, until] = [lab.in(-1_000), lab.in(0)];
    await lab.store.schedules.begin('nightly', after);
    const trees = () => [lab.plant(work()), lab.plant(serial([work({ callbacks: [both()] }, 'step')]))];
    equal(await lab.store.schedules.fire('nightly', { after, until }, trees()), true);
    await lab.settled();
    equal(await lab.store.schedules.fire('nightly', { after, until }, trees()), false);
    deepEqual(await lab.store.schedules.begin('nightly', after), until);
    deepEqual((await lab.drain()).toSorted(), ['after', 'step', 'work']);
  },

  'fire nothing before its time by the clock of the store': async (lab) => {
    const { schedules } = lab.store;
    const [after, until] = [lab.in(0), lab.in(1_000)];
    deepEqual(await schedules.now(), after);
    await schedules.begin('nightly', after);
    await lab.advance(999);
    equal(await schedules.fire('nightly', { after, until }, [lab.plant(work())]), false);
    deepEqual([await schedules.begin('nightly', until), await lab.store.count({})], [after, 0]);
    await lab.advance(1);
    deepEqual(await schedules.now(), until);
    equal(await schedules.fire('nightly', { after, until }, [lab.plant(work())]), true);
  },

  'let one of several fire that do so at the same time': async (lab) => {
    const [after, until] = [lab.in(-1_000), lab.in(0)];
    await lab.store.schedules.begin('nightly', after);
    const fired = await lab.together(...[1, 2, 3, 4].map(() => lab.store.schedules.fire('nightly', { after, until }, [lab.plant(work())])));
    equal(fired.filter((isDone) => isDone).length, 1);
    equal(await lab.store.count({}), 1);
  },

  'go on without a job for missed firings': async (lab) => {
    const [after, until] = [lab.in(-1_000), lab.in(0)];
    await lab.store.schedules.begin('nightly', after);
    equal(await lab.store.schedules.fire('nightly', { after, until }, []), true);
    deepEqual(await lab.store.schedules.begin('nightly', after), until);
    equal(await lab.store.count({}), 0);
  },

  'do nothing at all if the fired jobs are refused': async (lab) => {
    const [after, until] = [lab.in(-1_000), lab.in(0)];
    await lab.store.schedules.begin('nightly', after);
    const [job] = lab.plant(work());
    const orphan = { ...job, parent: 'f'.repeat(24), role: 'callback' as const };
    await rejects(lab.store.schedules.fire('nightly', { after, until }, [[orphan]]));
    deepEqual(await lab.store.schedules.begin('nightly', until), after);
  },
});
