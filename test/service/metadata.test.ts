/** Metadata: what a draft says, who sees it, and which of it the jobs inherit that come of a job. */

import { describe, expect, it } from 'vitest';
import {
  callback,
  currentTask,
  fixedDelay,
  type IAsyncService,
  type Job,
  type Metadata,
  makeJob,
  parallel,
  serial,
  task,
} from '../../src/index.js';
import { onBothStores, type ProcessOptions } from '../support/both-stores.js';
import { failureOf } from '../support/deferred.js';

let seen: (readonly [name: string, metadata: Metadata])[] = [];
const see = (name: string): void => void seen.push([name, currentTask().metadata]);

const note = task('note', { quotas: [] }, (...args: unknown[]) => see(String(args.at(-1))));
const unsteady = task('unsteady', { quotas: [], retry: fixedDelay({ delayMs: 0, attempts: 2 }) }, () => {
  see(`attempt ${currentTask().attempt}`);
  if (currentTask().attempt === 1) throw new Error('once more');
});
const broken = task('broken', { quotas: [] }, () => {
  see('broken');
  throw new Error('broken');
});
const returning = task('returning', { quotas: [] }, () => makeJob(note, 'returned').withCallback(callback(note, 'after it')));
const gather = task('gather', { quotas: [], uniqueKey: () => 'one', debounceMs: 1_000 }, see);

const ANN = { realm: 'staff', id: 'ann' } as const;

/** That of the test that runs. */
let async: IAsyncService;
const queueing = task('queueing', { quotas: [] }, async () => {
  await async.queueJob(makeJob(note, 'queued').withCallback(callback(note, 'callback')));
  await async.transaction(() => async.queueJob(serial(makeJob(note, 'in a transaction'))));
  await async.runAs(ANN, () => async.queueJob(makeJob(note, 'on behalf of Ann')));
  await async.queueJob(makeJob(note, 'with its own').with({ metadata: { tenant: 'own', more: 1 } }));
});
const extending = task('extending', { quotas: [] }, async (batch: string) => {
  await async.extendBatch(batch, makeJob(note, 'added'));
  await (await async.getJob(batch))?.addCallback(callback(note, 'late'));
});

const TASKS = [note, unsteady, broken, returning, gather, queueing, extending];
const ACME = { tenant: 'acme', locale: 'de', trace: 'a1' } as const;
const INHERITED = { tenant: 'acme', locale: 'de' } as const;

onBothStores((stage) => {
  async function begin(options: ProcessOptions = {}) {
    seen = [];
    const process = await stage.start({ tasks: TASKS, inheritMetadata: ['tenant', 'locale'], ...options });
    async = process.async;
    return process;
  }

  describe('metadata', () => {
    it('of a draft is seen by the job, its snapshot, its task and its events', async () => {
      const { drain } = await begin();
      const told: Metadata[] = [];
      async.events.all.subscribe(({ job }) => told.push(job.metadata));
      const job = await async.queueJob(makeJob(note, 'it').with({ metadata: ACME }));
      expect(job.metadata).toEqual(ACME);
      expect(job.snapshot.metadata).toEqual(ACME);
      await drain();
      expect(seen).toEqual([['it', ACME]]);
      expect(told).toEqual([ACME]);
      expect((await async.getJob(job.id))?.metadata).toEqual(ACME);
    });

    it('is empty where nothing was said, and cannot be changed', async () => {
      const { drain } = await begin();
      const [bare, job] = await async.queueJobs([makeJob(note, 'bare'), makeJob(note, 'it').with({ metadata: ACME })]);
      await drain();
      expect(bare?.metadata).toEqual({});
      expect(seen).toEqual([
        ['bare', {}],
        ['it', ACME],
      ]);
      for (const metadata of [bare?.metadata, job?.metadata, ...seen.map(([, one]) => one)]) expect(Object.isFrozen(metadata)).toBe(true);
    });

    it('is copied when the draft is made', async () => {
      const { drain } = await begin();
      const metadata = { tenant: 'acme' };
      const draft = makeJob(note, 'it').with({ metadata });
      metadata.tenant = 'other';
      await async.queueJob(draft);
      await drain();
      expect(seen).toEqual([['it', { tenant: 'acme' }]]);
    });

    it('has nothing of what is `undefined`', async () => {
      const { drain } = await begin();
      await async.queueJob(makeJob(note, 'it').with({ metadata: { tenant: 'acme', locale: undefined } }));
      await drain();
      expect(seen.map(([, metadata]) => Object.keys(metadata))).toEqual([['tenant']]);
    });

    it('is the same in each attempt', async () => {
      const { drain } = await begin();
      await async.queueJob(makeJob(unsteady).with({ metadata: ACME }));
      await drain();
      expect(seen).toEqual([
        ['attempt 1', ACME],
        ['attempt 2', ACME],
      ]);
    });

    it('is kept by a retry by hand, with that of the jobs below', async () => {
      const { drain } = await begin();
      const draft = makeJob(broken)
        .with({ metadata: ACME })
        .withCallbacks({ failure: callback(note, 'failure') });
      const job = await async.queueJob(draft);
      await drain();
      const retry = await job.retry();
      await drain();
      expect(retry.metadata).toEqual(ACME);
      expect(seen).toEqual([
        ['broken', ACME],
        ['failure', INHERITED],
        ['broken', ACME],
        ['failure', INHERITED],
      ]);
    });

    it('of a debounced job is that of the last call, as its arguments are', async () => {
      const { advance } = await begin();
      await async.queueJob(makeJob(gather, 'one').with({ metadata: ACME }));
      await async.queueJob(makeJob(gather, 'two').with({ metadata: { tenant: 'other' } }));
      await advance(1_000);
      expect(seen).toEqual([['two', { tenant: 'other' }]]);
    });

    it('of a schedule is given to each of its jobs', async () => {
      const job = makeJob(note, 'it').with({ metadata: ACME }).withCallback(callback(note, 'callback'));
      const { advance } = await begin({ schedules: [{ every: '* * * * *', job }] });
      await advance(120_000);
      expect(new Set(seen.map((one) => JSON.stringify(one)))).toEqual(
        new Set([JSON.stringify(['it', ACME]), JSON.stringify(['callback', INHERITED])]),
      );
      expect(seen).toHaveLength(4);
    });
  });

  describe('the keys of `inheritMetadata`', () => {
    it('are given to steps, postprocess and callbacks of either side, and a draft adds its own', async () => {
      const { drain } = await begin();
      const step = makeJob(note, 'step').with({ metadata: { locale: 'fr', trace: 'b2' } });
      const batch = serial(step.withCallback(makeJob(note, 'after the step')), parallel(makeJob(broken)))
        .with({ metadata: ACME })
        .withCallbacks({ success: callback(note, 'success'), failure: callback(note, 'failure') });
      await async.queueJob(batch);
      await async.queueJob(parallel(makeJob(note, 'child')).with({ metadata: ACME }).postprocess(callback(note, 'postprocess')));
      await drain();
      expect(Object.fromEntries(seen)).toEqual({
        step: { tenant: 'acme', locale: 'fr', trace: 'b2' },
        'after the step': { tenant: 'acme', locale: 'fr' },
        broken: INHERITED,
        success: INHERITED,
        child: INHERITED,
        postprocess: INHERITED,
      });
    });

    it('are given to the jobs that a task queues, in a transaction and in `runAs` too', async () => {
      const { drain } = await begin();
      await async.queueJob(makeJob(queueing).with({ metadata: ACME, principal: ANN }));
      await drain();
      expect(Object.fromEntries(seen)).toEqual({
        queued: INHERITED,
        callback: INHERITED,
        'in a transaction': INHERITED,
        'on behalf of Ann': INHERITED,
        'with its own': { tenant: 'own', locale: 'de', more: 1 },
      });
    });

    it('are given to a returned draft and its callbacks', async () => {
      const { drain } = await begin();
      await async.queueJob(makeJob(returning).with({ metadata: ACME }));
      await drain();
      expect(seen).toEqual([
        ['returned', INHERITED],
        ['after it', INHERITED],
      ]);
    });

    it('are those of the caller that adds a step or a callback, or those of the job if these are missing', async () => {
      const { advance } = await begin();
      const batch = await async.queueJob(serial(makeJob(note, 'first')).with({ delayMs: 1_000, metadata: ACME }));
      await async.extendBatch(batch, makeJob(note, 'by the application'));
      await async.queueJob(makeJob(extending, batch.id).with({ metadata: { tenant: 'other', trace: 'c3' } }));
      await advance(1_000);
      expect(Object.fromEntries(seen)).toEqual({
        first: INHERITED,
        'by the application': INHERITED,
        added: { tenant: 'other', locale: 'de' },
        late: { tenant: 'other', locale: 'de' },
      });
    });

    it('are none unless they are asked for', async () => {
      const { drain } = await begin({ inheritMetadata: [] });
      await async.queueJob(makeJob(queueing).with({ metadata: ACME, principal: ANN }));
      await async.queueJob(serial(makeJob(note, 'step')).with({ metadata: ACME }));
      await drain();
      expect(Object.fromEntries(seen)).toMatchObject({ queued: {}, callback: {}, step: {}, 'with its own': { tenant: 'own', more: 1 } });
    });

    it('reach through a whole line of jobs, sealed ones too', async () => {
      const secrets = { keys: { k1: '1'.repeat(32) }, current: 'k1' };
      const { drain } = await begin({ secrets });
      const job: Job<unknown> = await async.queueJob(
        makeJob(queueing).with({ metadata: ACME, principal: ANN }).withCallback(makeJob(returning)),
      );
      await drain();
      await job.refresh();
      expect(job.status).toBe('completed');
      expect(Object.fromEntries(seen)).toMatchObject({ queued: INHERITED, returned: INHERITED, 'after it': INHERITED });
    });

    it('do not make the metadata of a job larger than it may be', async () => {
      const { drain } = await begin();
      const own = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`k${index}`, index]));
      const batch = serial(makeJob(note, 'it').with({ metadata: own })).with({ metadata: ACME });
      expect(await failureOf(async.queueJob(batch))).toMatchObject({
        code: 'MILLRACE_TOO_LARGE',
        message:
          '`metadata` of note has 22 keys, but the limit is 20 keys and 2048 bytes of JSON, with those that are inherited; pass larger values as arguments',
      });
      await drain();
      expect(seen).toEqual([]);
    });
  });
});

describe('metadata is refused', () => {
  const refusal = (metadata: unknown): unknown => {
    try {
      makeJob(note).with({ metadata: metadata as Metadata });
    } catch (error) {
      return error;
    }
    return undefined;
  };

  it.each(['acme', 7, null, ['acme'], new Map([['tenant', 'acme']]), new Date(0)])('that is %s', (metadata) => {
    expect(refusal(metadata)).toMatchObject({
      code: 'MILLRACE_OPTION',
      message: expect.stringMatching(/^`metadata` of .* must be an object/),
    });
  });

  it.each(['__proto__', '$set', '_id', '', ' tenant', 'a b', 'a\nb', 'a\0', 'ä', '7', 'x'.repeat(65), '\ud800'])(
    'with the key %j',
    (key) => {
      expect(refusal(Object.fromEntries([[key, 'acme']]))).toMatchObject({
        code: 'MILLRACE_OPTION',
        message: expect.stringContaining(`has the key ${JSON.stringify(key)}, but keys must have at most 64 letters`),
      });
    },
  );

  it.each([null, Number.NaN, Number.POSITIVE_INFINITY, 1n, '\ud800', ['acme'], { $gt: '' }, new Date(0), () => 'acme', Symbol('acme')])(
    'with the value %s',
    (value) => {
      expect(refusal({ tenant: value })).toMatchObject({
        code: 'MILLRACE_OPTION',
        message: expect.stringContaining('`metadata.tenant` of '),
      });
    },
  );

  it('that is too large', () => {
    expect(refusal({ tenant: 'x'.repeat(2_035) })).toBeUndefined();
    expect(refusal({ tenant: 'x'.repeat(2_036) })).toMatchObject({
      code: 'MILLRACE_TOO_LARGE',
      message: expect.stringContaining('takes 2049 bytes'),
    });
    expect(refusal({ tenant: '€'.repeat(700) })).toMatchObject({ code: 'MILLRACE_TOO_LARGE' });
  });

  it('by `inheritMetadata`, if that is not a list of keys', async () => {
    const { asyncModule, memoryStore } = await import('../../src/index.js');
    for (const inheritMetadata of ['tenant', ['__proto__'], [7]] as never[])
      expect(() => asyncModule({ store: memoryStore(), inheritMetadata })).toThrow(
        '`inheritMetadata` of `asyncModule` must be an array of keys',
      );
  });
});
