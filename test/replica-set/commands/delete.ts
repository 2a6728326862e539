/** `delete`. */

import { ServerError } from '../server-error.js';
import { WriteUnit } from '../transactions/write-unit.js';
import { numberOf } from '../values/numbers.js';
import type { Doc, Value } from '../values/value.js';
import type { Call, Command } from './command.js';
import { type Act, actOnAll, actOnFirst, whenFree } from './conflicts.js';
import { deleteVariables } from './delete-variables.js';
import { collectionName, refuseUnknown, refuseUnsupported, requiredDoc, requiredDocs } from './fields.js';
import { filterQuery, hintOf, sourceOf } from './reading.js';
import { refuseRetriedMulti } from './update.js';
import { runStatements, type StatementResult } from './write-batch.js';

const UNSUPPORTED = ['collectionUUID', 'encryptionInformation'];

export const deleteCommand: Command = {
  kind: 'write',
  options: ['deletes', 'ordered', 'let', 'stmtId', 'stmtIds', ...UNSUPPORTED],
  inTransaction: true,
  onCollection: true,
  run: (call) => {
    refuseUnsupported(call.body, 'delete', UNSUPPORTED);
    const statements = requiredDocs(call.body, 'deletes');
    refuseRetriedMulti(
      call,
      statements.some((statement) => Number(statement['limit']) === 0),
    );
    const unit = new WriteUnit(call.server, call.transaction);
    return runStatements(call, statements.length, (at) => runDelete(call, statements[at] ?? {}, unit));
  },
};

async function runDelete(call: Call, statement: Doc, unit: WriteUnit): Promise<StatementResult> {
  const { filter, isMulti, hint } = parseDelete(statement);
  const query = filterQuery(filter, deleteVariables(call), hint);
  const source = sourceOf(call, collectionName(call));
  if (source === undefined) return { n: 0 };
  let n = 0;
  const act: Act<void> = (stored, doc) => {
    unit.remove(source.collection, stored, doc);
    n++;
  };
  if (isMulti) await actOnAll(call, source, { query, act });
  else await whenFree(call, () => actOnFirst(source, { query, act }));
  return { n };
}

const STATEMENT_FIELDS = ['q', 'limit', 'hint', 'collation'];

export interface DeleteStatement {
  readonly filter: Doc;
  readonly isMulti: boolean;
  readonly hint: Value | undefined;
}

export function parseDelete(statement: Doc): DeleteStatement {
  refuseUnknown(statement, 'delete.deletes', STATEMENT_FIELDS);
  refuseUnsupported(statement, 'delete', ['collation']);
  if (statement['limit'] === undefined) throw new ServerError(40414, "BSON field 'delete.deletes.limit' is missing but a required field");
  const most = numberOf(statement['limit']);
  if (most !== 0 && most !== 1) {
    throw new ServerError('FailedToParse', `The limit field in delete objects must be 0 or 1. Got ${String(statement['limit'])}`);
  }
  return { filter: requiredDoc(statement, 'q'), isMulti: most === 0, hint: hintOf(statement['hint']) };
}
