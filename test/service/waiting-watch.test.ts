/** Nothing that is queued waits for long without a word in the log that says why, once for each queue, task and quota. */

import { Container } from 'inversify';
import { firstValueFrom, timer } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { idleTimer, nextTurn, systemClock } from '../../src/clock.js';
import { asyncModule, type JobStore, type Logger, makeJob, memoryStore, parallel, start, task, upcast } from '../../src/index.js';
import { onBothStores, type ProcessOptions } from '../support/both-stores.js';
import { setup } from '../support/bundle.js';
import { untilAborted } from '../support/deferred.js';

const quick = task('quick', { quotas: [] }, () => 42);
const hang = task('hang', { quotas: [] }, untilAborted);
const single = task('single', untilAborted);
const wide = task('wide', { quotas: { wide: 2 } }, untilAborted);
const rated = task('rated', { quotas: ['rated'] }, () => 42);
const report = task('report', { quotas: [] }, () => 42);
const tasks = [quick, hang, single, wide, rated];
const quotas = { default: 1, wide: 2, rated: { size: 9, rate: { starts: 1, perMs: 600_000 } } };

function notes() {
  const log: string[] = [];
  const note =
    (level: string) =>
    (message: string): void => {
      // The lines of a dispatcher's life.
      if (!message.startsWith('dispatcher ')) log.push(`${level}: ${message}`);
    };
  const logger: Logger = { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') };
  return { log, logger };
}

/** A look of the log at the store takes some turns; nobody is told when it has ended. */
async function said(log: readonly string[], count = 1): Promise<readonly string[]> {
  for (let turns = 0; turns < 3_000 && log.length < count; turns++) await firstValueFrom(nextTurn());
  return log;
}

onBothStores((stage, store) => {
  const begin = async (options: ProcessOptions = {}) => {
    const { log, logger } = notes();
    const process = await stage.start({
      tasks,
      quotas,
      logger,
      ...options,
      ...(options.dispatcher === false ? {} : { dispatcher: { stopMs: 0, ...options.dispatcher } }),
    });
    return { ...process, async: process.async, advance: process.advance, drain: process.drain, log };
  };
  /** One that works, beside which others only queue. */
  const worker = () => begin();
  const queuer = (options: ProcessOptions = {}) => begin({ ...options, dispatcher: false });
  const NO_AGENT =
    /^warn: queue `mail` has 3 jobs waiting, and no living dispatcher has an agent for it: add `\{ queue: 'mail' \}` to `dispatcher\.agents`/;
  const threeToMail = () => [1, 2, 3].map(() => makeJob(quick).with({ queue: 'mail' }));

  describe('a queue without an agent', () => {
    it.each(['a process that works', 'a process that only queues'])(
      'is named once, after half a minute, by %s that queued to it',
      async (who) => {
        const { async, advance, log } = await (who === 'a process that works' ? worker() : worker().then(() => queuer()));
        await async.queueJobs(threeToMail());
        await advance(29_000);
        expect(log).toEqual([]);
        await advance(1_000);
        expect(await said(log)).toEqual([expect.stringMatching(NO_AGENT)]);
        await async.queueJob(makeJob(quick).with({ queue: 'mail' }));
        await advance(3_600_000);
        expect(log).toHaveLength(1);
      },
    );

    it('is named again when it has had one meanwhile', async () => {
      const { async, advance, log } = await worker();
      await async.queueJobs(threeToMail());
      await advance(60_000);
      await said(log);
      const mailer = await begin({ dispatcher: { agents: [{ queue: 'mail' }] } });
      await mailer.drain();
      await mailer.advance(600_000);
      await mailer.async.stop();
      await async.queueJobs(threeToMail());
      await advance(600_000);
      expect(await said(log, 2)).toEqual([expect.stringMatching(NO_AGENT), expect.stringMatching(NO_AGENT)]);
    });

    it('is named again also while another one waits on, which is not', async () => {
      const { async, advance, log } = await worker();
      await async.queueJobs([...threeToMail(), makeJob(quick).with({ queue: 'far' })]);
      await advance(60_000);
      await said(log, 2);
      const mailer = await begin({ dispatcher: { agents: [{ queue: 'mail' }] } });
      await mailer.drain();
      await mailer.advance(600_000);
      await mailer.async.stop();
      await async.queueJobs(threeToMail());
      await advance(600_000);
      const queues = (await said(log, 3)).map((line) => /queue `(\w+)`/.exec(line)?.[1]);
      expect([queues.slice(0, 2).sort(), queues.slice(2)]).toEqual([['far', 'mail'], ['mail']]);
    });

    it('is named by a process that only looks after the jobs that others have left', async () => {
      const left = await queuer();
      await left.async.queueJobs(threeToMail());
      await left.async.stop();
      const { advance, log } = await worker().then(() => queuer());
      await advance(60_000);
      expect(await said(log)).toEqual([expect.stringMatching(NO_AGENT)]);
    });

    it('is named by a worker whose round sees jobs of others', async () => {
      const left = await queuer();
      await left.async.queueJobs(threeToMail());
      await left.async.stop();
      const { advance, log } = await begin({ dispatcher: { pollMs: 30_000 } });
      await advance(90_000);
      expect(await said(log)).toEqual([expect.stringMatching(NO_AGENT)]);
    });
  });

  describe('a task that no living dispatcher runs', () => {
    it('is named once, with its queue', async () => {
      await worker();
      const { async, advance, log } = await queuer({ tasks: [report] });
      await async.queueJobs([makeJob(report), makeJob(report)]);
      await advance(3_600_000);
      expect(await said(log)).toEqual([
        expect.stringMatching(
          /^warn: task `report` in the default queue has 2 jobs waiting, and no living dispatcher runs it there: add it to `tasks`/,
        ),
      ]);
    });

    it('is named where only its arguments are too new', async () => {
      await begin({ tasks: [report] });
      const newer = task('report', { quotas: [], upcast: upcast((...args: unknown[]) => args) }, () => 43);
      const { async, advance, log } = await queuer({ tasks: [newer] });
      await async.queueJob(newer);
      await advance(60_000);
      expect(await said(log)).toEqual([
        expect.stringMatching(/task `report` in the default queue has 1 job waiting, and no living dispatcher reads that version/),
      ]);
    });

    it('is named for a step of a batch as well', async () => {
      await worker();
      const { async, advance, log } = await queuer({ tasks: [report] });
      await async.queueJob(parallel(makeJob(quick), makeJob(report)).with({ quotas: [] }));
      await advance(60_000);
      expect(await said(log)).toEqual([expect.stringMatching(/task `report` .* has 1 job waiting/)]);
    });
  });

  describe('jobs behind a quota', () => {
    it('`default`, while slots are free, are an info line, with their number, its size, and how to say otherwise', async () => {
      const { async, advance, log } = await worker();
      await async.queueJobs([1, 2, 3, 4].map(() => makeJob(single)));
      await advance(120_000);
      expect(await said(log)).toEqual([
        expect.stringMatching(
          /^info: 3 jobs wait for the quota `default` of size 1 while slots are free, and run one at a time: .*`@Task\(\{ quotas: \[\] \}\)`/,
        ),
      ]);
    });

    it('that has become too small are a warning', async () => {
      const { async, advance, log } = await worker();
      await async.pause('everything');
      await async.queueJob(wide);
      await async.resizeQuota('wide', 1);
      await async.resume('everything');
      await advance(60_000);
      expect(await said(log)).toEqual([
        expect.stringMatching(/^warn: task `wide` has 1 job waiting, which need 2 places of the quota `wide` each, and it has only 1/),
      ]);
    });

    it('with a rate are an info line', async () => {
      const { async, advance, log } = await worker();
      await async.queueJobs([makeJob(rated), makeJob(rated)]);
      await advance(60_000);
      expect(await said(log)).toEqual([
        expect.stringMatching(/^info: 1 job waits for the rate of the quota `rated`, which lets 1 begin in 600000 ms/),
      ]);
    });
  });

  it('jobs for which every slot is taken are an info line', async () => {
    const { async, advance, log } = await begin({ dispatcher: { agents: [{ concurrency: 1 }] } });
    await async.queueJobs([makeJob(hang), makeJob(hang), makeJob(quick)]);
    await advance(60_000);
    expect(await said(log)).toEqual([
      expect.stringMatching(/^info: the default queue has 2 jobs waiting, since every slot for them is taken/),
    ]);
  });

  it.each<[string, 'everything' | { queue: string } | { task: typeof quick }, string]>([
    ['everything', 'everything', "everything is paused, and 1 job waits: `async.resume('everything')`"],
    ['a queue', { queue: '' }, 'the default queue is paused and has 1 job waiting'],
    ['a task', { task: quick }, 'task `quick` is paused and has 1 job waiting'],
  ])('what waits while %s is paused is a warning', async (_what, what, text) => {
    const { async, advance, log } = await worker();
    await async.pause(what);
    await async.queueJob(quick);
    await advance(60_000);
    expect(await said(log)).toEqual([expect.stringContaining(`warn: ${text}`)]);
  });

  it('a schedule whose jobs nobody runs is named soon after the start, not when it fires', async () => {
    const schedules = [
      { every: '0 3 1 1 *', job: makeJob(report), name: 'yearly' },
      { every: '0 3 1 1 *', job: makeJob(quick) },
    ];
    const { advance, log } = await begin({ schedules });
    await advance(60_000);
    expect(await said(log)).toEqual([
      expect.stringMatching(
        /^warn: the schedule `yearly` queues jobs for task `report` in the default queue, and no living dispatcher runs it there/,
      ),
    ]);
  });

  it('nothing is said of jobs that run, are not due, or wait for others', async () => {
    const { async, advance, log } = await worker();
    await async.queueJob(quick);
    await async.queueJob(hang);
    await async.queueJob(makeJob(quick).with({ delayMs: 86_400_000 }));
    await async.queueJob(makeJob(hang).withCallback(makeJob(quick)));
    await advance(1_800_000);
    await said([], 1);
    expect(log).toEqual([]);
  });

  describe.skipIf(store === 'memory')('while no dispatcher is alive', () => {
    it('a job is named after half a minute', async () => {
      const { async, advance, log } = await queuer();
      await async.queueJob(quick);
      await advance(60_000);
      expect(await said(log)).toEqual([
        expect.stringMatching(/^warn: the default queue has 1 job waiting, and no dispatcher is alive: start a process/),
      ]);
    });

    it('a delayed job is named half a minute after it was due', async () => {
      const { async, advance, log } = await queuer();
      await async.queueJob(makeJob(quick).with({ queue: 'mail', delayMs: 600_000 }));
      await advance(620_000);
      await said([], 1);
      expect(log).toEqual([]);
      await advance(20_000);
      expect(await said(log)).toEqual([expect.stringMatching(/^warn: queue `mail` has 1 job waiting, and no dispatcher is alive/)]);
    });
  });
});

describe('a memory store', () => {
  const alone = /`dispatcher` is `false` here, and no other process sees the jobs of a `memoryStore\(\)`/;
  const real = async (store: JobStore, logger: Logger) => {
    const container = new Container();
    container.load(asyncModule({ store, tasks: [quick], logger, dispatcher: false }));
    return start(container);
  };

  it('in a process that only queues is a warning at the start', async () => {
    const { log, logger } = notes();
    await (await real(memoryStore(), logger)).stop();
    expect(log).toEqual([expect.stringMatching(alone)]);
  });

  it('in a test that only queues is a warning when a job has waited, once', async () => {
    const { log, logger } = notes();
    const { async, advance } = await setup({ tasks: [quick], logger, dispatcher: false });
    await async.queueJobs([makeJob(quick), makeJob(quick).with({ queue: 'mail' })]);
    expect(log).toEqual([]);
    await advance(3_600_000);
    expect(log).toEqual([expect.stringMatching(alone)]);
  });

  it('that a service with a dispatcher shares is none', async () => {
    const store = memoryStore();
    const { log, logger } = notes();
    await setup({ tasks: [quick], store });
    await (await real(store, logger)).stop();
    expect(log).toEqual([]);
  });
});

it('a job that has waited for a short time is left to the next look', async () => {
  const { log, logger } = notes();
  const { async, advance } = await setup({ tasks: [quick], logger });
  await async.queueJob(makeJob(quick).with({ queue: 'early' }));
  await advance(20_000);
  await async.queueJob(makeJob(quick).with({ queue: 'late' }));
  await advance(10_000);
  expect(log).toEqual([expect.stringContaining('queue `early`')]);
  await advance(60_000);
  expect(log).toEqual([expect.stringContaining('queue `early`'), expect.stringContaining('queue `late`')]);
});

it('the timer of a look does not keep the process alive', () => {
  const alive = () => process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;
  const before = alive();
  const idle = idleTimer(60_000, systemClock).subscribe();
  expect(alive()).toBe(before);
  const busy = timer(60_000, systemClock.scheduler).subscribe();
  expect(alive()).toBe(before + 1);
  for (const waiting of [idle, busy]) waiting.unsubscribe();
});

it('not more than twenty lines come at one look, however many queues nobody serves', async () => {
  const { log, logger } = notes();
  const { async, advance } = await setup({ tasks: [quick], logger });
  await async.queueJobs(Array.from({ length: 30 }, (_, index) => makeJob(quick).with({ queue: `tenant${index}` })));
  await advance(30_000);
  expect(log).toHaveLength(20);
  await advance(60_000);
  expect(log).toHaveLength(30);
});
