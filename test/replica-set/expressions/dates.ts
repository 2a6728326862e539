/** Expressions on dates and timestamps, in UTC. */

import { Int32, Long, Timestamp } from 'mongodb';
import { ServerError } from '../server-error.js';
import { isNumber, toNumber } from '../values/numbers.js';
import { typeName } from '../values/types.js';
import type { Maybe, Value } from '../values/value.js';
import { eager, isNullish, named } from './arguments.js';
import type { Operator } from './expression.js';

const UNIT_MS: Readonly<Record<string, number>> = {
  millisecond: 1,
  second: 1000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
  week: 604_800_000,
};

const UNIT_MONTHS: Readonly<Record<string, number>> = { month: 1, quarter: 3, year: 12 };

function shift(date: Date, unit: string, amount: number): Date {
  const ms = UNIT_MS[unit];
  if (ms !== undefined) return new Date(date.getTime() + amount * ms);
  const months = UNIT_MONTHS[unit];
  if (months === undefined) throw new ServerError(5439014, `unknown time unit value: ${unit}`);
  const moved = new Date(date);
  moved.setUTCDate(1);
  moved.setUTCMonth(moved.getUTCMonth() + amount * months);
  const lastDay = new Date(Date.UTC(moved.getUTCFullYear(), moved.getUTCMonth() + 1, 0)).getUTCDate();
  moved.setUTCDate(Math.min(date.getUTCDate(), lastDay));
  return moved;
}

function dateAdd(name: string, sign: 1 | -1): Operator {
  return (args, compile, env) => {
    const spec = named(name, args, { required: ['startDate', 'unit', 'amount'] });
    const [start, unit, amount] = ['startDate', 'unit', 'amount'].map((key) => compile(spec[key] ?? null, env));
    return (scope) => {
      const [date, by, count] = [start?.(scope), unit?.(scope), amount?.(scope)];
      if (isNullish(date) || isNullish(by) || isNullish(count)) return null;
      if (!(date instanceof Date))
        throw new ServerError(5166403, `${name} requires startDate to be convertible to a date, found ${typeName(date)}`);
      if (typeof by !== 'string' || !isNumber(count)) throw new ServerError(5166404, `${name} requires a unit and a numeric amount`);
      return shift(date, by, sign * toNumber(count));
    };
  };
}

const dateDiff: Operator = (args, compile, env) => {
  const spec = named('$dateDiff', args, { required: ['startDate', 'endDate', 'unit'] });
  const [start, end, unit] = ['startDate', 'endDate', 'unit'].map((key) => compile(spec[key] ?? null, env));
  return (scope) => {
    const [from, to, by] = [start?.(scope), end?.(scope), unit?.(scope)];
    if (isNullish(from) || isNullish(to) || isNullish(by)) return null;
    const ms = UNIT_MS[String(by)];
    if (!(from instanceof Date) || !(to instanceof Date)) throw new ServerError(5166307, '$dateDiff requires dates');
    if (ms === undefined || by === 'week') throw new ServerError('NotImplemented', `the stand-in does not know $dateDiff by ${String(by)}`);
    return Long.fromNumber(Math.floor(to.getTime() / ms) - Math.floor(from.getTime() / ms));
  };
};

function part(name: string, of: (date: Date) => number): Operator {
  return eager(name, [1, 1], (value) => {
    if (isNullish(value)) return null;
    if (!(value instanceof Date)) throw new ServerError(16006, `can't convert from BSON type ${typeName(value)} to Date`);
    return new Int32(of(value));
  });
}

function ofTimestamp(name: string, of: (timestamp: Timestamp) => number): Operator {
  return eager(name, [1, 1], (value: Maybe): Maybe => {
    if (isNullish(value)) return null;
    if (!(value instanceof Timestamp))
      throw new ServerError(5687301, `Argument to ${name} must be a timestamp, but is ${typeName(value as Value)}`);
    return Long.fromNumber(of(value));
  });
}

export const DATES: Readonly<Record<string, Operator>> = {
  $dateAdd: dateAdd('$dateAdd', 1),
  $dateSubtract: dateAdd('$dateSubtract', -1),
  $dateDiff: dateDiff,
  $year: part('$year', (date) => date.getUTCFullYear()),
  $month: part('$month', (date) => date.getUTCMonth() + 1),
  $dayOfMonth: part('$dayOfMonth', (date) => date.getUTCDate()),
  $dayOfWeek: part('$dayOfWeek', (date) => date.getUTCDay() + 1),
  $hour: part('$hour', (date) => date.getUTCHours()),
  $minute: part('$minute', (date) => date.getUTCMinutes()),
  $second: part('$second', (date) => date.getUTCSeconds()),
  $millisecond: part('$millisecond', (date) => date.getUTCMilliseconds()),
  $tsSecond: ofTimestamp('$tsSecond', (timestamp) => timestamp.getHighBitsUnsigned()),
  $tsIncrement: ofTimestamp('$tsIncrement', (timestamp) => timestamp.getLowBitsUnsigned()),
};
