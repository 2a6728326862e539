/** The texts of seals: no two lists of fields have the same. */

import { expect, it } from 'vitest';
import { encodeFields, type Field } from '../../src/principal/length-prefixed.js';

it('tells lists of fields apart however they are cut', () => {
  const lists: readonly (readonly Field[])[] = [
    [],
    [undefined],
    [''],
    ['ab', 'c'],
    ['a', 'bc'],
    ['abc'],
    ['abc', ''],
    ['abc', undefined],
    [undefined, 'abc'],
    ['é'],
    ['\u0001\u0000\u0000\u0000\u0000'],
    ['', ''],
  ];
  const texts = lists.map((fields) => encodeFields(fields).toString('hex'));
  expect(new Set(texts).size).toBe(lists.length);
  expect(encodeFields(['é', undefined, Buffer.of(7)]).toString('hex')).toBe('0100000002c3a9' + '0000000000' + '010000000107');
});
