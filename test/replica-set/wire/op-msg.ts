/** OP_MSG: the message all commands and answers come in. */

import { BSON } from 'mongodb';
import type { Doc, Draft } from '../values/value.js';

export const OP_MSG = 2013;

const CHECKSUM_PRESENT = 1;
const MORE_TO_COME = 2;
/** Flag bits below this one may not be ignored. */
const OPTIONAL_FLAGS = 16;

/** Numbers keep their types, and binaries stay binaries. */
const READ: BSON.DeserializeOptions = { promoteValues: false, promoteLongs: false, promoteBuffers: false, bsonRegExp: true };

export interface Message {
  readonly body: Doc;
  /** False for writes with `w: 0`, whose answer nobody waits for. */
  readonly wantsAnswer: boolean;
}

export class MalformedMessage extends Error {}

/** @param payload the message after its header */
export function readMessage(payload: Buffer): Message {
  if (payload.length < 4) throw new MalformedMessage('no flag bits');
  const flags = payload.readUInt32LE(0);
  const unknown = flags & ((1 << OPTIONAL_FLAGS) - 1) & ~(CHECKSUM_PRESENT | MORE_TO_COME);
  if (unknown !== 0) throw new MalformedMessage(`unknown required flags ${unknown}`);
  const end = payload.length - ((flags & CHECKSUM_PRESENT) === 0 ? 0 : 4);
  return { body: readSections(payload.subarray(4, end)), wantsAnswer: (flags & MORE_TO_COME) === 0 };
}

function readSections(sections: Buffer): Doc {
  let body: Doc | undefined;
  const sequences: Draft = {};
  for (let at = 0; at < sections.length; ) {
    const kind = sections[at];
    const size = sizeAt(sections, at + 1);
    const content = sections.subarray(at + 1, at + 1 + size);
    if (kind === 0) body = readDocument(content);
    else if (kind === 1) readSequence(content, sequences);
    else throw new MalformedMessage(`unknown section kind ${kind}`);
    at += 1 + size;
  }
  if (body === undefined) throw new MalformedMessage('no body section');
  return { ...body, ...sequences };
}

function sizeAt(buffer: Buffer, at: number): number {
  const size = at + 4 <= buffer.length ? buffer.readInt32LE(at) : -1;
  if (size < 5 || at + size > buffer.length) throw new MalformedMessage('a section is longer than its message');
  return size;
}

/** A document sequence: a field's name, then its documents one after another. */
function readSequence(content: Buffer, into: Draft): void {
  const nameEnd = content.indexOf(0, 4);
  if (nameEnd < 0) throw new MalformedMessage('a document sequence without a name');
  const documents: Doc[] = [];
  for (let at = nameEnd + 1; at < content.length; ) {
    const size = sizeAt(content, at);
    documents.push(readDocument(content.subarray(at, at + size)));
    at += size;
  }
  into[content.toString('utf8', 4, nameEnd)] = documents;
}

export function readDocument(bytes: Buffer): Doc {
  try {
    return BSON.deserialize(bytes, READ) as Doc;
  } catch (cause) {
    throw new MalformedMessage('invalid BSON', { cause });
  }
}

/** The bytes between the header and the document of an answer: no flags, and a section of kind 0. */
export const MESSAGE_PREFIX = Buffer.alloc(5);
