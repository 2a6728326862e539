/** The tasks of the scenario. */

import { currentTask, fixedDelay, makeJob, type StoredError, task } from '../../../../src/index.js';
import type { Bodies } from './bodies.js';

const NO_QUOTA = { quotas: [] };
const TWICE = { quotas: [], retry: fixedDelay({ attempts: 3, delayMs: 500 }) };
/** Longer than anything lasts here. */
const FOREVER_MS = 86_400_000;

export type Tasks = ReturnType<typeof tasksOf>;

/** Made anew for each scenario, whose bodies note what runs. */
export function tasksOf(bodies: Bodies) {
  const failed = new Set<string>();
  const plain = task('plain', NO_QUOTA, async (value: number) => {
    await bodies.run(0);
    return value;
  });
  return {
    plain,
    one: task('one', async (value: number) => {
      await bodies.run(100, { default: 1 });
      return value;
    }),
    pair: task('pair', NO_QUOTA, async (value: number, weight: number) => {
      currentTask().progress({ done: 1, total: 2 });
      await bodies.run(200, { pair: weight });
      return value;
    }),
    /** Fails until it has failed once. */
    flaky: task('flaky', TWICE, async (value: number) => {
      await bodies.run(50);
      const { id } = currentTask().job;
      if (failed.has(id)) return value;
      failed.add(id);
      throw new Error('not yet');
    }),
    fails: task('fails', TWICE, async (message: string): Promise<number> => {
      await bodies.run(0);
      throw new Error(message);
    }),
    messageOf: task('messageOf', NO_QUOTA, async (error: StoredError) => {
      await bodies.run(0);
      return error.message;
    }),
    returns: task('returns', async (value: number) => {
      await bodies.run(10, { default: 1 });
      return makeJob(plain, value).with({ name: 'returned' });
    }),
    /** Of a batch that holds a place of `pair` for all its steps. */
    step: task('step', NO_QUOTA, async (value: number, batch: string) => {
      await bodies.run(100, { pair: 1 }, batch);
      return value;
    }),
    sum: task('sum', NO_QUOTA, async (jobs: readonly { readonly result: number | undefined }[]) => {
      await bodies.run(0);
      return jobs.reduce((total, { result = 0 }) => total + result, 0);
    }),
    hang: task('hang', NO_QUOTA, () => bodies.run(FOREVER_MS)),
  };
}

/** In the tasks of no process. */
export const unknown = task('unknown', NO_QUOTA, () => 'never');
