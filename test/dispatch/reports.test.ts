/** Progress and annotations of many attempts, gathered while they are written. */

import { describe, expect, it } from 'vitest';
import { Reports } from '../../src/dispatch/reports.js';
import { Payload } from '../../src/job/payload.js';
import type { AttemptReport } from '../../src/store/store-messages.js';
import { deferred } from '../support/deferred.js';

const a = { id: 'a', token: '1' };
const b = { id: 'b', token: '1' };
const note = (value: unknown): Payload => Payload.of(value, 'note');

/** Reports whose writes wait until they are let go, or refused. */
function held() {
  const writes: { readonly reports: readonly AttemptReport[]; readonly done: ReturnType<typeof deferred<void>> }[] = [];
  const reports = new Reports((some) => {
    const done = deferred<void>();
    writes.push({ reports: some, done });
    return done.promise;
  });
  const begun = async (count: number): Promise<void> => {
    for (let turns = 0; writes.length < count && turns < 100; turns++) await Promise.resolve();
    expect(writes).toHaveLength(count);
  };
  return { reports, writes, begun };
}

describe('progress and annotations', () => {
  it('of one turn are one write for all attempts, with the latest of each and every annotation', async () => {
    const { reports, writes, begun } = held();
    for (let done = 0; done <= 5_000; done++) reports.add({ ...a, progress: done });
    reports.add({ ...b, annotations: { one: note(1), two: note(2) } });
    reports.add({ ...a, annotations: { file: note('a.pdf') } });
    reports.add({ ...b, progress: 7, annotations: { two: note('b') } });
    await begun(1);
    expect(writes[0]?.reports).toEqual([
      { ...a, progress: 5_000, annotations: { file: note('a.pdf') } },
      { ...b, progress: 7, annotations: { one: note(1), two: note('b') } },
    ]);
  });

  it('of 20,000 names in a loop are gathered in a moment, not copied with each', async () => {
    const { reports, writes, begun } = held();
    for (let n = 0; n < 20_000; n++) reports.add({ ...a, annotations: { [`file ${n}`]: note(n) } });
    await begun(1);
    expect(Object.keys(writes[0]?.reports[0]?.annotations ?? {})).toHaveLength(20_000);
  });

  it('that come while one write is under way wait for it, and are one write more', async () => {
    const { reports, writes, begun } = held();
    reports.add({ ...a, progress: 0 });
    await begun(1);
    for (let done = 1; done <= 5_000; done++) reports.add({ ...a, progress: done });
    reports.add({ ...b, progress: 1 });
    for (let turns = 0; turns < 20; turns++) await Promise.resolve();
    expect(writes).toHaveLength(1);
    writes[0]?.done.resolve();
    await begun(2);
    expect(writes[1]?.reports.map(({ progress }) => progress)).toEqual([5_000, 1]);
    writes[1]?.done.resolve();
    await reports.idle();
    expect([reports.isIdle, writes.length]).toEqual([true, 2]);
  });

  it('keep only their own attempt from ending', async () => {
    const { reports, begun } = held();
    reports.add({ ...a, progress: 0 });
    await begun(1);
    expect([reports.has(a), reports.has(b)]).toEqual([true, false]);
    await reports.written(b);
  });

  it('that could not be written go with the next write, unless later ones have replaced them', async () => {
    const { reports, writes, begun } = held();
    reports.add({ ...a, progress: 1, annotations: { one: note(1), two: note(2) } });
    reports.add({ ...b, progress: 3 });
    await begun(1);
    reports.add({ ...a, progress: 2, annotations: { two: note('b') } });
    writes[0]?.done.reject(new Error('no route'));
    await begun(2);
    expect(writes[1]?.reports).toEqual([
      { ...a, progress: 2, annotations: { one: note(1), two: note('b') } },
      { ...b, progress: 3 },
    ]);
  });

  it('that cannot be written hold up the end of their attempt for two writes, and are let go then', async () => {
    let writes = 0;
    const reports = new Reports(() => {
      writes++;
      return Promise.reject(new Error('no route'));
    });
    reports.add({ ...a, progress: 1 });
    await reports.written(a);
    expect([writes, reports.has(a)]).toEqual([2, false]);
  });
});
