/** Jobs that recur, as an application meets them. */

import { describe, expect, it, vi } from 'vitest';
import {
  callback,
  currentTask,
  type Draft,
  makeJob,
  memoryStore,
  OptionError,
  parallel,
  type ScheduleOptions,
  StartError,
  serial,
  task,
} from '../../src/index.js';
import { setup } from '../support/bundle.js';
import { failureOf, Log } from '../support/deferred.js';

function recorder() {
  const seen: string[] = [];
  const clean = task('clean', { quotas: [] }, (folder: string) => {
    seen.push(`${folder} ${currentTask().scheduledFor?.toISOString().slice(0, 16)}`);
  });
  return { seen, clean };
}

const gather = task('gather', { quotas: [] }, (_value: unknown) => 1);

const fixed = new Date('2040-01-01');
const HOUR = 3_600_000;
const startAt = new Date('2030-01-01T00:30:00Z');
const hourly = { every: '0 * * * *', timeZone: 'UTC' } as const;

describe('a schedule', () => {
  it('queues its job at each of its times, with the time in hand', async () => {
    const { seen, clean } = recorder();
    const { advance } = await setup({ startAt, tasks: [clean], schedules: [{ ...hourly, job: makeJob(clean, 'tmp') }] });
    await advance(2 * HOUR);
    expect(seen).toEqual(['tmp 2030-01-01T01:00', 'tmp 2030-01-01T02:00']);
  });

  it('fires once for all processes', async () => {
    const { seen, clean } = recorder();
    const options = { startAt, store: memoryStore(), tasks: [clean], schedules: [{ ...hourly, job: makeJob(clean, 'tmp') }] };
    const [one, other] = [await setup(options), await setup(options)];
    for (let hour = 0; hour < 3; hour++) await Promise.all([one.advance(HOUR), other.advance(HOUR)]);
    expect(seen).toHaveLength(3);
  });

  it.each([
    ['once', ['03:00', '04:00']],
    ['skip', ['04:00']],
    ['all', ['01:00', '02:00', '03:00', '04:00']],
  ] as const)('that nobody looked after for some hours makes up for it as it says: %s', async (missed, hours) => {
    const { seen, clean } = recorder();
    const store = memoryStore();
    const schedules: readonly ScheduleOptions[] = [{ ...hourly, missed, job: makeJob(clean, 'tmp') }];
    const first = await setup({ startAt, store, tasks: [clean], schedules });
    await first.drain();
    await first.stop();
    const second = await setup({ startAt: new Date(startAt.getTime() + 3 * HOUR), store, tasks: [clean], schedules });
    await second.advance(HOUR);
    expect(seen).toEqual(hours.map((hour) => `tmp 2030-01-01T${hour}`));
  });

  it('with a unique key leaves a time out at which the last job has not ended', async () => {
    let runs = 0;
    const slow = task('slow', { quotas: [] }, () => {
      runs++;
      return new Promise<void>(() => {});
    });
    const job = makeJob(slow).with({ uniqueKey: 'one at a time' });
    const { async, advance } = await setup({ startAt, tasks: [slow], schedules: [{ ...hourly, job }] });
    await advance(3 * HOUR);
    expect([runs, (await async.getJobs()).length]).toEqual([1, 1]);
  });

  it('has jobs that know their time also when they are retried by hand', async () => {
    const { seen, clean } = recorder();
    const broken = task('broken', { quotas: [] }, () => {
      clean('tmp');
      throw new Error('it broke');
    });
    const { async, advance, drain } = await setup({ startAt, tasks: [broken], schedules: [{ ...hourly, job: makeJob(broken) }] });
    await advance(HOUR);
    await async.retryJobs({ statuses: ['failed'] });
    await drain();
    expect(seen).toEqual(['tmp 2030-01-01T01:00', 'tmp 2030-01-01T01:00']);
  });

  it('whose job cannot be queued any more says which it is and names the next step, and goes on when it can', async () => {
    const { seen, clean } = recorder();
    const log = new Log();
    const store = memoryStore();
    const job = makeJob(clean, 'tmp').with({ quotas: ['files'] });
    const { advance } = await setup({
      startAt,
      store,
      logger: log,
      tasks: [clean],
      quotas: { files: 1 },
      schedules: [{ ...hourly, name: 'nightly', job }],
    });
    const quotas = vi.spyOn(store, 'quotas', 'get').mockReturnValue(new Map([['default', 1]]));
    await advance(HOUR);
    expect([seen, log.of('error')[0]]).toEqual([
      [],
      expect.stringMatching(
        /^the schedule nightly could not fire; .*`job` cannot be queued any more \(.*`files`.* change it in `schedules`$/,
      ),
    ]);
    quotas.mockRestore();
    await advance(HOUR / 12);
    expect(seen).toEqual(['tmp 2030-01-01T01:00']);
  });

  it('is not looked after by a process that only queues', async () => {
    const { clean } = recorder();
    const { async, advance } = await setup({
      startAt,
      tasks: [clean],
      dispatcher: false,
      schedules: [{ ...hourly, job: makeJob(clean, 'tmp') }],
    });
    await advance(2 * HOUR);
    expect(await async.getJobs()).toEqual([]);
  });

  it('may be further away than a timer of the platform can wait', async () => {
    const { seen, clean } = recorder();
    const { advance } = await setup({
      startAt,
      tasks: [clean],
      schedules: [{ every: '0 0 15 3 *', timeZone: 'UTC', job: makeJob(clean, 'ides') }],
    });
    await advance(100 * 24 * HOUR);
    expect(seen).toEqual(['ides 2030-03-15T00:00']);
  });

  it('of a batch has a name of its own', async () => {
    const { seen, clean } = recorder();
    const job = parallel(makeJob(clean, 'a'), makeJob(clean, 'b'));
    const { advance } = await setup({ startAt, tasks: [clean], schedules: [{ ...hourly, name: 'both', job }] });
    await advance(HOUR);
    expect(seen.toSorted()).toEqual(['a undefined', 'b undefined']);
  });

  it.each<[string, (job: ScheduleOptions['job']) => readonly ScheduleOptions[]]>([
    ['`schedules[0]` of `asyncModule` needs `every`', (job) => [{ job } as ScheduleOptions]],
    ['`every` of `schedules[0]` of `asyncModule` cannot be read', (job) => [{ every: 'often', job }]],
    [
      '`schedules` of `asyncModule` has two that are called `clean`',
      (job) => [
        { ...hourly, job },
        { ...hourly, job },
      ],
    ],
    ["`every` of `schedules[0]` of `asyncModule` is '0 0 31 2 *', which never comes", (job) => [{ every: '0 0 31 2 *', job }]],
    ['has a job with a time of its own, `delayMs`', (job) => [{ ...hourly, job: job.with({ delayMs: 5 }) }]],
    ['has a job with a time of its own, `beginBy`', (job) => [{ ...hourly, job: job.with({ beginBy: fixed }) }]],
    ['is of a batch, which has no name of its own', (job) => [{ ...hourly, job: parallel(job) }]],
    [
      "`missed` of `schedules[0]` of `asyncModule` must be one of 'once', 'skip', 'all'",
      (job) => [{ ...hourly, job, missed: 'twice' as 'once' }],
    ],
  ])('is refused: %s', async (message, schedulesOf) => {
    const { clean } = recorder();
    const error = await failureOf(setup({ tasks: [clean], schedules: schedulesOf(makeJob(clean, 'tmp')) }));
    expect(error).toBeInstanceOf(OptionError);
    expect(error.message).toContain(message);
  });

  it.each<[string, (job: ReturnType<typeof makeJob>, late: Draft<unknown>) => Draft<unknown>]>([
    ['job.steps[1].beginBy', (job, late) => parallel(job, late)],
    ['job.steps[0].steps[0].beginBy', (_job, late) => serial(parallel(late))],
    ['job.postprocess.beginBy', (job) => serial(job).postprocess(callback(gather).with({ beginBy: fixed }))],
    ['job.callbacks[1].beginBy', (job, late) => job.withCallback(gather).withCallback(late)],
    ['job.callbacks[0].success.beginBy', (job, late) => job.withCallbacks({ success: late })],
    ['job.callbacks[0].failure.steps[0].beginBy', (job, late) => job.withCallbacks({ failure: serial(late) })],
    ['job.steps[0].callbacks[0].beginBy', (job, late) => serial(job.withCallback(late))],
    ['job.steps[0].beginAfter', (job) => serial(job.with({ beginAfter: fixed }))],
  ])('is refused where something below its job has a fixed time: %s', async (path, jobOf) => {
    const { clean } = recorder();
    const draft = makeJob(clean, 'tmp');
    const job = jobOf(draft, draft.with({ beginBy: fixed }));
    const error = await failureOf(setup({ tasks: [clean, gather], schedules: [{ ...hourly, name: 'all', job }] }));
    expect(error).toBeInstanceOf(OptionError);
    expect(error.message).toContain(`\`schedules[0].${path}\` of \`asyncModule\` is 2040-01-01T00:00:00.000Z`);
  });

  it('may have steps and callbacks with a delay of their own', async () => {
    const { seen, clean } = recorder();
    const later = makeJob(clean, 'later').with({ delayMs: 60_000 });
    const job = serial(makeJob(clean, 'first').withCallback(later), later);
    const { advance } = await setup({ startAt, tasks: [clean], schedules: [{ ...hourly, name: 'all', job }] });
    await advance(HOUR);
    expect(seen).toEqual(['first undefined', 'later undefined', 'later undefined']);
  });

  it('whose job could never be queued keeps the service from starting', async () => {
    const { clean } = recorder();
    const job = makeJob(clean, 'tmp').with({ quotas: ['nowhere'] });
    const error = await failureOf(setup({ tasks: [clean], schedules: [{ ...hourly, job }] }));
    expect(error).toBeInstanceOf(StartError);
    expect(error.message).toContain('clean cannot be queued: clean names the quota `nowhere`');
  });
});
