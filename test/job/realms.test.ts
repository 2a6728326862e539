/** Values of another realm, such as the sandbox in which Jest runs tests, are recognised. */

import { runInNewContext, runInThisContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { makeJob, task, UnstorableError } from '../../src/index.js';
import { Payload } from '../../src/job/payload.js';
import { bytesOf, payloadOf } from '../../src/job/payload-bytes.js';
import { setup } from '../support/bundle.js';
import { Log } from '../support/deferred.js';

const other = (code: string): unknown => runInNewContext(code);

describe('a value of another realm', () => {
  it.each<[string, unknown]>([
    ['new Date(5)', new Date(5)],
    ['new Uint8Array([1, 2])', Buffer.from([1, 2])],
    ['/a+/i', /a+/i],
    ['[1, [2]]', [1, [2]]],
    ['({ at: new Date(5), list: [{}] })', { at: new Date(5), list: [{}] }],
    ['Object.create(null)', {}],
  ])('%s is stored as what it is', (code, expected) => {
    const payload = Payload.of(other(code), 'arguments');
    expect(payload.read()).toStrictEqual(expected);
    expect(payloadOf(bytesOf(payload), 'arguments').read()).toEqual(expected);
  });

  it.each([
    ['new Map()', 'is an instance of Map'],
    ['new Set()', 'is an instance of Set'],
    ['new Date(NaN)', 'is an invalid Date'],
    ['new TypeError("x")', 'is an error, which is not storable'],
    ['Promise.resolve(1)', 'is a promise: await it first'],
    ['new (class Customer {})()', 'is an instance of Customer'],
    ['() => 1', 'is a function'],
    ['({ _bsontype: "ObjectId" })', 'is a name that BSON keeps'],
  ])('%s is refused for the same reason as one of this realm', (code, why) => {
    const refusal = (value: unknown): string => {
      try {
        Payload.of(value, 'value');
      } catch (error) {
        if (error instanceof UnstorableError) return error.message;
      }
      return 'not refused';
    };
    expect(refusal(other(code))).toContain(why);
    expect(refusal(runInThisContext(code))).toBe(refusal(other(code)));
  });

  it('is an option like any other', async () => {
    const work = task('work', () => 1);
    const { async, clock, advance } = await setup({ tasks: [work] });
    const beginAfter = other(`new Date(${clock.now() + 1_000})`) as Date;
    const job = await async.queueJob(makeJob(work).with({ beginAfter, beginBy: other(`new Date(${clock.now() + 9_000})`) as Date }));
    expect(job.status).toBe('scheduled');
    await advance(1_000);
    expect(await job.waitForResult()).toBe(1);
    expect(() => makeJob(work).with({ beginAfter: other('new Date(NaN)') as Date })).toThrow(
      'must be a valid Date, but is an invalid Date',
    );
  });

  it('that is thrown fails its job with its message and its stack', async () => {
    const work = task('work', () => {
      throw other('new TypeError("it broke")');
    });
    const { async } = await setup({ tasks: [work] });
    const job = await async.queueJob(work);
    expect(await job.waitForOutcome()).toMatchObject({ error: { name: 'TypeError', message: 'it broke', stack: expect.any(String) } });
  });

  it('that a handler returns is caught, where it is a promise that rejects', async () => {
    const work = task('work', () => 1);
    const log = new Log();
    const { async, drain } = await setup({ tasks: [work], logger: log });
    async.events.success.subscribe(other('async () => { throw new Error("late") }') as () => void);
    await async.queueJob(work);
    await drain();
    expect(log.of('error')).toEqual(['a handler threw, which changes nothing']);
  });
});
