/** `findAndModify`. */

import { querySort } from '../planning/choose-plan.js';
import type { Query } from '../planning/query.js';
import { ServerError } from '../server-error.js';
import { WriteUnit } from '../transactions/write-unit.js';
import { wholeNumber } from '../values/numbers.js';
import type { Doc, Value } from '../values/value.js';
import type { Call, Command } from './command.js';
import { type Act, actOnFirst, whenFree } from './conflicts.js';
import { collectionName, optionalArray, optionalBoolean, optionalDoc, refuseUnsupported } from './fields.js';
import { findProjection } from './find.js';
import { applyUpdate, insertUpserted, type Modification, parseModification } from './modification.js';
import { filterQuery, hintOf, sourceOf, variablesOf } from './reading.js';
import { rememberAnswer, statementId } from './write-batch.js';

const UNSUPPORTED = ['bypassDocumentValidation', 'collation', 'encryptionInformation'];

export const findAndModify: Command = {
  kind: 'write',
  options: ['query', 'sort', 'remove', 'update', 'new', 'fields', 'upsert', 'arrayFilters', 'hint', 'let', 'stmtId', ...UNSUPPORTED],
  inTransaction: true,
  onCollection: true,
  run: async (call) => {
    const statement = statementId(call, 0);
    const known = call.isRetryable ? call.session?.answerOf(statement) : undefined;
    if (known !== undefined) return { ...known, retriedStmtId: wholeNumber(statement) };
    const answer = await modify(call);
    rememberAnswer(call, statement, answer);
    return answer;
  },
};

interface Outcome {
  readonly before: Doc | undefined;
  readonly after: Doc | undefined;
  readonly upserted?: Value;
}

async function modify(call: Call): Promise<Doc> {
  const { body } = call;
  refuseUnsupported(body, 'findAndModify', UNSUPPORTED.slice(1));
  const isRemove = optionalBoolean(body, 'remove') ?? false;
  refuseContradictions(body, isRemove);
  const unit = new WriteUnit(call.server, call.transaction);
  const write = isRemove ? removal(call, unit) : change(call, unit);
  return answerOf(call, await whenFree(call, write), isRemove);
}

function refuseContradictions(body: Doc, isRemove: boolean): void {
  const has = (field: string): boolean => optionalBoolean(body, field) ?? false;
  if (isRemove && body['update'] !== undefined) throw new ServerError('FailedToParse', "Cannot specify both an 'update' and 'remove'=true");
  if (isRemove && has('upsert')) throw new ServerError('FailedToParse', "Cannot specify both 'upsert'=true and 'remove'=true");
  if (isRemove && has('new')) {
    throw new ServerError(
      'FailedToParse',
      "Cannot specify both 'new'=true and 'remove'=true; 'remove' always returns the deleted document",
    );
  }
  if (!isRemove && body['update'] === undefined)
    throw new ServerError('FailedToParse', "Either an 'update' or 'remove'=true must be specified");
}

const NOTHING: Outcome = { before: undefined, after: undefined };

function removal(call: Call, unit: WriteUnit): () => Outcome {
  const { body } = call;
  const sort = optionalDoc(body, 'sort');
  const query: Query = { ...filterQuery(optionalDoc(body, 'query') ?? {}, variablesOf(call), body['hint']), sort: sort && querySort(sort) };
  return () => {
    const source = sourceOf(call, collectionName(call));
    if (source === undefined) return NOTHING;
    const act: Act<Outcome> = (stored, doc) => {
      unit.remove(source.collection, stored, doc);
      return { before: doc, after: undefined };
    };
    return actOnFirst(source, { query, act }) ?? NOTHING;
  };
}

function change(call: Call, unit: WriteUnit): () => Outcome {
  const { body } = call;
  const isUpsert = optionalBoolean(body, 'upsert') ?? false;
  const modification = parseModification(call, unit, {
    filter: optionalDoc(body, 'query') ?? {},
    change: body['update'] ?? null,
    isUpsert,
    hint: hintOf(body['hint']),
    arrayFilters: optionalArray(body, 'arrayFilters') ?? [],
    sort: optionalDoc(body, 'sort'),
  });
  return () => updateFirst(call, modification, unit) ?? (isUpsert ? upsert(call, modification, unit) : NOTHING);
}

function updateFirst(call: Call, modification: Modification, unit: WriteUnit): Outcome | undefined {
  const source = sourceOf(call, collectionName(call));
  if (source === undefined) return undefined;
  const { collection } = source;
  return actOnFirst(source, {
    query: modification.query,
    act: (stored, doc) => ({ before: doc, after: applyUpdate(modification, unit, { collection, stored, doc }) }),
  });
}

function upsert(call: Call, modification: Modification, unit: WriteUnit): Outcome {
  const after = insertUpserted(modification, unit, unit.collection(call.database, collectionName(call)));
  return { before: undefined, after, upserted: after['_id'] ?? null };
}

function answerOf(call: Call, { before, after, upserted }: Outcome, isRemove: boolean): Doc {
  const { body } = call;
  const chosen = optionalBoolean(body, 'new') ? after : before;
  const fields = optionalDoc(body, 'fields');
  const value = chosen === undefined || fields === undefined ? chosen : findProjection(fields, variablesOf(call)).apply(chosen);
  const n = wholeNumber(before === undefined && upserted === undefined ? 0 : 1);
  const lastErrorObject = isRemove ? { n } : { n, updatedExisting: before !== undefined, ...(upserted === undefined ? {} : { upserted }) };
  return { lastErrorObject, value: value ?? null };
}
