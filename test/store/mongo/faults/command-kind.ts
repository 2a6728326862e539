/** The kind of a command: its name, its collection, and the fields of its filter and its update, but none of their values. */

import type { Document } from 'mongodb';

/** Of the driver itself. */
const NOT_OURS: ReadonlySet<string> = new Set(['ismaster', 'isMaster', 'ping', 'endSessions']);

/** Whether the store sends it, and not the driver for itself. */
export function isOurs(command: Document): boolean {
  return nameOf(command) === 'hello' ? command['$db'] !== 'admin' : !NOT_OURS.has(nameOf(command));
}

/** E.g. `update jobs {_id,status}→[$set:owner+token]`. */
export function kindOf(command: Document): string {
  const name = nameOf(command);
  const target: unknown = command[name === 'getMore' ? 'collection' : name];
  const collection = typeof target === 'string' ? target.replace('millrace.', '') : 'db';
  return [name, collection, shapeOf(name, command)].filter((part) => part !== '').join(' ');
}

function nameOf(command: Document): string {
  return Object.keys(command)[0] ?? '';
}

function shapeOf(name: string, { filter, key, query, update, updates, pipeline }: Document): string {
  const [first] = (updates ?? []) as readonly Document[];
  switch (name) {
    case 'find':
      return fields(filter);
    case 'distinct':
      return `${key} ${fields(query)}`;
    case 'findAndModify':
      return `${fields(query)}→${changes(update)}`;
    case 'update':
      return `${fields(first?.['q'])}→${changes(first?.['u'])}`;
    case 'aggregate':
      return `[${(pipeline as readonly Document[]).map(nameOf).join()}]`;
    default:
      return '';
  }
}

function fields(document: unknown): string {
  return `{${keys(document).join()}}`;
}

/** The operators of an update with their fields, or only the fields of a replacement; of a pipeline, the first stage. */
function changes(update: unknown): string {
  const [open, document, close] = Array.isArray(update) ? ['[', update[0] as unknown, ']'] : ['{', update, '}'];
  const entries = Object.entries((document ?? {}) as Document);
  return open + entries.map(([key, value]) => (key.startsWith('$') ? `${key}:${keys(value).join('+')}` : key)).join() + close;
}

function keys(value: unknown): readonly string[] {
  return typeof value === 'object' && value !== null ? Object.keys(value) : [];
}
