/** Cuts a stream of bytes into messages, and puts headers before them. */

import { BSON } from 'mongodb';
import type { Doc } from '../values/value.js';
import { MalformedMessage } from './op-msg.js';

export interface Frame {
  readonly requestId: number;
  readonly opCode: number;
  readonly payload: Buffer;
}

const HEADER = 16;
export const MAX_MESSAGE_BYTES = 48_000_000;

export class FrameReader {
  #chunks: Buffer[] = [];
  #length = 0;

  /** Takes what arrived, and yields the messages that are complete. */
  *take(chunk: Buffer): Generator<Frame> {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    for (let size = this.#nextSize(); size !== undefined && this.#length >= size; size = this.#nextSize()) yield this.#cut(size);
  }

  #nextSize(): number | undefined {
    if (this.#length < HEADER) return undefined;
    const size = this.#joined().readInt32LE(0);
    if (size < HEADER || size > MAX_MESSAGE_BYTES) throw new MalformedMessage(`a message of ${size} bytes`);
    return size;
  }

  /** Only joins when a header is split or a message is complete, so that large messages are not copied again and again. */
  #joined(): Buffer {
    const [first] = this.#chunks;
    if (first !== undefined && first.length >= HEADER && this.#chunks.length > 1 && this.#length < first.readInt32LE(0)) return first;
    if (first !== undefined && this.#chunks.length === 1) return first;
    const joined = Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    return joined;
  }

  #cut(size: number): Frame {
    const all = this.#joined();
    this.#length -= size;
    this.#chunks = this.#length === 0 ? [] : [all.subarray(size)];
    return { requestId: all.readInt32LE(4), opCode: all.readInt32LE(12), payload: all.subarray(HEADER, size) };
  }
}

let lastRequestId = 0;

export interface Answer {
  readonly opCode: number;
  readonly responseTo: number;
  /** The bytes before the document. */
  readonly prefix: Buffer;
  readonly doc: Doc;
}

/** A complete message. */
export function frame({ opCode, responseTo, prefix, doc }: Answer): Buffer {
  const document = BSON.serialize(doc, { ignoreUndefined: true });
  const message = Buffer.allocUnsafe(HEADER + prefix.length + document.length);
  lastRequestId = (lastRequestId + 1) % 0x7fffffff;
  message.writeInt32LE(message.length, 0);
  message.writeInt32LE(lastRequestId, 4);
  message.writeInt32LE(responseTo, 8);
  message.writeInt32LE(opCode, 12);
  prefix.copy(message, HEADER);
  message.set(document, HEADER + prefix.length);
  return message;
}
