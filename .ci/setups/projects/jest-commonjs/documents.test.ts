import { expect, test } from '@jest/globals';
import { testAsync } from 'millrace/testing';
import { Documents, documents } from './documents';

test('a job runs', async () => {
  const { async, stop } = await testAsync({ tasks: [Documents] });
  const job = await async.queueJob(documents.create, 'inbox', 'foo');
  expect(await job.waitForResult()).toBe('inbox/foo');
  await stop();
});
