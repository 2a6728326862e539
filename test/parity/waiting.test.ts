/** How soon one who waits for a job learns that it has ended. */

import { expect, it } from 'vitest';
import { task } from '../../src/index.js';
import { onBothStores } from '../support/both-stores.js';

const quick = task('quick', { quotas: [] }, (value: number) => value);

onBothStores((stage) => {
  it.each([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])(
    'a job that has ended is waited for at once, also %d microtasks after the wait for another is over',
    async (microtasks) => {
      const { async, drain } = await stage.start({ tasks: [quick] });
      const jobs = [await async.queueJob(quick, 1), await async.queueJob(quick, 2)] as const;
      await drain();
      await jobs[0].waitForOutcome();
      for (let count = 0; count < microtasks; count++) await Promise.resolve();
      expect(await jobs[1].waitForResult()).toBe(2);
    },
  );
});
