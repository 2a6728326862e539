/** The metadata that `@Task` writes for both kinds of decorators, and the records of a class. */

import 'reflect-metadata';
import type { Class } from './task.js';
import type { CheckedTaskOptions } from './task-options.js';

// Node 20 has no `Symbol.metadata`; without it standard decorators are given no `context.metadata`.
(Symbol as { metadata?: symbol }).metadata ??= Symbol.for('Symbol.metadata');

/** The options of a class's tasks by method; those of the class itself under `CLASS`. */
export type Recorded = Readonly<Record<string, CheckedTaskOptions>>;

export const CLASS = '';
const KEY = Symbol.for('millrace.tasks');

/** Records in the metadata object of a standard decorator's context. */
export function recordStandard(metadata: object, key: string, options: CheckedTaskOptions): void {
  const holder = metadata as Record<symbol, Recorded>;
  const own = Object.hasOwn(holder, KEY) ? holder[KEY] : undefined;
  holder[KEY] = { ...own, [key]: options };
}

/** Records for a prototype, where legacy decorators put it. */
export function recordLegacy(prototype: object, key: string, options: CheckedTaskOptions): void {
  const own = Reflect.getOwnMetadata(KEY, prototype) as Recorded | undefined;
  Reflect.defineMetadata(KEY, { ...own, [key]: options }, prototype);
}

/** The records of a class and its ancestors; `@Task` on a class makes that class a task, but not those derived from it. */
export function recordedOf(service: Class): Recorded {
  let found: Recorded = {};
  for (let at: unknown = service; typeof at === 'function'; at = Object.getPrototypeOf(at)) {
    const { [CLASS]: own, ...methods } = { ...standardOf(at), ...legacyOf(at) };
    found = { ...methods, ...found, ...(at === service && own !== undefined ? { [CLASS]: own } : {}) };
  }
  return found;
}

function standardOf(at: object): Recorded | undefined {
  const metadata = Object.hasOwn(at, Symbol.metadata)
    ? (at as { [Symbol.metadata]?: Record<symbol, Recorded> })[Symbol.metadata]
    : undefined;
  return metadata !== undefined && Object.hasOwn(metadata, KEY) ? metadata[KEY] : undefined;
}

function legacyOf(at: object): Recorded | undefined {
  const { prototype } = at as { prototype?: object };
  return prototype === undefined ? undefined : (Reflect.getOwnMetadata(KEY, prototype) as Recorded | undefined);
}
