/** Tables of the options of a unique key: what they make of a job, and which exclude each other. */

import { expect, it } from 'vitest';
import { type UniqueOptions, uniquenessOf } from '../../src/job/unique-key-options.js';

const key = '["work","k"]';

it.each([
  ['none', {}, undefined],
  ['a key, which is taken until the job has ended', { uniqueKey: 'k' }, { key, for: 'unfinished' }],
  ['a key until the job begins', { uniqueKey: 'k', uniqueFor: 'waiting' }, { key, for: 'waiting' }],
  ['a key for a time', { uniqueKey: 'k', uniqueFor: 500 }, { key, for: 500 }],
  ['a debounced job', { uniqueKey: 'k', debounceMs: 5 }, { key, for: 'waiting', debounce: { ms: 5 } }],
  [
    'a debounced job with a limit',
    { uniqueKey: 'k', debounceMs: 5, debounceMaxMs: 5 },
    { key, for: 'waiting', debounce: { ms: 5, maxMs: 5 } },
  ],
] as const satisfies readonly (readonly [string, UniqueOptions, object | undefined])[])('the options name %s', (_what, options, unique) => {
  expect(uniquenessOf('a draft', 'work', options)).toEqual(unique);
});

it.each<readonly [string, UniqueOptions, string]>([
  ['a time without a key', { uniqueFor: 5 }, '`uniqueFor` of a draft needs a `uniqueKey`'],
  ['a debounce without a key', { debounceMs: 5 }, '`debounceMs` of a draft needs a `uniqueKey`'],
  ['a debounce with a time', { uniqueKey: 'k', debounceMs: 5, uniqueFor: 'waiting' }, 'has both `debounceMs` and `uniqueFor`'],
  ['a limit without a debounce', { uniqueKey: 'k', debounceMaxMs: 5 }, '`debounceMaxMs` of a draft needs a `debounceMs`'],
  ['a limit below the debounce', { uniqueKey: 'k', debounceMs: 5, debounceMaxMs: 4 }, 'must be at least its `debounceMs`, 5, but is 4'],
  ['an empty key', { uniqueKey: '' }, '`uniqueKey`'],
  ['a key of 501 characters', { uniqueKey: 'k'.repeat(501) }, 'at most 500 characters'],
])('%s is refused', (_what, options, text) => {
  expect(() => uniquenessOf('a draft', 'work', options)).toThrow(text);
});

it('the same key of two tasks makes two keys', () => {
  expect(uniquenessOf('a draft', 'one', { uniqueKey: 'k' })?.key).not.toBe(uniquenessOf('a draft', 'two', { uniqueKey: 'k' })?.key);
});
