/** Tells kinds of commands apart: by name, collection, and the fields that they ask for and write. */

import type { Document } from 'mongodb';

/** Marks commands of the test itself. */
export const OURS = 'ours';

/** Of the store's own commands, but for those of streams; what the driver sends for itself has none. */
export function fingerprintOf(command: Document): string | undefined {
  const [name = ''] = Object.keys(command);
  const collection = String(command[name]);
  if (name === 'commitTransaction') return name;
  if (!collection.startsWith('millrace.') || command['comment'] === OURS) return undefined;
  return [name, collection.slice('millrace.'.length), ...partsOf(command)].join(' ');
}

function partsOf(command: Document): readonly string[] {
  const { filter, query, pipeline, updates, update, key } = command;
  const [first] = (updates ?? []) as readonly Document[];
  const asked = filter ?? query ?? first?.['q'] ?? pipeline?.[0]?.$match;
  const written = update ?? first?.['u'];
  return [key, shapeOf(asked), shapeOf(Array.isArray(written) ? written[0]?.$set : written)].filter(
    (part) => part !== undefined && part !== '',
  );
}

function shapeOf(document: unknown): string {
  if (typeof document !== 'object' || document === null) return '';
  return Object.keys(document).sort().join(',');
}
