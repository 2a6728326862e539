/** Tables of metadata: the facts that are taken, those that are refused, and those that a job inherits. */

import { describe, expect, it } from 'vitest';
import { isMetadata, type Metadata, metadataOf, metadataText, withInherited } from '../../src/job/metadata.js';

const many = (count: number): Metadata => Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, index]));

describe('metadata', () => {
  it.each<readonly [string, Metadata, Metadata]>([
    ['of strings, numbers and booleans', { tenant: 'acme', step: 2, isTrial: false }, { tenant: 'acme', step: 2, isTrial: false }],
    ['with a fact that is undefined, which is not there', { tenant: 'acme', step: undefined }, { tenant: 'acme' }],
    ['of 20 keys', many(20), many(20)],
    ['with all signs that a key may have', { 'a.b:c/d-e_f1': 1 }, { 'a.b:c/d-e_f1': 1 }],
  ])('%s is taken', (_what, given, taken) => {
    expect(metadataOf('job 1', given)).toEqual(taken);
    expect(isMetadata(taken)).toBe(true);
  });

  it.each<readonly [string, object, string]>([
    ['a key that begins with an operator', { $set: 1 }, 'has the key "$set"'],
    ['a key that is a prototype', JSON.parse('{"__proto__": 1}'), 'has the key "__proto__"'],
    ['a key with a line break', { 'a\nb': 1 }, 'has the key'],
    ['a key of 65 characters', { ['k'.repeat(65)]: 1 }, 'at most 64'],
    ['an object', { a: {} }, '`metadata.a` of job 1 must be'],
    ['a number that is not finite', { a: Number.NaN }, '`metadata.a` of job 1 must be'],
    ['half of a surrogate pair', { a: '\ud800' }, '`metadata.a` of job 1 must be'],
    ['21 keys', many(21), 'has 21 keys'],
    ['more than 2,048 bytes', { a: 'x'.repeat(2_041) }, 'takes 2049 bytes'],
  ])('with %s is refused', (_what, given, text) => {
    expect(() => metadataOf('job 1', given as Metadata)).toThrow(text);
  });

  it.each<readonly [string, Metadata | undefined, readonly string[] | undefined, Metadata | undefined, Metadata | undefined]>([
    ['nothing, without keys', { a: 1 }, undefined, { tenant: 'acme' }, { a: 1 }],
    ['the named keys', { a: 1 }, ['tenant'], { tenant: 'acme', other: 1 }, { a: 1, tenant: 'acme' }],
    ['no key that it has itself', { tenant: 'own' }, ['tenant'], { tenant: 'acme' }, { tenant: 'own' }],
    ['the named keys, without any of its own', undefined, ['tenant'], { tenant: 'acme' }, { tenant: 'acme' }],
    ['nothing from a job without metadata', undefined, ['tenant'], undefined, undefined],
    ['nothing, and has none where its own is empty', {}, ['tenant'], {}, undefined],
  ])('of a job inherits %s', (_what, own, keys, from, metadata) => {
    expect(withInherited('job 1', own, { keys, from })).toEqual(metadata);
  });

  it('that is inherited counts towards the limit', () => {
    expect(() => withInherited('job 1', many(20), { keys: ['tenant'], from: { tenant: 'acme' } })).toThrow('has 21 keys');
  });

  it('has one text, whatever the order of its keys', () => {
    expect(metadataText({ b: 1, a: 2 })).toBe(metadataText({ a: 2, b: 1 }));
  });
});
