/** Whether two values are the same to the byte: types of numbers and order of fields included. */

import { compare } from './compare.js';
import { typeCode } from './types.js';
import { isArray, isDoc, type Maybe } from './value.js';

export function identical(a: Maybe, b: Maybe): boolean {
  if (a === b) return true;
  if (typeCode(a) !== typeCode(b)) return false;
  if (isArray(a) && isArray(b)) return a.length === b.length && a.every((element, i) => identical(element, b[i]));
  if (!isDoc(a) || !isDoc(b)) return compare(a, b) === 0;
  const fields = Object.keys(a);
  const others = Object.keys(b);
  return fields.length === others.length && fields.every((field, i) => field === others[i] && identical(a[field], b[field]));
}
