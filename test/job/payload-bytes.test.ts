/** The bytes of a storable value: the same before and after any store, so that they can be digested. */

import { Binary, Decimal128, Double, Int32, Long, MaxKey, MinKey, ObjectId, Timestamp, UUID } from 'mongodb';
import { describe, expect, it } from 'vitest';
import { DocumentReference } from '../../src/job/document-reference.js';
import { JobReference } from '../../src/job/job-reference.js';
import { Payload } from '../../src/job/payload.js';
import { bytesOf, payloadOf } from '../../src/job/payload-bytes.js';
import { seededRandom } from '../../src/testing/index.js';

const random = seededRandom(7);
const any = (bound: number): number => Math.floor(random() * bound);
const hex = (length: number): string => Array.from({ length }, () => any(16).toString(16)).join('');

const SCALARS: readonly (() => unknown)[] = [
  () => undefined,
  () => null,
  () => random() < 0.5,
  () => any(2 ** 32) - 2 ** 31,
  () => any(2 ** 53),
  () => random() * 10 ** any(300),
  () => [-0, 0, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, -(2 ** 31), 0.1][any(7)],
  () => BigInt.asIntN(64, BigInt(any(2 ** 53)) * BigInt(any(2 ** 53))),
  () => ['', 'é', '𝄞', '$set', '__proto__', 'a\u0000b', 'x'.repeat(any(200))][any(7)],
  () => new Date(any(2 ** 42)),
  () => Buffer.from(Array.from({ length: any(20) }, () => any(256))),
  () => [/a\/b/im, /(?:)/, /\//, /^\d+$/m][any(4)],
  () => new Double(any(10)),
  () => new Double(-0),
  () => new Int32(any(2 ** 31)),
  () => Long.fromBits(any(2 ** 32), any(2 ** 32), random() < 0.5),
  () => new ObjectId(hex(24)),
  () => new UUID(hex(32)),
  () => new Binary(Buffer.from(hex(any(20) * 2), 'hex'), 0xbf + any(6)),
  () => Decimal128.fromString(['1.00', '1', 'NaN', '-Infinity', '1E-6000'][any(5)] ?? '0'),
  () => new Timestamp({ t: any(2 ** 32), i: any(2 ** 32) }),
  () => [new MinKey(), new MaxKey()][any(2)],
  () => new JobReference('0123456789abcdef01234567', `task ${any(9)}`),
  () => new DocumentReference('folders', [new ObjectId(hex(24)), new Long(any(99)), new Double(any(9)), 'id'][any(4)]),
];

const KEYS = ['a', '1', '', '$ref', '$id', '$db', '$set', 'a.b', '__proto__', 'constructor', 'toJSON', 'é'];

function randomValue(depth: number): unknown {
  const kind = depth === 0 ? 2 : any(4);
  if (kind === 0) return Array.from({ length: any(4) }, () => randomValue(depth - 1));
  if (kind === 1) {
    const made = {};
    for (let count = any(5); count > 0; count--) {
      const key = KEYS[any(KEYS.length)] ?? '';
      Object.defineProperty(made, key, { value: randomValue(depth - 1), enumerable: true, configurable: true, writable: true });
    }
    return made;
  }
  return SCALARS[any(SCALARS.length)]?.();
}

describe('the bytes of a value', () => {
  it('are the same when it has been stored and read, whatever it is', () => {
    for (let times = 0; times < 5_000; times++) {
      const payload = Payload.of([randomValue(3)], 'arguments');
      const bytes = bytesOf(payload);
      const again = payloadOf(bytes, 'arguments');
      expect(Buffer.compare(bytesOf(again), bytes)).toBe(0);
      expect(Buffer.compare(bytesOf(payloadOf(bytesOf(again), 'arguments')), bytes)).toBe(0);
    }
  });

  it('bring back an object with the names of a reference to another database', () => {
    const object = { $id: undefined, x: { $ref: 'y', $id: 2n }, $ref: 'a.b', $db: 'c' };
    expect(payloadOf(bytesOf(Payload.of([object], 'arguments')), 'arguments').read()).toStrictEqual([object]);
  });

  it('differ where values do, in type too', () => {
    const values = [1, 1n, '1', [1], { 1: 1 }, true, undefined, null, {}, [], [undefined], { a: undefined }, -0, 0, Buffer.from('1')];
    const texts = values.map((value) => Buffer.from(bytesOf(Payload.of([value], 'arguments'))).toString('hex'));
    expect(new Set(texts).size).toBe(values.length);
  });
});
