/** Jobs whose arguments were stored by another build. */

import { describe, expect, it } from 'vitest';
import { callback, makeJob, memoryStore, OptionError, Task, task, tasks, upcast } from '../../src/index.js';
import { setup } from '../support/bundle.js';
import { failureOf } from '../support/deferred.js';

interface Title {
  readonly text: string;
  readonly lang: string;
}

const first = task('rename', { quotas: [] }, (title: string) => title);
const second = task(
  'rename',
  { quotas: [], upcast: upcast((title: string) => [title, 'en']) },
  (title: string, lang: string) => `${title} (${lang})`,
);
const third = task(
  'rename',
  { quotas: [], upcast: upcast((title: string) => [title, 'en']).to((text, lang) => [{ text, lang }]) },
  ({ text, lang }: Title) => `${lang}: ${text}`,
);
const later = task(
  'rename',
  { quotas: [], upcast: upcast((text: string, lang: string) => [{ text, lang }], 2) },
  ({ text, lang }: Title) => `${lang}: ${text}`,
);

class Folders {
  @Task({ name: 'rename', quotas: [], upcast: upcast((title: string) => [title, 'en']).to((text, lang) => [{ text, lang }]) })
  rename({ text, lang }: Title): string {
    return `${lang}: ${text}`;
  }
}
const folders = tasks(Folders);

/** Two builds that share a store: the older one only queues. */
async function builds(older: Parameters<typeof setup>[0], newer: Parameters<typeof setup>[0]) {
  const store = memoryStore();
  return [await setup({ store, dispatcher: false, ...older }), await setup({ store, ...newer })] as const;
}

describe('a job of an older build', () => {
  it('is run by a newer one, with its arguments brought up to date', async () => {
    const [old, { async, drain }] = await builds({ tasks: [first] }, { tasks: [third] });
    const job = await old.async.queueJob(first, 'Tao');
    await drain();
    expect(await job.waitForResult()).toBe('en: Tao');
    expect(await (await async.queueJob(third, { text: 'Dao', lang: 'de' })).waitForResult()).toBe('de: Dao');
  });

  it('is run by a method as well, and takes only the steps that it needs', async () => {
    const [old, { async, drain }] = await builds({ tasks: [second] }, { tasks: [Folders] });
    const job = await old.async.queueJob(second, 'Tao', 'zh');
    await drain();
    expect(await job.waitForResult()).toBe('zh: Tao');
    expect(await (await async.queueJob(folders.rename, { text: 'Dao', lang: 'de' })).waitForResult()).toBe('de: Dao');
  });

  it('that is a callback has the value among its arguments', async () => {
    const name = task('name', { quotas: [] }, () => 'Tao');
    const [old, { drain }] = await builds({ tasks: [name, second] }, { tasks: [name, third] });
    const job = await old.async.queueJob(makeJob(name).withCallbacks({ success: callback(second, 'zh') }));
    await drain();
    await job.waitForResult();
    const [called] = await old.async.getJobs({ task: second });
    expect(called?.result).toBe('zh: Tao');
  });

  it('fails where a step cannot read it', async () => {
    const picky = task(
      'rename',
      {
        quotas: [],
        upcast: upcast((title: string) => {
          if (title === '') throw new RangeError('no title');
          return [title];
        }),
      },
      (title: string) => title,
    );
    const [old, { drain }] = await builds({ tasks: [first] }, { tasks: [picky] });
    const job = await old.async.queueJob(first, '');
    await drain();
    expect((await failureOf(job.waitForResult())).message).toContain('no title');
  });
});

describe('a job that a build cannot read', () => {
  it('waits for another build: newer arguments, and older ones without a step', async () => {
    const store = memoryStore();
    const [newest, oldest] = [
      await setup({ store, tasks: [third], dispatcher: false }),
      await setup({ store, tasks: [first], dispatcher: false }),
    ];
    const [newer, older] = [await newest.async.queueJob(third, { text: 'Dao', lang: 'de' }), await oldest.async.queueJob(first, 'Tao')];
    const middle = await setup({ store, tasks: [second] });
    await middle.drain();
    expect([(await newer.refresh()).status, (await older.refresh()).status]).toEqual(['pending', 'completed']);
    const last = await oldest.async.queueJob(first, 'Zen');
    const { async, drain } = await setup({ store, tasks: [later], dispatcher: { agents: [{ concurrency: 2 }] } });
    await middle.async.quiet();
    await drain();
    expect(await newer.waitForResult()).toBe('de: Dao');
    expect(['pending', 'completed']).toContain((await last.refresh()).status);
    expect(await async.getUnreadableJobs({ limit: 5 })).toEqual(
      last.status === 'completed' ? [] : [{ job: expect.objectContaining({ id: last.id }), why: 'older-arguments' }],
    );
  });

  it('is listed, with why', async () => {
    const store = memoryStore();
    const other = task('other', { quotas: [] }, () => 1);
    const [newest, oldest] = [
      await setup({ store, tasks: [third, other], dispatcher: false }),
      await setup({ store, tasks: [first], dispatcher: false }),
    ];
    await newest.async.queueJobs([makeJob(third, { text: 'Dao', lang: 'de' }), makeJob(other)]);
    await oldest.async.queueJob(first, 'Tao');
    const why = async (build: typeof newest): Promise<readonly string[]> =>
      (await build.async.getUnreadableJobs()).map(({ job, why: reason }) => `${job.taskName}: ${reason}`).toSorted();
    expect(await why(newest)).toEqual([]);
    expect(await why(oldest)).toEqual(['other: unknown-task', 'rename: newer-arguments']);
    const tail = await setup({ store, tasks: [later], dispatcher: false });
    expect(await why(tail)).toEqual(['other: unknown-task', 'rename: older-arguments']);
    expect(await tail.async.getUnreadableJobs({ limit: 1 })).toHaveLength(1);
  });
});

describe('a chain of upcasts', () => {
  it('is refused where it is none', () => {
    expect(() => task('bad', { upcast: {} as never }, (x: number) => x)).toThrow(
      '`upcast` of the task bad must be made with `upcast(step)`',
    );
    expect(() => upcast(5 as never)).toThrow(OptionError);
    expect(() => upcast((x: number) => [x], 0)).toThrow('`oldest` of `upcast` must be an integer of at least 1');
  });
});
