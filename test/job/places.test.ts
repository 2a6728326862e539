/** The quota rule as tables: which places a job may take, and in which order quotas are held. */

import { describe, expect, it } from 'vitest';
import { QuotaError, UnknownQuotaError } from '../../src/errors.js';
import {
  checkPlaces,
  couldEverFit,
  lastInLockOrder,
  type Places,
  placesInAll,
  placesOf,
  takes,
  weightOf,
  withDefaultQuota,
} from '../../src/job/places.js';

const book = new Map([
  ['default', 1],
  ['files', 4],
  ['gpu', 2],
]);

describe('places', () => {
  it.each<readonly [string, Places, string | undefined, typeof QuotaError | typeof UnknownQuotaError | undefined, string]>([
    ['that are there are allowed', { files: 4 }, undefined, undefined, ''],
    ['of several quotas are allowed', { default: 1, gpu: 2 }, undefined, undefined, ''],
    ['none at all are allowed inside any batch', {}, 'gpu', undefined, ''],
    ['of a quota that is unknown are refused', { fils: 1 }, undefined, UnknownQuotaError, 'did you mean `files`'],
    ['more than a quota has are refused', { gpu: 3 }, undefined, QuotaError, 'needs 3 places of the quota `gpu`, whose size is 2'],
    ['of a quota after those of the batch are allowed', { gpu: 1 }, 'files', undefined, ''],
    ['of the quota that the batch holds are refused', { files: 1 }, 'files', QuotaError, 'inside a batch that holds `files`'],
    ['of a quota before that are refused', { default: 1 }, 'files', QuotaError, '(order: default, files, gpu)'],
    ['of which one comes too early are refused', { default: 1, gpu: 1 }, 'files', QuotaError, 'needs the quota `default`'],
    ['of a quota that is called like a member of objects are unknown', { constructor: 1 }, undefined, UnknownQuotaError, '`constructor`'],
  ])('%s', (_fact, places, within, error, text) => {
    const check = (): void => checkPlaces(places, book, 'job 1', within);
    if (error === undefined) expect(check).not.toThrow();
    else expect(check).toThrow(expect.objectContaining({ name: error.name, message: expect.stringContaining(text) }));
  });

  it.each<readonly [string, Places, string | undefined, string | undefined]>([
    ['of nothing is none', {}, undefined, undefined],
    ['of nothing more is that of the batch', {}, 'files', 'files'],
    ['is the last by the order of the quotas, not of the names', { gpu: 1, default: 1 }, undefined, 'gpu'],
    ['may be the one of the batch', { default: 1 }, 'gpu', 'gpu'],
    ['may be one of its own', { gpu: 1 }, 'files', 'gpu'],
  ])('the last that is held %s', (_fact, places, within, last) => {
    expect(lastInLockOrder(places, book, within)).toBe(last);
  });

  it.each<readonly [string, Places, boolean]>([
    ['none', {}, true],
    ['as many as there are', { default: 1, files: 4 }, true],
    ['one more of one quota', { default: 1, files: 5 }, false],
    ['some of a quota that is gone', { gone: 1 }, false],
  ])('could ever be had: %s', (_what, places, could) => {
    expect(couldEverFit(places, book)).toBe(could);
  });

  it.each<readonly [string, number, boolean]>([
    ['files', 2, true],
    ['gpu', 0, false],
    ['constructor', 0, false],
  ])('of `%s` are counted by own names alone', (name, weight, isTaken) => {
    expect([weightOf({ files: 2 }, name), takes({ files: 2 }, name)]).toEqual([weight, isTaken]);
  });

  it.each<readonly [Places, number]>([
    [{}, 0],
    [{ files: 3 }, 3],
    [{ files: 3, gpu: 2 }, 5],
  ])('are added up: %j', (places, sum) => {
    expect(placesInAll(places)).toBe(sum);
  });
});

it.each<readonly [string, readonly (readonly [string, number])[], string]>([
  ['is there with one place, where none is named', [], 'default 1'],
  ['comes before those that are named', [['gpu', 2]], 'default 1, gpu 2'],
  ['has the size that is named', [['default', 3]], 'default 3'],
  [
    'comes before those that are named before it',
    [
      ['gpu', 2],
      ['default', 3],
    ],
    'default 3, gpu 2',
  ],
])('the quota `default` %s', (_fact, named, quotas) => {
  expect([...withDefaultQuota(new Map(named))].map((quota) => quota.join(' ')).join(', ')).toBe(quotas);
});

describe('the option `quotas`', () => {
  it.each<readonly [string, readonly string[] | Record<string, number>, string]>([
    ['no name', [], '{}'],
    ['names, with one place of each', ['gpu', 'files'], '{"files":1,"gpu":1}'],
    ['weights, in the order of the names', { gpu: 2, files: 1 }, '{"files":1,"gpu":2}'],
  ])('takes %s', (_what, quotas, places) => {
    expect(JSON.stringify(placesOf(quotas as readonly string[], 'a task'))).toBe(places);
  });

  it.each<readonly [string, unknown, string]>([
    ['a name twice', ['gpu', 'gpu'], 'names `gpu` twice'],
    ['no place', { gpu: 0 }, 'must be an integer of at least 1, but is 0'],
    ['a part of a place', { gpu: 1.5 }, 'must be an integer of at least 1, but is 1.5'],
    ['an empty name', [''], 'has an empty name'],
    ['a text', 'gpu', 'must be an array of names'],
  ])('refuses %s', (_what, quotas, text) => {
    expect(() => placesOf(quotas as readonly string[], 'a task')).toThrow(text);
  });
});
