/** `insert`. */

import { ObjectId } from 'mongodb';
import { ServerError } from '../server-error.js';
import { WriteUnit } from '../transactions/write-unit.js';
import { fillTimestamps } from '../updating/fill-timestamps.js';
import { refuseTooLargeInsert } from '../values/size.js';
import { typeName } from '../values/types.js';
import { type Doc, type Draft, isArray, type Maybe, setField } from '../values/value.js';
import type { Command } from './command.js';
import { whenFree } from './conflicts.js';
import { collectionName, refuseUnsupported, requiredDocs } from './fields.js';
import { runStatements } from './write-batch.js';

const UNSUPPORTED = ['bypassDocumentValidation', 'collectionUUID', 'encryptionInformation'];

export const insert: Command = {
  kind: 'write',
  options: ['documents', 'ordered', 'stmtId', 'stmtIds', ...UNSUPPORTED],
  inTransaction: true,
  onCollection: true,
  run: (call) => {
    const { body, server, database, transaction } = call;
    refuseUnsupported(body, 'insert', UNSUPPORTED.slice(1));
    const documents = requiredDocs(body, 'documents');
    const unit = new WriteUnit(server, transaction);
    const name = collectionName(call);
    const filled = documents.map((doc) => fillTimestamps(doc, () => unit.timestamp()));
    return runStatements(call, filled.length, (at) =>
      whenFree(call, () => {
        const doc = withId(filled[at] ?? {});
        refuseTooLargeInsert(doc);
        const collection = unit.collection(database, name);
        unit.insert(collection, doc);
        return { n: 1 };
      }),
    );
  },
};

/** Puts `_id` first, and makes one where there is none. */
export function withId(doc: Doc): Doc {
  const id = doc['_id'];
  refuseBadId(id);
  if (id !== undefined && Object.keys(doc)[0] === '_id') return doc;
  const result: Draft = { _id: id ?? new ObjectId() };
  for (const [name, value] of Object.entries(doc)) if (name !== '_id' && value !== undefined) setField(result, name, value);
  return result;
}

function refuseBadId(id: Maybe): void {
  const type = typeName(id);
  if (isArray(id) || type === 'regex') throw new ServerError('InvalidIdField', `The '_id' value cannot be of type ${type}`);
}
