import { testAsync } from 'millrace/testing';
import { expect, test } from 'vitest';
import { Documents, documents } from './documents.js';

test('a job runs', async () => {
  const { async, stop } = await testAsync({ tasks: [Documents] });
  const job = await async.queueJob(documents.create, 'inbox', 'foo');
  expect(await job.waitForResult()).toBe('inbox/foo');
  await stop();
});
