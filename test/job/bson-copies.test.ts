/** Two copies of BSON in one process, as there are wherever the driver is: each value comes back by the class that it had. */

import * as bson from 'bson';
import * as mongodb from 'mongodb';
import { afterEach, describe, expect, it } from 'vitest';
import { comeBackBy, OWN_BSON } from '../../src/job/bson-library.js';
import { Payload } from '../../src/job/payload.js';
import { bytesOf, payloadOf } from '../../src/job/payload-bytes.js';

type Copy = Pick<typeof bson, 'ObjectId' | 'Long' | 'Int32' | 'Double' | 'Decimal128' | 'Timestamp' | 'Binary' | 'UUID' | 'MaxKey'>;

function valuesOf({ ObjectId, Long, Int32, Double, Decimal128, Timestamp, Binary, UUID, MaxKey }: Copy): readonly object[] {
  return [
    new ObjectId(),
    Long.fromString('9007199254740993'),
    new Int32(1),
    new Double(1),
    Decimal128.fromString('1.50'),
    new Timestamp({ t: 1, i: 2 }),
    new Binary(Buffer.from([1]), 5),
    new Binary(Buffer.from([1])),
    new UUID(),
    new MaxKey(),
  ];
}

function andBack(value: unknown): unknown {
  const payload = Payload.of(value, 'arguments');
  const again = payloadOf(bytesOf(payload), 'arguments');
  expect(Buffer.compare(bytesOf(again), bytesOf(payload))).toBe(0);
  return again.read();
}

afterEach(() => comeBackBy(OWN_BSON));

describe.each<[string, Copy, boolean]>([
  ['the driver, on a store in its database', mongodb, true],
  ['`bson`, on a store in a database', bson, true],
  ['`bson`, where no driver is', bson, false],
])('of %s', (_title, copy, isByDriver) => {
  it.each(valuesOf(copy).map((value) => [value.constructor.name, value] as const))('a value comes back as %s', (_name, value) => {
    if (isByDriver) comeBackBy(mongodb);
    const [back] = andBack([value]) as readonly object[];
    expect(back).toBeInstanceOf(value.constructor);
    expect(back).toEqual(value);
  });
});

it('the driver has a copy of its own, though it is installed once', () => {
  expect(mongodb.ObjectId).not.toBe(bson.ObjectId);
});

it('a value of another version of BSON is refused where it is given, since no store could keep it', () => {
  class ObjectId extends bson.ObjectId {}
  Object.defineProperty(ObjectId.prototype, Symbol.for('@@mdb.bson.version'), { value: 6 });
  expect(() => Payload.of([new ObjectId()], 'arguments')).toThrow(
    '`arguments[0]` is of version 6 of BSON, but only values of version 7 are stored',
  );
});
