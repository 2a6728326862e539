/** Texts for seals and ciphers: fields, each with its length, so that no two lists of fields have the same text. */

/** One byte says whether a field is there, and four how long it is. */
const HEAD_BYTES = 5;

export type Field = string | Uint8Array | undefined;

/** The fields in their order. */
export function textOf(fields: readonly Field[]): Buffer {
  const parts: Uint8Array[] = [];
  for (const field of fields) {
    const head = Buffer.alloc(HEAD_BYTES);
    parts.push(head);
    if (field === undefined) continue;
    const bytes = typeof field === 'string' ? Buffer.from(field, 'utf8') : field;
    head.writeUInt8(1, 0);
    head.writeUInt32BE(bytes.byteLength, 1);
    parts.push(bytes);
  }
  return Buffer.concat(parts);
}
