/** `update`. */

import { ServerError } from '../server-error.js';
import { WriteUnit } from '../transactions/write-unit.js';
import { type Doc, isDoc, type Value } from '../values/value.js';
import type { Call, Command } from './command.js';
import { actOnAll, actOnFirst, whenFree } from './conflicts.js';
import { collectionName, optionalArray, optionalBoolean, refuseUnknown, refuseUnsupported, requiredDoc, requiredDocs } from './fields.js';
import { applyUpdate, insertUpserted, type Modification, parseModification } from './modification.js';
import { hintOf, sourceOf } from './reading.js';
import { runStatements, type StatementResult } from './write-batch.js';

const STATEMENT_FIELDS = ['q', 'u', 'multi', 'upsert', 'arrayFilters', 'hint', 'collation', 'upsertSupplied'];
const UNSUPPORTED = ['bypassDocumentValidation', 'collectionUUID', 'encryptionInformation'];

export const update: Command = {
  kind: 'write',
  options: ['updates', 'ordered', 'let', 'stmtId', 'stmtIds', ...UNSUPPORTED],
  inTransaction: true,
  onCollection: true,
  run: (call) => {
    const statements = requiredDocs(call.body, 'updates');
    refuseUnsupported(call.body, 'update', UNSUPPORTED.slice(1));
    refuseRetriedMulti(
      call,
      statements.some((statement) => optionalBoolean(statement, 'multi')),
    );
    const unit = new WriteUnit(call.server, call.transaction);
    return runStatements(call, statements.length, (at) => runUpdate(call, statements[at] ?? {}, unit));
  },
};

/** Writes to many documents can't be retried, so a transaction number makes no sense. */
export function refuseRetriedMulti({ isRetryable }: Call, isMulti: boolean): void {
  if (isRetryable && isMulti) throw new ServerError('InvalidOptions', 'Cannot use retryable writes with multi=true');
}

export interface UpdateStatement {
  readonly filter: Doc;
  readonly change: Value;
  readonly isMulti: boolean;
  readonly isUpsert: boolean;
  readonly hint: Value | undefined;
  readonly arrayFilters: readonly Value[];
}

export function parseStatement(statement: Doc): UpdateStatement {
  refuseUnknown(statement, 'update.updates', STATEMENT_FIELDS);
  refuseUnsupported(statement, 'update', ['collation']);
  const change = statement['u'];
  if (change === undefined) throw new ServerError(40414, "BSON field 'update.updates.u' is missing but a required field");
  const isMulti = optionalBoolean(statement, 'multi') ?? false;
  const isReplacement = isDoc(change) && !Object.keys(change)[0]?.startsWith('$');
  if (isMulti && isReplacement) throw new ServerError('FailedToParse', 'multi update is not supported for replacement-style update');
  return {
    filter: requiredDoc(statement, 'q'),
    change,
    isMulti,
    isUpsert: optionalBoolean(statement, 'upsert') ?? false,
    hint: hintOf(statement['hint']),
    arrayFilters: optionalArray(statement, 'arrayFilters') ?? [],
  };
}

async function runUpdate(call: Call, statement: Doc, unit: WriteUnit): Promise<StatementResult> {
  const parsed = parseStatement(statement);
  const modification = parseModification(call, unit, parsed);
  const many = parsed.isMulti ? await updateAll(call, modification, unit) : NONE;
  if (parsed.isMulti && (many.n > 0 || !parsed.isUpsert)) return many;
  return whenFree(call, () => updateFirst(call, modification, unit) ?? (parsed.isUpsert ? upsert(call, modification, unit) : NONE));
}

const NONE: StatementResult = { n: 0, nModified: 0 };

function upsert(call: Call, modification: Modification, unit: WriteUnit): StatementResult {
  const doc = insertUpserted(modification, unit, unit.collection(call.database, collectionName(call)));
  return { n: 1, nModified: 0, upserted: doc['_id'] ?? null };
}

async function updateAll(call: Call, modification: Modification, unit: WriteUnit): Promise<StatementResult> {
  const source = sourceOf(call, collectionName(call));
  let n = 0;
  let nModified = 0;
  if (source === undefined) return { n, nModified };
  await actOnAll(call, source, {
    query: modification.query,
    act: (stored, doc) => {
      if (applyUpdate(modification, unit, { collection: source.collection, stored, doc }) !== doc) nModified++;
      n++;
    },
  });
  return { n, nModified };
}

/** @returns undefined when nothing matches */
function updateFirst(call: Call, modification: Modification, unit: WriteUnit): StatementResult | undefined {
  const source = sourceOf(call, collectionName(call));
  if (source === undefined) return undefined;
  return actOnFirst(source, {
    query: modification.query,
    act: (stored, doc) => ({
      n: 1,
      nModified: applyUpdate(modification, unit, { collection: source.collection, stored, doc }) === doc ? 0 : 1,
    }),
  });
}
