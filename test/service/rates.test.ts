/** Quotas with a rate: what an application sees of them. */

import { Container } from 'inversify';
import { afterEach, describe, expect, it } from 'vitest';
import { asyncModule, makeJob, memoryStore, OptionError, type QuotaSizes, task } from '../../src/index.js';
import { type TestAsync, testAsync } from '../../src/testing/index.js';

const SECOND_MS = 1_000;

let setup: TestAsync | undefined;
afterEach(() => setup?.async.stop());

describe('a rate', () => {
  it('lets jobs begin as soon as it allows, and no sooner', async () => {
    const begunAt: number[] = [];
    const call = task('call', { quotas: ['calls'] }, () => {
      begunAt.push(Number(setup?.clock.now()) - startedAt);
    });
    setup = await testAsync({ tasks: [call], quotas: { calls: { size: 10, rate: { starts: 2, perMs: 64 * SECOND_MS } } } });
    const startedAt = setup.clock.now();
    await setup.async.queueJobs(Array.from({ length: 5 }, () => makeJob(call)));
    await setup.advance(200 * SECOND_MS);
    // A period is rounded up by a 64th of it at most.
    expect(begunAt.map((ms) => Math.floor(ms / SECOND_MS))).toEqual([0, 0, 64, 64, 128]);
  });
});

describe('a wrong rate is refused:', () => {
  it.each<[string, unknown, string]>([
    [
      'no size',
      { rate: { starts: 1, perMs: 1 } },
      '`size` of `quotas.calls` of `asyncModule` must be an integer of at least 1, but is undefined',
    ],
    ['no period', { size: 1, rate: { starts: 1 } }, '`perMs` of `rate` of `quotas.calls`'],
    ['a period that is not a whole number', { size: 1, rate: { starts: 1, perMs: 0.5 } }, '`perMs` of `rate` of `quotas.calls`'],
    ['none at all', { size: 1, rate: { starts: 0, perMs: 1_000 } }, '`starts` of `rate` of `quotas.calls`'],
    ['another word', { size: 1, rate: { start: 1, perMs: 1_000 } }, 'did you mean `starts`?'],
    ['a word', 'many', '`quotas.calls` of `asyncModule` must be an integer of at least 1, or an object with `size` and `rate`'],
  ])('%s', (_what, size, message) => {
    const load = (): unknown => new Container().load(asyncModule({ store: memoryStore(), quotas: { calls: size } as QuotaSizes }));
    expect(load).toThrow(OptionError);
    expect(load).toThrow(message);
  });
});
