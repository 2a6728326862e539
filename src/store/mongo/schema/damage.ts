/** Finds out which field of a stored document is damaged. */

import { type Document, ObjectId } from 'mongodb';
import { is, type Rule, shown } from '../../../check.js';

/** The rule for a field: its type, and whether it may be missing. */
export interface FieldRule extends Rule {
  readonly isNeeded?: boolean;
}

export type DocumentRules<T> = { readonly [K in keyof Required<T>]: FieldRule };

/** A field that breaks its rule. */
export interface Damage {
  readonly field: string;
  readonly fact: string;
}

/** @param only - of a part of a document: the fields that it has been read with */
export function damagesOf<T>(document: Document, rules: DocumentRules<T>, only?: readonly string[]): readonly Damage[] {
  const damages: Damage[] = [];
  for (const field in rules) {
    const { must, isNeeded, holds } = rules[field];
    const value: unknown = document[field];
    const isSound = value === undefined ? isNeeded !== true : holds(value);
    if (isSound || only?.includes(field) === false) continue;
    damages.push({ field, fact: `\`${field}\` must be ${must}, but is ${value === undefined ? 'missing' : shown(value)}` });
  }
  return damages;
}

export function needed(rule: Rule): FieldRule {
  return { ...rule, isNeeded: true };
}

/** A plain object, and not a value of BSON's own types. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return is.object.holds(value) && Object.getPrototypeOf(value) === Object.prototype;
}

/** Whether something can be read without an error. */
export function isReadable(read: () => unknown): boolean {
  try {
    return read() !== false;
  } catch {
    return false;
  }
}

export const must = {
  count: { must: 'an integer of at least 0', holds: (value: unknown) => Number.isSafeInteger(value) && Number(value) >= 0 },
  true: { must: 'true', holds: (value: unknown) => value === true },
  id: { must: 'an ObjectId', holds: (value: unknown) => value instanceof ObjectId },
  string: { must: 'a string', holds: (value: unknown) => typeof value === 'string' },
} as const satisfies Record<string, Rule>;
