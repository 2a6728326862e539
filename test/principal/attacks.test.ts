/** Attempts by an attacker who can write to the jobs. All are refused, and no task's code runs. */

import { expect, it } from 'vitest';
import { type DispatcherEvent, type Job, type Logger, makeJob, type SealError, serial, Task, task, tasks } from '../../src/index.js';
import type { QueuedJob } from '../../src/job/job-record.js';
import { Payload } from '../../src/job/payload.js';
import { onBothStores, type ProcessOptions } from '../support/both-stores.js';
import { failureOf } from '../support/deferred.js';
import { Attacker, without } from './attacker.js';
import { ANN, BOB } from './users.js';

const KEYS = { k1: '1'.repeat(32), k2: Buffer.alloc(32, 2) };
const SECRETS = { keys: KEYS, current: 'k1' };

/** The tasks that ran, with their arguments. */
let ran: unknown[][] = [];
const note = task('note', { quotas: [] }, (...args: unknown[]) => void ran.push(['note', ...args]));
const danger = task('danger', { quotas: [] }, (...args: unknown[]) => void ran.push(['danger', ...args]));
const secret = task('secret', { quotas: [], encrypt: true }, (...args: unknown[]) => void ran.push(['secret', ...args]));
const gather = task('gather', { quotas: [], uniqueKey: () => 'one', debounceMs: 1_000 }, (...args: unknown[]) => void ran.push(args));

class Services {
  @Task({ quotas: [] })
  run(): void {
    ran.push(['Services.run']);
  }
}
const services = tasks(Services);

const TASKS = [note, danger, secret, gather, Services];

/** Not due before the attacker has been there. */
const LATER = { delayMs: 1_000 } as const;

onBothStores((stage, kind) => {
  async function scene(options: ProcessOptions = {}) {
    ran = [];
    const attacker = new Attacker(stage);
    const errors: string[] = [];
    const logger: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: (message) => void errors.push(message) };
    const faults = kind === 'memory' ? { faults: attacker.faults } : {};
    const process = await stage.start({ tasks: TASKS, secrets: SECRETS, logger, ...faults, ...options });
    const events: DispatcherEvent[] = [];
    process.async.dispatcher?.events.subscribe((event) => events.push(event));
    const { async, advance, drain } = process;
    return { process, attacker, errors, events, async, advance, drain };
  }
  type Scene = Awaited<ReturnType<typeof scene>>;

  /** The job has failed by its seal, which is an event and in the log, and nothing has run. */
  async function expectRefused({ process, events, errors, advance }: Scene, job: Job<unknown>, reason: SealError['reason']): Promise<void> {
    await advance(1_000);
    const { outcome, attempts } = await process.stateOf(job);
    expect(outcome).toMatchObject({ status: 'failed', error: { name: 'SealError', code: 'MILLRACE_SEAL' } });
    expect(attempts).toBe(1);
    expect(ran).toEqual([]);
    const refusals = events.flatMap((event) => (event.type === 'refused' ? [[event.job.id, event.error.reason]] : []));
    expect(refusals).toEqual([[job.id, reason]]);
    expect(errors.filter((message) => message.includes('has refused a job'))).toHaveLength(1);
  }

  async function expectAlterationRefused(change: (job: QueuedJob) => object, options: ProcessOptions = {}): Promise<void> {
    const stand = await scene(options);
    const job = await stand.async.runAs(ANN, () =>
      stand.async.queueJob(makeJob(note, 'hello').with({ ...LATER, metadata: { tenant: 'acme' } })),
    );
    await stand.attacker.alter(job, change);
    await expectRefused(stand, job, 'altered');
  }

  it('refuses a job whose task was altered', () => expectAlterationRefused((job) => ({ ...job, taskName: 'danger' })));

  it('refuses a job whose arguments were altered', () =>
    expectAlterationRefused((job) => ({ ...job, args: Payload.of(['goodbye'], 'arguments') })));

  it('refuses a job whose principal was altered', () => expectAlterationRefused((job) => ({ ...job, principal: BOB })));

  it('refuses a job whose principal was taken away', () => expectAlterationRefused((job) => without(job, 'principal')));

  it('refuses a job whose principal is of another type', () =>
    expectAlterationRefused((job) => ({ ...job, principal: { realm: 'staff', id: { $ne: '' } } })));

  it('refuses a job whose metadata was altered', () => expectAlterationRefused((job) => ({ ...job, metadata: { tenant: 'other' } })));

  it('refuses a job that was given more metadata', () =>
    expectAlterationRefused((job) => ({ ...job, metadata: { ...job.metadata, admin: true } })));

  it('refuses a job whose metadata was taken away', () => expectAlterationRefused((job) => without(job, 'metadata')));

  it('refuses a job whose expiry was altered', () =>
    expectAlterationRefused((job) => ({ ...job, seal: { ...job.seal, expiresAt: new Date(2e13) } })));

  it('refuses a job that is claimed to be given something of its parent', () =>
    expectAlterationRefused((job) => ({ ...job, callbackInput: 'outcome' })));

  it('refuses a job whose arguments are claimed to be of another version', () =>
    expectAlterationRefused((job) => ({ ...job, version: 1 })));

  it('refuses a job that is claimed to be scheduled for another time', () =>
    expectAlterationRefused((job) => ({ ...job, beginAfter: new Date(0) })));

  it('refuses a job that is put into another queue', () =>
    expectAlterationRefused((job) => ({ ...job, queue: 'other' }), { dispatcher: { agents: [{}, { queue: 'other' }] } }));

  it('refuses a job that is replayed under another id', async () => {
    const stand = await scene();
    const original = await stand.async.queueJob(makeJob(danger, 'once').with({ delayMs: 60_000 }));
    const victim = await stand.async.queueJob(makeJob(note, 'hello').with(LATER));
    const [record] = await stand.process.store.find({ ids: [original.id] });
    await stand.attacker.alter(victim, ({ id }) => ({ ...record?.job, id }));
    await expectRefused(stand, victim, 'altered');
  });

  it('refuses a job whose seal was taken away', async () => {
    const stand = await scene();
    const job = await stand.async.queueJob(makeJob(note, 'hello').with(LATER));
    await stand.attacker.alter(job, (one) => without(one, 'seal'));
    await expectRefused(stand, job, 'missing');
  });

  it('refuses a job of a process without secrets', async () => {
    const stand = await scene();
    const outsider = await stage.start({ dispatcher: false });
    const job = await outsider.async.queueJob(danger, 'hello');
    await expectRefused(stand, job, 'missing');
  });

  it('refuses a job that is sealed by a key which was removed', async () => {
    const stand = await scene({ secrets: { keys: { k2: KEYS.k2 }, current: 'k2' } });
    const forger = await stage.start({ dispatcher: false, secrets: { keys: { k1: KEYS.k1 }, current: 'k1' } });
    const job = await forger.async.queueJob(danger, 'hello');
    await expectRefused(stand, job, 'unknown-key');
  });

  it('refuses a job that is sealed by another key of the same name', async () => {
    const stand = await scene();
    const forger = await stage.start({ dispatcher: false, secrets: { keys: { k1: 'a guess'.padEnd(32) }, current: 'k1' } });
    const job = await forger.async.queueJob(danger, 'hello');
    await expectRefused(stand, job, 'altered');
  });

  it('refuses a job after its seal has expired', async () => {
    const stand = await scene({ secrets: { ...SECRETS, sealMs: 10_000 } });
    const job = await stand.async.queueJob(makeJob(note, 'hello').with({ beginAfter: new Date(stand.process.clock.now() + 20_000) }));
    await stand.process.async.pause('everything');
    await stand.advance(30_001);
    await stand.process.async.resume('everything');
    await expectRefused(stand, job, 'expired');
  });

  it('refuses a sealed job in a process without secrets', async () => {
    const stand = await scene();
    await stand.process.async.pause('everything');
    const job = await stand.async.queueJob(note, 'hello');
    const plain = await stage.start({ tasks: TASKS.filter((one) => one !== secret) });
    await stand.async.quiet();
    await plain.async.resume('everything');
    await plain.advance(1_000);
    expect((await plain.stateOf(job)).outcome).toMatchObject({ status: 'failed', error: { code: 'MILLRACE_SEAL' } });
    expect(ran).toEqual([]);
  });

  it.each([
    ['a text', 'seal'],
    ['nothing', null],
    ['empty', {}],
    ['of numbers', { key: 1, expiresAt: 2, mac: 3 }],
    ['of an unknown key', { key: 'k3', expiresAt: new Date(2e13), mac: '' }],
    ['of a name that every object has', { key: 'constructor', expiresAt: new Date(2e13), mac: '' }],
    ['of an empty code', { key: 'k1', expiresAt: new Date(2e13), mac: '' }],
    ['of an invalid time', { key: 'k1', expiresAt: 'soon', mac: 'A'.repeat(43) }],
    ['oversized', { key: 'k'.repeat(100_000), expiresAt: new Date(2e13), mac: 'm'.repeat(1_000_000) }],
  ])('refuses a job whose seal is %s', async (_what, seal) => {
    const stand = await scene();
    const job = await stand.async.queueJob(makeJob(note, 'hello').with(LATER));
    await stand.attacker.alter(job, (one) => ({ ...one, seal }));
    await stand.advance(1_000);
    const { outcome } = await stand.process.stateOf(job);
    expect(outcome).toMatchObject({ status: 'failed', error: { code: 'MILLRACE_SEAL' } });
    expect(JSON.stringify(outcome).length).toBeLessThan(1_000);
    expect(ran).toEqual([]);
  });

  it.each([['constructor'], ['toString'], ['__proto__'], ['hasOwnProperty'], ['choice'], ['an oversized name', 'x'.repeat(100_000)]])(
    'runs nothing for a job of %s, which is not a task',
    async (name, taskName = name) => {
      const stand = await scene();
      const job = await stand.async.queueJob(makeJob(note, 'hello').with(LATER));
      await stand.attacker.alter(job, (one) => ({ ...one, taskName }));
      await stand.advance(1_000);
      // On MongoDB it now waits for somebody who has such a task.
      const { outcome, status } = await stand.process.stateOf(job);
      if (kind === 'memory') expect(outcome).toMatchObject({ status: 'failed', error: { code: 'MILLRACE_SEAL' } });
      else expect(status).toBe('pending');
      expect(stand.errors.join().length).toBeLessThan(2_000);
      expect(ran).toEqual([]);
    },
  );

  it('runs a job with the names of operators and prototypes in its arguments as it was queued', async () => {
    const { async, drain } = await scene();
    const args = JSON.parse(
      '[{"__proto__":{"isAdmin":true},"constructor":{"prototype":1}},{"$set":{"$where":"x"},"$ref":"a.b","$id":1},"$$ROOT"]',
    );
    await async.queueJob(note, ...args);
    await async.queueJob(secret, ...args);
    await drain();
    expect(JSON.stringify(ran)).toBe(
      JSON.stringify([
        ['note', ...args],
        ['secret', ...args],
      ]),
    );
    expect(Reflect.get({}, 'isAdmin')).toBeUndefined();
  });

  it('adds no callback to a job whose principal was altered', async () => {
    const { async, attacker } = await scene();
    const job = await async.queueJob(makeJob(note, 'hello').with(LATER));
    await attacker.alter(job, (one) => ({ ...one, principal: BOB }));
    const found = await async.getJob(job.id);
    expect(await failureOf(Promise.resolve(found?.addCallback(danger)))).toMatchObject({ code: 'MILLRACE_SEAL', reason: 'altered' });
  });

  it('adds no step to a batch whose principal was altered', async () => {
    const { async, attacker } = await scene();
    const batch = await async.queueJob(serial(makeJob(note)).with(LATER));
    await attacker.alter(batch, (one) => ({ ...one, principal: BOB }));
    expect(await failureOf(async.extendBatch(batch.id, makeJob(danger)))).toMatchObject({ code: 'MILLRACE_SEAL', reason: 'altered' });
  });

  it('makes no sealed retry of a job that was altered', async () => {
    const { async, attacker, errors } = await scene();
    const job = await async.queueJob(makeJob(note, 'hello').with(LATER));
    await job.cancel();
    await attacker.alter(job, (one) => ({ ...one, taskName: 'danger' }));
    expect(await failureOf(job.retry())).toMatchObject({ code: 'MILLRACE_SEAL', reason: 'altered' });
    expect(await async.retryJobs({ statuses: ['cancelled'] })).toEqual([]);
    expect(errors.join()).toContain('is not retried');
  });

  it.skipIf(kind === 'memory')('makes no sealed job of an altered one by putting it off', async () => {
    const stand = await scene();
    const job = await stand.async.queueJob(gather, 1);
    await stand.attacker.alter(job, (one) => ({ ...one, taskName: 'danger' }));
    expect((await stand.async.queueJob(gather, 2)).id).toBe(job.id);
    await expectRefused(stand, job, 'missing');
  });

  it('reads no encrypted argument under another job', async () => {
    const { async, attacker, process, advance } = await scene({ secrets: { ...SECRETS, acceptUnsealed: true } });
    const one = await async.queueJob(makeJob(secret, 'of one').with({ delayMs: 60_000 }));
    const other = await async.queueJob(makeJob(secret, 'of the other').with(LATER));
    const [record] = await process.store.find({ ids: [one.id] });
    await attacker.alter(other, (job) => without({ ...job, args: record?.job.args ?? job.args }, 'seal'));
    await advance(1_000);
    expect((await process.stateOf(other)).outcome).toMatchObject({ status: 'failed', error: { code: 'MILLRACE_SEAL' } });
    expect(ran).toEqual([]);
  });

  it('reads no encrypted argument at another place, or of another task', async () => {
    const { async, attacker, process, advance } = await scene({ secrets: { ...SECRETS, acceptUnsealed: true } });
    const swapped = await async.queueJob(makeJob(secret, 'a', 'b').with(LATER));
    const renamed = await async.queueJob(makeJob(secret, 'a').with(LATER));
    const backwards = (args: Payload): Payload => Payload.of((args.read() as unknown[]).reverse(), 'arguments');
    await attacker.alter(swapped, (job) => without({ ...job, args: backwards(job.args) }, 'seal'));
    await attacker.alter(renamed, (job) => without({ ...job, taskName: 'note' }, 'seal'));
    await advance(1_000);
    for (const job of [swapped, renamed])
      expect((await process.stateOf(job)).outcome).toMatchObject({ status: 'failed', error: { code: 'MILLRACE_SEAL' } });
    expect(ran).toEqual([]);
  });

  it('refuses a job whose arguments are claimed not to be encrypted', async () => {
    const stand = await scene();
    const job = await stand.async.queueJob(makeJob(secret, 'hidden').with(LATER));
    await stand.attacker.alter(job, (one) => without(one, 'encrypted'));
    await expectRefused(stand, job, 'altered');
  });

  it('constructs no service for a job that is refused', async () => {
    const stand = await scene();
    const job = await stand.async.queueJob(makeJob(services.run).with(LATER));
    await stand.attacker.alter(job, (one) => ({ ...one, principal: BOB }));
    await expectRefused(stand, job, 'altered');
  });

  it('never retries a job that is refused, and runs its failure callback', async () => {
    const stand = await scene();
    const draft = makeJob(danger).with({ ...LATER, retry: { attempts: 5 } });
    const job = await stand.async.queueJob(draft.withCallbacks({ failure: note }));
    await stand.attacker.alter(job, (one) => ({ ...one, principal: BOB }));
    await stand.advance(1_000);
    expect((await stand.process.stateOf(job)).attempts).toBe(1);
    expect(ran).toEqual([['note', expect.objectContaining({ code: 'MILLRACE_SEAL' })]]);
  });
});
