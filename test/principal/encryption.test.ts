/** Arguments that are encrypted are read by their task, and by nobody else. */

import { inspect } from 'node:util';
import { ObjectId } from 'mongodb';
import { describe, expect, it } from 'vitest';
import { callback, exponential, fixedDelay, type Job, type Logger, makeJob, ref, task, upcast } from '../../src/index.js';
import { onBothStores, type Process, type ProcessOptions } from '../support/both-stores.js';
import { failureOf } from '../support/deferred.js';

const K1 = { k1: '1'.repeat(32) };
const K2 = { k2: '2'.repeat(32) };
/** The text that must not be visible. */
const HIDDEN = 'the password';

let ran: unknown[][] = [];
let failing = 0;
let logs: string[] = [];
function run(...args: unknown[]): void {
  if (failing-- > 0) throw Object.assign(new TypeError(`bad ${HIDDEN}`, { cause: new Error(HIDDEN) }), { code: 'E_BAD' });
  ran.push(args);
}
const record = (...args: unknown[]): void => void ran.push(args);
const all = task('all', { quotas: [], encrypt: true, retry: exponential({ attempts: 3 }) }, run);
const some = task('some', { quotas: [], encrypt: [0, 2] }, run);
const open = task('open', { quotas: [], encrypt: true, redactErrors: false }, run);
const mute = task('mute', { quotas: [], redactErrors: true }, run);
const echo = task('echo', { quotas: [] }, (value: unknown) => value);
const gather = task('gather', { quotas: [], encrypt: true, uniqueKey: () => 'one', debounceMs: 1_000 }, record);
const cleaning = task('cleaning', { quotas: [], encrypt: true }, (..._args: unknown[]) => {
  throw { message: HIDDEN, name: HIDDEN, code: HIDDEN };
});
const before = task('moved', { quotas: [], encrypt: true }, (..._args: unknown[]) => {});
const moved = task('moved', { quotas: [], encrypt: true, upcast: upcast((one: unknown) => [one, 'new']) }, record);

onBothStores((stage) => {
  async function begin(options: ProcessOptions = {}): Promise<Process> {
    ran = [];
    failing = 0;
    logs = [];
    const log = (message: string, details?: object): void => void logs.push(message + inspect(details, { depth: 9 }));
    const logger: Logger = { debug: log, info: log, warn: log, error: log };
    const tasks = [all, some, open, mute, echo, gather, cleaning];
    return stage.start({ tasks, logger, secrets: { keys: K1, current: 'k1' }, ...options });
  }

  /** Everything that the store has of all jobs, as text: what is hidden is in none of it. */
  async function storedText({ store }: Process): Promise<string> {
    const records = await store.find({});
    const args = records.map(({ job }) => job.args.read());
    const texts = (value: unknown): string =>
      value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : Array.isArray(value) ? value.map(texts).join() : inspect(value);
    const raw = (await stage.jobs?.find().toArray()) ?? [];
    const bytes = raw.map((document) => Buffer.from(document.args.buffer).toString('latin1'));
    return [texts(args), inspect(records, { depth: 9 }), inspect(raw, { depth: 9 }), ...bytes].join();
  }

  describe('encrypted arguments', () => {
    it('are given to the task as they were, and are not in the store', async () => {
      const process = await begin();
      const id = new ObjectId();
      const named = await process.async.queueJob(echo, 1);
      await process.drain();
      const values = [HIDDEN, { [HIDDEN]: undefined }, 7n, new Date(0), id, Buffer.from(HIDDEN)];
      await process.async.queueJob(all, ...values, named);
      expect(await storedText(process)).not.toContain(HIDDEN);
      await process.drain();
      const [args = []] = ran;
      expect(inspect(args.slice(0, -1))).toBe(inspect(values));
      expect(await (args.at(-1) as Job<unknown>).waitForResult()).toBe(1);
    });

    it('are those at the places that are named, also where a callback is given something in front', async () => {
      const process = await begin();
      const first = await process.async.queueJob(makeJob(some, 'a', 'b', 'c', 'd').with({ delayMs: 1_000 }));
      const job = await process.async.queueJob(makeJob(echo, 'given').withCallbacks({ success: callback(some, 'b', 'c', 'd') }));
      const [below] = await process.store.find({ parents: [job.id] });
      const [record] = await process.store.find({ ids: [first.id] });
      expect([record?.job.encrypted, below?.job.branches?.success?.[0].encrypted]).toEqual([[0, 2], [1]]);
      await process.advance(1_000);
      expect(ran).toEqual([
        ['given', 'b', 'c', 'd'],
        ['a', 'b', 'c', 'd'],
      ]);
    });

    it('differ in the store though they are equal', async () => {
      const { async, store } = await begin({ dispatcher: false });
      for (let times = 0; times < 2; times++) await async.queueJob(all, HIDDEN);
      const [one, other] = (await store.find({})).map(({ job }) => (job.args.read() as Buffer[])[0]?.toString('hex'));
      expect(one).not.toBe(other);
    });

    it('survive retries, being put off, upcasts and a change of keys', async () => {
      const old = await begin({ tasks: [before, all, gather], dispatcher: false });
      failing = 3;
      const job = await old.async.queueJob(all, 'retried');
      await old.async.queueJob(gather, 'first');
      await old.async.queueJob(before, 'upcast');
      const now = await stage.start({ tasks: [moved, all, gather], secrets: { keys: { ...K1, ...K2 }, current: 'k2' } });
      await now.async.queueJob(gather, 'last');
      await now.advance(60_000);
      const again = await (await now.async.getJob(job.id))?.retry();
      await now.advance(60_000);
      expect(again?.status).toBe('pending');
      expect(ran.map((args) => args.join()).toSorted()).toEqual(['last', 'retried', 'upcast,new']);
    });

    it('cannot be read without the key', async () => {
      const old = await begin({ dispatcher: false });
      const job = await old.async.queueJob(all, HIDDEN);
      const now = await stage.start({ tasks: [all], secrets: { keys: K2, current: 'k2', acceptUnsealed: true } });
      await now.drain();
      expect((await now.stateOf(job)).outcome).toMatchObject({ status: 'failed', error: { code: 'MILLRACE_SEAL' } });
      expect(ran).toEqual([]);
    });

    it('count with the size at which they are stored', async () => {
      const { async } = await begin({ valueLimitBytes: 1_000 });
      await async.queueJob(echo, 'x'.repeat(970));
      expect(await failureOf(async.queueJob(all, 'x'.repeat(970)))).toMatchObject({ code: 'MILLRACE_TOO_LARGE' });
    });

    it('are not in handles, drafts, explanations, events, errors and logs', async () => {
      const process = await begin();
      const { async } = process;
      const seen: unknown[] = [];
      async.events.all.subscribe(({ job, outcome }) => seen.push(job, outcome));
      const draft = makeJob(all, HIDDEN, ref('folders', HIDDEN));
      failing = 10;
      const job = await async.queueJob(draft.with({ delayMs: 1_000 }));
      seen.push(draft, job, job.snapshot, await job.explain());
      await process.advance(60_000);
      seen.push(job, await job.refresh(), await failureOf(job.waitForResult()), ...(await async.getDeadLetters()));
      await async.queueJob(cleaning, HIDDEN);
      await process.drain();
      expect(inspect(seen, { depth: 12, showHidden: true }) + logs.join()).not.toContain(HIDDEN);
      expect(await storedText(process)).not.toContain(HIDDEN);
    });
  });

  describe('errors that are redacted', () => {
    it('keep their name and their code, and say whose they are', async () => {
      const process = await begin();
      for (const one of [all, mute]) {
        failing = 10;
        const job = await process.async.queueJob(makeJob(one, 1).with({ retry: fixedDelay({ attempts: 2, delayMs: 1_000 }) }));
        await process.drain();
        const redacted = {
          name: 'TypeError',
          code: 'E_BAD',
          message: `job ${job.id} (${one.taskName}) failed; its error messages are not kept`,
        };
        expect((await process.stateOf(job)).lastError).toEqual(redacted);
        await process.advance(1_000);
        expect((await process.stateOf(job)).outcome).toEqual({ status: 'failed', error: redacted });
      }
      expect(logs.join()).not.toContain(HIDDEN);
    });

    it('are not those of a task that says so', async () => {
      const process = await begin();
      failing = 1;
      const job = await process.async.queueJob(open, 1);
      await process.drain();
      expect((await process.stateOf(job)).outcome).toMatchObject({ error: { message: `bad ${HIDDEN}`, cause: { message: HIDDEN } } });
    });
  });
});
