/** How much a job may store: its task is told at the call that goes over it, and the job ends in every case. */

import { describe, expect, it } from 'vitest';
import { currentTask, fixedDelay, makeJob, parallel, TooLargeError, task } from '../../src/index.js';
import { MAX_JOB_BYTES } from '../../src/job/job-size.js';
import { onBothStores } from '../support/both-stores.js';
import { failureOf } from '../support/deferred.js';

/** A little less than the limit of one value. */
const PART = 'x'.repeat(1_040_000);

const take = task('take', { quotas: [] }, (value: string) => value.length);

onBothStores((stage) => {
  describe('what a job stores', () => {
    it('is limited in all: an annotation that goes over it throws, and the job that does not mind goes on', async () => {
      const refused: unknown[] = [];
      const greedy = task('greedy', { quotas: [] }, (arg: string) => {
        for (let part = 0; part < 15; part++) {
          try {
            currentTask().annotate(`part ${part}`, PART);
          } catch (error) {
            refused.push(error);
          }
        }
        currentTask().progress(1);
        return arg.length;
      });
      const { async } = await stage.start({ tasks: [greedy] });
      const job = await async.queueJob(greedy, PART);
      expect(await job.waitForResult()).toBe(PART.length);
      expect(Object.keys(job.annotations)).toHaveLength(13);
      expect(refused).toHaveLength(2);
      expect(refused[0]).toBeInstanceOf(TooLargeError);
      expect(String(refused[0])).toContain(`with \`annotations.part 13\` of 10400`);
      expect(String(refused[0])).toContain(`job ${job.id} (greedy) would store`);
    });

    it('fails a job that minds, with an argument, fifteen annotations and a result of a megabyte', async () => {
      const greedy = task('greedy', { quotas: [] }, (arg: string) => {
        for (let part = 0; part < 15; part++) currentTask().annotate(`part ${part}`, PART);
        return arg;
      });
      const { async } = await stage.start({ tasks: [greedy] });
      const job = await async.queueJob(greedy, PART);
      expect(await job.waitForOutcome()).toMatchObject({ status: 'failed', error: { code: 'MILLRACE_TOO_LARGE' } });
      expect(Object.keys(job.annotations)).toHaveLength(13);
    });

    it('fails a job whose result has no room left, and its callback is told so', async () => {
      const full = task('full', { quotas: [] }, (arg: string) => {
        for (let part = 0; part < 13; part++) currentTask().annotate(`part ${part}`, PART);
        return arg;
      });
      const told: unknown[] = [];
      const failed = task('failed', { quotas: [] }, (error: { readonly code?: string }) => void told.push(error.code));
      const { async } = await stage.start({ tasks: [full, failed] });
      const job = await async.queueJob(makeJob(full, PART).withCallbacks({ failure: failed }));
      const { error } = (await job.waitForOutcome()) as { readonly error: Error };
      expect(error.message).toMatch(new RegExp(`result of job ${job.id} \\(full\\) takes 10400\\d\\d bytes.* may have ${MAX_JOB_BYTES}`));
      expect(told).toEqual(['MILLRACE_TOO_LARGE']);
    });

    it('counts a value that is replaced once, in one attempt and over several', async () => {
      const again = task('again', { quotas: [], retry: fixedDelay({ attempts: 4, delayMs: 1_000 }) }, () => {
        const { annotate, progress, attempt } = currentTask();
        for (let turn = 0; turn < 5; turn++) {
          annotate('file', PART);
          progress({ done: turn, note: PART });
        }
        if (attempt < 4) throw new Error('once more');
        return PART;
      });
      const { async, advance, drain } = await stage.start({ tasks: [again] });
      const job = await async.queueJob(again);
      await drain();
      await advance(10_000);
      expect((await job.waitForOutcome()).status).toBe('completed');
    });

    it('has what earlier attempts have reported in it', async () => {
      let refused: unknown;
      const more = task('more', { quotas: [], retry: fixedDelay({ attempts: 2, delayMs: 1_000 }) }, () => {
        const { annotate, attempt } = currentTask();
        for (let part = 0; part < 8; part++) {
          try {
            annotate(`${attempt} ${part}`, PART);
          } catch (error) {
            refused = error;
          }
        }
        if (attempt < 2) throw new Error('once more');
      });
      const { async, advance, drain } = await stage.start({ tasks: [more] });
      const job = await async.queueJob(more);
      await drain();
      expect(refused).toBeUndefined();
      await advance(2_000);
      expect((await job.waitForOutcome()).status).toBe('completed');
      expect(refused).toBeInstanceOf(TooLargeError);
    });

    it('refuses at queueing the drafts of a callback that do not fit into one job', async () => {
      const { async } = await stage.start({ tasks: [take] });
      const many = parallel(...Array.from({ length: 20 }, () => makeJob(take, PART)));
      const job = makeJob(take, 'a').withCallbacks({ success: many });
      const error = await failureOf(async.queueJob(job));
      expect(error).toBeInstanceOf(TooLargeError);
      expect(error.message).toContain('the drafts of a callback, with all that is below them, take');
      const small = parallel(...Array.from({ length: 40_000 }, () => makeJob(take, 'a')));
      expect(await failureOf(async.queueJob(makeJob(take, 'a').withCallbacks({ success: small })))).toBeInstanceOf(TooLargeError);
      expect(await async.getJobs()).toEqual([]);
    });

    it('takes a batch whose jobs have more than one job may', async () => {
      const { async } = await stage.start({ tasks: [take] });
      const batch = await async.queueJob(parallel(...Array.from({ length: 20 }, () => makeJob(take, PART))));
      expect(await batch.waitForResult()).toHaveLength(20);
    });

    it('fails a transactional task whose result has no room left, and nothing of its transaction is there', async () => {
      const full = task('full', { quotas: [], transactional: true }, async (arg: string) => {
        for (let part = 0; part < 13; part++) currentTask().annotate(`part ${part}`, PART);
        await process.async.queueJob(take, 'never');
        return arg;
      });
      const process = await stage.start({ tasks: [full, take] });
      const job = await process.async.queueJob(full, PART);
      await process.drain();
      expect(await job.waitForOutcome()).toMatchObject({ status: 'failed', error: { code: 'MILLRACE_TOO_LARGE' } });
      expect(await process.async.getJobs({ task: take })).toEqual([]);
    });
  });
});
