/** `stop()` ends, whatever the store does not answer, and says what that was. */

import { describe, expect, it } from 'vitest';
import { type JobStore, memoryStore, task } from '../../src/index.js';
import { setup } from '../support/bundle.js';
import { deferred } from '../support/deferred.js';

const NEVER_ANSWERS = new Promise<never>(() => {});
/** How long it waits for jobs, then for their signals, and for each of the answers that may be missing. */
const LONGEST_MS = 10_000 + 2_000 + 4 * 5_000;

const work = task('work', { quotas: [] }, () => 42);

/** A service on a store that does something in another way. */
async function stage(faults: (store: JobStore) => Partial<JobStore>) {
  const log: string[] = [];
  const note = (message: string): void => void log.push(message);
  const own = memoryStore();
  const other = faults(own);
  const store = new Proxy<JobStore>(own, {
    get: (target, key) => {
      const value: unknown = Reflect.get(other, key) ?? Reflect.get(target, key);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const bundle = await setup({ store, tasks: [work], logger: { debug: () => {}, info: () => {}, warn: note, error: note } });
  const stopped = async (): Promise<number> => {
    const begunAt = bundle.clock.now();
    await bundle.stop();
    return bundle.clock.now() - begunAt;
  };
  return { ...bundle, own, log, stopped };
}

describe('a service stops, and says what was not answered, where the store never answers', () => {
  it('a claim', async () => {
    const asked = deferred();
    const claim = () => {
      asked.resolve();
      return NEVER_ANSWERS;
    };
    const { async, stopped, log } = await stage(() => ({ claim }));
    void async.queueJob(work);
    await asked.promise;
    expect(await stopped()).toBeLessThanOrEqual(LONGEST_MS);
    expect(log).toEqual([expect.stringMatching(/has not answered a claim of dispatcher test within 5000 ms/)]);
  });

  it('the last heartbeat', async () => {
    const { stopped, log } = await stage((store) => ({
      heartbeat: (dispatcher, leaseMs, agents) => (leaseMs === 0 ? NEVER_ANSWERS : store.heartbeat(dispatcher, leaseMs, agents)),
    }));
    expect(await stopped()).toBeLessThanOrEqual(LONGEST_MS);
    expect(log).toEqual([expect.stringMatching(/has not answered the last heartbeat of dispatcher test within 5000 ms/)]);
  });

  it('whether jobs were queued', async () => {
    const { async, stopped, log } = await stage(() => ({ insert: () => NEVER_ANSWERS }));
    void async.queueJob(work);
    expect(await stopped()).toBeLessThanOrEqual(LONGEST_MS);
    expect(log).toEqual([expect.stringMatching(/has not answered whether jobs were queued within 5000 ms/)]);
  });

  it('that it has stopped', async () => {
    const { stopped, log } = await stage(() => ({ stop: () => NEVER_ANSWERS }));
    expect(await stopped()).toBeLessThanOrEqual(LONGEST_MS);
    expect(log).toEqual([expect.stringMatching(/has not answered `stop` within 5000 ms/)]);
  });

  it('anything any more', async () => {
    let isDumb = false;
    const dumb = (store: JobStore): Partial<JobStore> =>
      Object.fromEntries(
        (['insert', 'claim', 'settle', 'release', 'heartbeat', 'recover', 'stop'] as const).map((name) => {
          const call = store[name] as (...args: unknown[]) => Promise<unknown>;
          return [name, (...args: unknown[]) => (isDumb ? NEVER_ANSWERS : call.apply(store, args))];
        }),
      );
    const { async, advance, stopped, log } = await stage(dumb);
    await advance(1_000);
    isDumb = true;
    void async.queueJob(work);
    expect(await stopped()).toBeLessThanOrEqual(LONGEST_MS);
    expect(log.length).toBeGreaterThanOrEqual(3);
  });
});

it('jobs of a claim that is answered when nobody waits for it any more go back, and run elsewhere', async () => {
  const [asked, gate] = [deferred(), deferred()];
  const { async, own, stopped } = await stage((store) => ({
    claim: async (request) => {
      const claimed = await store.claim(request);
      if (claimed.length > 0) asked.resolve();
      await gate.promise;
      return claimed;
    },
  }));
  const job = await async.queueJob(work);
  await asked.promise;
  await stopped();
  gate.resolve();
  const second = await setup({ store: own, tasks: [work] });
  await second.drain();
  expect(await (await second.async.getJob(job.id, work))?.waitForResult()).toBe(42);
});
