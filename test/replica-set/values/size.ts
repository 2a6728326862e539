/** How large documents are in BSON, and the limit of their size. */

import { BSON } from 'mongodb';
import { ServerError } from '../server-error.js';
import type { Doc } from './value.js';

export const MAX_DOCUMENT_BYTES = 16 * 1024 * 1024;

export function sizeOf(doc: Doc): number {
  return BSON.calculateObjectSize(doc);
}

export function refuseTooLargeInsert(doc: Doc): void {
  const size = sizeOf(doc);
  if (size > MAX_DOCUMENT_BYTES) {
    throw new ServerError('BadValue', `object to insert too large. size in bytes: ${size}, max size: ${MAX_DOCUMENT_BYTES}`);
  }
}

export function refuseTooLargeResult(doc: Doc): void {
  if (sizeOf(doc) > MAX_DOCUMENT_BYTES) {
    throw new ServerError(17419, `Resulting document after update is larger than ${MAX_DOCUMENT_BYTES}`);
  }
}
