/** Each kind of logger shows what it is told in its own shape, and every line about a job names it in its details. */

import { format } from 'node:util';
import { runInNewContext } from 'node:vm';
import pino from 'pino';
import { describe, expect, it } from 'vitest';
import winston from 'winston';
import { callback, currentTask, fixedDelay, type Logger, makeJob, task } from '../../src/index.js';
import { guardedLogger } from '../../src/task/logger.js';
import { setup } from '../support/bundle.js';
import { deferred, Log } from '../support/deferred.js';

const broken = task('broken', { quotas: [] }, () => {
  throw new TypeError('100%s broken', { cause: new Error('the reason') });
});

interface Line {
  readonly [key: string]: unknown;
}

/** The lines that pino writes. */
function pinoLines(): { readonly logger: pino.Logger; readonly lines: Line[] } {
  const lines: Line[] = [];
  return { logger: pino({ level: 'debug' }, { write: (text: string) => void lines.push(JSON.parse(text)) }), lines };
}

/** The lines that winston writes, by a format. */
function winstonLines(format = winston.format.json()): { readonly logger: winston.Logger; readonly lines: string[] } {
  const lines: string[] = [];
  const transport = new winston.transports.Console({ level: 'debug' });
  transport.log = (info: { [key: symbol]: string }, next): void => {
    lines.push(info[Symbol.for('message')] ?? '');
    next();
  };
  return { logger: winston.createLogger({ format, transports: [transport] }), lines };
}

describe('`logger: pino()`', () => {
  it('shows the error of a job with its stack, and the job', async () => {
    const { logger, lines } = pinoLines();
    const { async, drain } = await setup({ tasks: [broken], logger });
    const job = await async.queueJob(broken);
    await drain();
    const failure = lines.find(({ level }) => level === 50);
    expect(failure).toMatchObject({
      jobId: job.id,
      taskName: 'broken',
      attempt: 1,
      queue: '',
      msg: `job ${job.id} (broken) failed: 100%s broken; see \`async.getDeadLetters()\``,
      err: { message: expect.stringContaining('100%s broken'), stack: expect.stringContaining('logger.test.ts') },
    });
    expect(JSON.stringify(failure)).toContain('the reason');
  });

  it('works for its children, and heeds a level that is set later', () => {
    const { logger, lines } = pinoLines();
    const child = logger.child({ module: 'jobs' });
    const guarded = guardedLogger(child);
    child.level = 'warn';
    guarded.info('hushed', { jobId: '7' });
    guarded.warn('shown', { jobId: '7' });
    expect(lines).toEqual([expect.objectContaining({ module: 'jobs', msg: 'shown', jobId: '7' })]);
  });
});

describe('`logger: winston.createLogger()`', () => {
  it('shows the error of a job with its stack, and the job, in JSON', async () => {
    const { logger, lines } = winstonLines();
    const { async, drain } = await setup({ tasks: [broken], logger });
    const job = await async.queueJob(broken);
    await drain();
    const failure = lines.map((line) => JSON.parse(line) as Line).find(({ level }) => level === 'error');
    expect(failure).toMatchObject({
      jobId: job.id,
      taskName: 'broken',
      attempt: 1,
      queue: '',
      message: `job ${job.id} (broken) failed: 100%s broken; see \`async.getDeadLetters()\``,
      err: {
        name: 'TypeError',
        message: '100%s broken',
        stack: expect.stringContaining('logger.test.ts'),
        cause: { message: 'the reason' },
      },
    });
  });

  it('shows them in its other formats, and works for its children', () => {
    const { splat, simple, combine } = winston.format;
    const { logger, lines } = winstonLines(combine(splat(), simple()));
    guardedLogger(logger.child({ module: 'jobs' })).error('100%s broken', { jobId: '7', err: new Error('why') });
    expect(lines).toHaveLength(1);
    for (const part of ['error: 100%s broken', '"jobId":"7"', '"module":"jobs"', '"message":"why"', 'logger.test.ts'])
      expect(lines[0]).toContain(part);
  });
});

describe('`logger: console`', () => {
  it('shows message, details and stack, and reads no format in the message', () => {
    const written: unknown[][] = [];
    const fake = { ...console, error: (...args: unknown[]) => void written.push(args) };
    const err = new Error('why');
    const guarded = guardedLogger(fake);
    guarded.error('100%s broken', { jobId: '7', err });
    guarded.error('100%s broken');
    guarded.error('broken', { jobId: '7' });
    const [withDetails, alone, plain] = written.map((args) => format(...args));
    expect(withDetails).toMatch(/^100%s broken \{\n {2}jobId: '7',\n {2}err: Error: why\n {6}at .*logger\.test\.ts/);
    expect(alone).toBe('100%s broken');
    expect(plain).toBe("broken { jobId: '7' }");
    expect(written[2]).toEqual(['broken', { jobId: '7' }]);
  });
});

describe('a logger of any other kind', () => {
  it('is given the message, then the details, or the message alone', () => {
    const calls: unknown[][] = [];
    const note = (...args: unknown[]): void => void calls.push(args);
    const guarded = guardedLogger({ debug: note, info: note, warn: note, error: note });
    guarded.info('alone');
    guarded.warn('more', { jobId: '7' });
    expect(calls).toEqual([['alone'], ['more', { jobId: '7' }]]);
  });

  it('is given an error as `err`, whatever was thrown, and in whichever realm', () => {
    const log = new Log();
    const guarded = guardedLogger(log);
    for (const err of [new RangeError('own'), runInNewContext("new RangeError('other')"), 'a string', null, { message: 'like an error' }])
      guarded.error('it failed', { err });
    const shown = log.lines.map(({ details }) => (details as { err: Error }).err);
    expect(shown.map(({ message }) => message)).toEqual([
      'own',
      'other',
      'a string',
      'null was thrown, which is not an error',
      'like an error',
    ]);
    expect(shown.every(({ stack }) => typeof stack === 'string')).toBe(true);
  });
});

describe('`currentTask().logger`', () => {
  it('adds the job to each line, in every attempt, in callbacks and in `setUp`', async () => {
    const log = new Log();
    const after = task('after', { quotas: [] }, (_outcome: unknown) => currentTask().logger.warn('called back'));
    const work = task('work', { quotas: [], retry: fixedDelay({ attempts: 2, delayMs: 0 }), failureLogLevel: 'none' }, () => {
      currentTask().logger.info('at work', { rows: 3 });
      throw new Error('again');
    });
    const setUp = (): void => currentTask().logger.debug('set up');
    const { async, drain } = await setup({ tasks: [work, after], logger: log, setUp });
    const job = await async.queueJob(makeJob(work).withCallback(callback(after)));
    await drain();
    const own = (attempt: number): object => ({ jobId: job.id, taskName: 'work', attempt, queue: '' });
    expect(log.lines.filter(({ message }) => message === 'at work').map(({ details }) => details)).toEqual([
      { ...own(1), rows: 3 },
      { ...own(2), rows: 3 },
    ]);
    const detailsOf = (text: string): unknown[] => log.lines.filter(({ message }) => message === text).map(({ details }) => details);
    const calledBack = { jobId: expect.not.stringMatching(job.id), taskName: 'after', attempt: 1, queue: '' };
    expect(detailsOf('set up')).toEqual([own(1), own(2), calledBack]);
    expect(detailsOf('called back')).toEqual([calledBack]);
  });

  it('takes an error in place of details', async () => {
    const log = new Log();
    const work = task('work', () => currentTask().logger.error('it broke', new Error('why')));
    const { async } = await setup({ tasks: [work], logger: log });
    const job = await async.queueJob(work);
    await job.waitForResult();
    expect(log.lines.filter(({ level }) => level === 'error')).toMatchObject([
      { message: 'it broke', details: { jobId: job.id, err: { message: 'why' } } },
    ]);
  });
});

describe('a line about a job', () => {
  it.each<[string, (log: Logger) => Promise<unknown>]>([
    [
      'that is tried again',
      async (logger) => {
        const flaky = task('work', { quotas: [], retry: fixedDelay({ attempts: 2, delayMs: 0 }) }, () => {
          throw new Error('it broke');
        });
        const { async, drain } = await setup({ tasks: [flaky], logger });
        await async.queueJob(makeJob(flaky).with({ queue: '' }));
        await drain();
      },
    ],
    [
      'whose clean-up throws',
      async (logger) => {
        const untidy = task('work', () =>
          currentTask().onEnd(() => {
            throw new Error('it broke');
          }),
        );
        const { async, drain } = await setup({ tasks: [untidy], logger });
        await async.queueJob(untidy);
        await drain();
      },
    ],
    [
      'whose retry policy throws',
      async (logger) => {
        const retry = {
          retries: () => {
            throw new Error('it broke');
          },
        };
        const odd = task('work', { retry: { ...fixedDelay({ attempts: 2, delayMs: 0 }), ...retry } }, () => {
          throw new Error('first');
        });
        const { async, drain } = await setup({ tasks: [odd], logger });
        await async.queueJob(odd);
        await drain();
      },
    ],
    [
      'whose handler throws',
      async (logger) => {
        const work = task('work', () => 1);
        const { async, drain } = await setup({ tasks: [work], logger });
        async.events.success.subscribe(() => {
          throw new Error('it broke');
        });
        await async.queueJob(work);
        await drain();
      },
    ],
    [
      'whose changes are handled by code that throws',
      async (logger) => {
        const work = task('work', () => 1);
        const { async, drain } = await setup({ tasks: [work], logger });
        const job = await async.queueJob(work);
        job.changes.subscribe(() => Promise.reject(new Error('it threw')));
        await drain();
      },
    ],
    [
      'that ignores its timeout',
      async (logger) => {
        const deaf = task('work', { timeoutMs: 1_000, failureLogLevel: 'none' }, () => deferred().promise);
        const { async, advance } = await setup({ tasks: [deaf], logger });
        await async.queueJob(deaf);
        await advance(2_000);
      },
    ],
    [
      'that is given up by `stop`',
      async (logger) => {
        const deaf = task('work', () => deferred().promise);
        const { async, drain, stop } = await setup({ tasks: [deaf], logger });
        await async.queueJob(deaf);
        await drain();
        await stop();
      },
    ],
    [
      'that nobody will run here',
      async (logger) => {
        const { async } = await setup({ tasks: [], logger });
        await async.queueJob(task('work', () => 1));
      },
    ],
  ])('%s has the job, its attempt and its queue as details, and its error, if it has one', async (_what, run) => {
    const log = new Log();
    await run(log);
    const lines = log.lines.filter(({ level }) => level === 'warn' || level === 'error');
    expect(lines.length).toBeGreaterThan(0);
    for (const { message, details } of lines) {
      expect(details, message).toMatchObject({ jobId: expect.any(String), taskName: 'work', attempt: expect.any(Number), queue: '' });
      if (message.includes('threw') || message.includes('failed')) expect(details, message).toMatchObject({ err: expect.any(Error) });
    }
  });

  it('about a method that ends by its signal is not written, whichever API gives it the signal', async () => {
    const { setTimeout: wait } = await import('node:timers/promises');
    const log = new Log();
    const heeds = task('heeds', { timeoutMs: 1_000, failureLogLevel: 'none' }, () =>
      wait(1e9, undefined, { signal: currentTask().signal }),
    );
    const { async, advance } = await setup({ tasks: [heeds], logger: log });
    const job = await async.queueJob(heeds);
    await advance(1_000);
    expect(await job.waitForOutcome()).toMatchObject({ status: 'failed', error: { code: 'MILLRACE_TASK_TIMEOUT' } });
    await advance(5_000);
    expect(log.lines.filter(({ level }) => level === 'warn' || level === 'error')).toEqual([]);
    expect(async.dispatcher?.running).toEqual([]);
  });
});
