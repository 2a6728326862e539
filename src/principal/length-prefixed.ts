/** Texts for seals and ciphers: fields, each with its length, so that no two lists of fields have the same text. */

/** One byte says whether a field is there, and four how long it is. */
const HEAD_BYTES = 5;

export type Field = string | Uint8Array | undefined;

/** The fields in their order. */
export function encodeFields(fields: readonly Field[]): Buffer {
  const text = Buffer.alloc(fields.reduce((bytes, field) => bytes + HEAD_BYTES + bytesIn(field), 0));
  let at = 0;
  for (const field of fields) {
    const bytes = bytesIn(field);
    if (field !== undefined) text.writeUInt32BE(bytes, text.writeUInt8(1, at));
    at += HEAD_BYTES;
    if (typeof field === 'string') text.write(field, at, 'utf8');
    else if (field !== undefined) text.set(field, at);
    at += bytes;
  }
  return text;
}

function bytesIn(field: Field): number {
  return field === undefined ? 0 : Buffer.byteLength(field);
}
