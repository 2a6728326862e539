/** All operations on jobs work when jobs are sealed: every job runs, however it was queued. */

import { describe, expect, it } from 'vitest';
import { callback, fixedDelay, type Job, makeJob, parallel, RetryLater, serial, task } from '../../src/index.js';
import type { JobRecord } from '../../src/job/job-record.js';
import { onBothStores, type Process, type ProcessOptions } from '../support/both-stores.js';
import { failureOf } from '../support/deferred.js';
import { ANN, BOB } from './users.js';

const K1 = { k1: '1'.repeat(32) };
const K2 = { k2: '2'.repeat(32) };
const MINUTE_MS = 60_000;
const SHORT = { secrets: { keys: K1, current: 'k1', sealMs: 60 * MINUTE_MS } };

let ran: unknown[] = [];
let failing = 0;
const note = task('note', { quotas: [] }, (...args: unknown[]) => void ran.push(args));
const fails = task('fails', { quotas: [], retry: fixedDelay({ delayMs: 20 * MINUTE_MS, attempts: 9 }) }, (...args: unknown[]) => {
  if (failing-- > 0) throw new Error('not yet');
  ran.push(args);
});
const waits = task('waits', { quotas: [] }, () => {
  if (failing-- > 0) throw new RetryLater(40 * MINUTE_MS);
  ran.push('waited');
});
const returns = task('returns', { quotas: [] }, () => makeJob(note, 'returned'));
const gather = task('gather', { quotas: [], uniqueKey: () => 'one', debounceMs: 1_000 }, (...args: unknown[]) => void ran.push(args));
const TASKS = [note, fails, waits, returns, gather];

onBothStores((stage) => {
  async function begin(options: ProcessOptions = {}): Promise<Process> {
    ran = [];
    failing = 0;
    return stage.start({ tasks: TASKS, secrets: { keys: K1, current: 'k1' }, ...options });
  }

  async function recordOf({ store }: Process, { id }: Job<unknown>): Promise<JobRecord | undefined> {
    return (await store.find({ ids: [id] }))[0];
  }

  describe('sealed jobs run', () => {
    it('in batches, as callbacks of either side, and as postprocess', async () => {
      const { async, drain } = await begin();
      const job = makeJob(note, 1).withCallbacks({ success: callback(note, 'well'), failure: callback(note, 'badly') });
      const broken = makeJob(note, 2)
        .with({ beginBy: new Date(0) })
        .withCallbacks({ success: callback(note, 'well'), failure: makeJob(note, 'badly') });
      await async.queueJob(serial(job, parallel(broken)).postprocess(callback(note, 'after')));
      await drain();
      expect(ran.map((args) => (args as unknown[]).at(-1)).toSorted()).toEqual([1, 'after', 'badly', 'well']);
    });

    it('when they are added to existing jobs, or returned by a task', async () => {
      const { async, advance } = await begin();
      const batch = await async.queueJob(serial(makeJob(note, 1)).with({ delayMs: 1_000 }));
      await async.extendBatch(batch, makeJob(note, 2), serial(makeJob(note, 3)));
      await batch.addCallback(makeJob(note, 4));
      await async.queueJob(makeJob(returns).with({ delayMs: 2_000 }));
      await advance(3_000);
      expect(ran).toEqual([[1], [2], [3], [4], ['returned']]);
    });

    it('when they recur', async () => {
      const process = await begin({ schedules: [{ every: '0 * * * *', job: makeJob(note, 'hourly') }] });
      await process.advance(2 * 3_600_000 + 1);
      expect(ran).toEqual([['hourly'], ['hourly']]);
    });

    it('in transactions, and when they were put off, in them and outside', async () => {
      const { async, advance } = await begin();
      await async.queueJob(gather, 1);
      await async.runAs(ANN, () => async.queueJob(gather, 2));
      await async.transaction(async () => {
        await async.queueJob(note, 'within');
        await async.queueJob(gather, 3);
        await async.runAs(BOB, () => async.queueJob(gather, 4));
      });
      await advance(1_000);
      expect(ran).toEqual([['within'], [4]]);
    });

    it('when they are retried, by their policy and by hand', async () => {
      const { async, advance, drain } = await begin();
      failing = 10;
      const job = await async.queueJob(
        makeJob(fails, 1)
          .with({ retry: { attempts: 2 } })
          .withCallbacks({ failure: makeJob(note, 'failed') }),
      );
      await advance(1_000);
      expect(ran).toEqual([['failed']]);
      failing = 0;
      await job.retry();
      await drain();
      expect(ran).toEqual([['failed'], [1]]);
      expect((await job.refresh()).status).toBe('failed');
    });

    it('when a callback of two sides is chosen anew by a retry', async () => {
      const { async, advance, drain } = await begin();
      failing = 1;
      const draft = makeJob(fails, 1).with({ retry: { attempts: 1 } });
      const job = await async.queueJob(draft.withCallbacks({ success: callback(note, 'well'), failure: makeJob(note, 'badly') }));
      await advance(1_000);
      await job.retry();
      await drain();
      expect(ran).toEqual([['badly'], [1], [undefined, 'well']]);
    });
  });

  describe('the expiry of a seal', () => {
    it('counts from when the job is due, and that of the jobs below from there', async () => {
      const process = await begin(SHORT);
      const batch = await process.async.queueJob(
        serial(makeJob(note, 1).withCallback(makeJob(note, 2))).with({ delayMs: 120 * MINUTE_MS }),
      );
      await batch.addCallback(makeJob(note, 3));
      await process.advance(120 * MINUTE_MS);
      expect(ran).toEqual([[1], [2], [3]]);
    });

    it('is put off with each retry, however long they go on', async () => {
      const process = await begin(SHORT);
      failing = 8;
      const job = await process.async.queueJob(fails, 1);
      await process.advance(160 * MINUTE_MS);
      expect(ran).toEqual([[1]]);
      expect((await process.stateOf(job)).attempts).toBe(9);
    });

    it('is put off for a task that asks to run later', async () => {
      const process = await begin(SHORT);
      failing = 3;
      await process.async.queueJob(waits);
      await process.advance(120 * MINUTE_MS);
      expect(ran).toEqual(['waited']);
    });
  });

  describe('keys', () => {
    it('that are old still run what they have sealed, and a retry takes the current one', async () => {
      const old = await begin({ dispatcher: false });
      failing = 1;
      const job = await old.async.queueJob(makeJob(fails, 1).with({ retry: { attempts: 1 } }));
      const now = await stage.start({ tasks: TASKS, secrets: { keys: { ...K1, ...K2 }, current: 'k2' } });
      await now.drain();
      const retry = await now.async.getJob(job.id).then((found) => found?.retry());
      if (retry === undefined) throw new Error('there is no retry');
      expect([(await recordOf(now, job))?.job.seal?.key, (await recordOf(now, retry))?.job.seal?.key]).toEqual(['k1', 'k2']);
      await now.drain();
      expect(ran).toEqual([[1]]);
    });

    it('of which none is current only check, for a roll-out that loses nothing', async () => {
      const plain = await begin({ dispatcher: false, secrets: undefined });
      const checking = await stage.start({ tasks: TASKS, secrets: { keys: K1, acceptUnsealed: true } });
      const sealing = await stage.start({ dispatcher: false, secrets: { keys: K1, current: 'k1', acceptUnsealed: true } });
      const [one, two, three] = [
        await plain.async.queueJob(note, 1),
        await checking.async.queueJob(note, 2),
        await sealing.async.queueJob(note, 3),
      ];
      const seals = await Promise.all([one, two, three].map(async (job) => (await recordOf(checking, job))?.job.seal?.key));
      expect(seals).toEqual([undefined, undefined, 'k1']);
      await checking.drain();
      expect(ran.toSorted()).toEqual([[1], [2], [3]]);
    });

    it('are needed to retry what is sealed', async () => {
      const { async } = await begin();
      const job = await async.queueJob(makeJob(note, 1).with({ delayMs: 1_000 }));
      await job.cancel();
      const plain = await stage.start({ dispatcher: false });
      const found = await plain.async.getJob(job.id);
      expect(await failureOf(Promise.resolve(found?.retry()))).toMatchObject({ code: 'MILLRACE_SEAL', reason: 'no-secrets' });
    });
  });
});
