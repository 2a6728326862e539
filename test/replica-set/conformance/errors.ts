/** Facts about the codes with which queries and commands are refused. */

import type { Document } from 'mongodb';
import { expect } from 'vitest';
import { type Draft, fact, group } from './fact.js';
import { codeOf, refusal } from './refusal.js';

interface Command {
  readonly command: Document;
  /** Any of these, since servers of different versions answer with different ones. */
  readonly codes: readonly number[];
}

function refused(title: string, { command, codes }: Command): Draft {
  return fact(title, async ({ db, things }) => {
    await things.insertOne({ _id: 1, n: 1 });
    expect(codes).toContain(await codeOf(db.command(command)));
  });
}

const find = (filter: Document): Document => ({ find: 'things', filter });

export const errors = group('errors', 'manual: reference/error-codes', [
  fact('names its code beside the number', async ({ db }) => {
    expect(await refusal(db.command({ noSuchCommandAtAll: 1 }))).toMatchObject({ code: 59, name: 'CommandNotFound' });
    expect(await refusal(db.command({ find: 'things', filter: { a: { $frobnicate: 1 } } }))).toMatchObject({ code: 2, name: 'BadValue' });
  }),
  refused('refuses an unknown operator of a query with 2 BadValue', { command: find({ a: { $frobnicate: 1 } }), codes: [2] }),
  refused('refuses an unknown operator at the top of a query with 2 BadValue', { command: find({ $frobnicate: 1 }), codes: [2] }),
  refused('refuses $in without a list with 2 BadValue', { command: find({ a: { $in: 1 } }), codes: [2] }),
  refused('refuses $or without a list with 2 BadValue', { command: find({ $or: [] }), codes: [2] }),
  refused('refuses $elemMatch without a document with 2 BadValue', { command: find({ a: { $elemMatch: 1 } }), codes: [2] }),
  refused('refuses $not without an operator with 2 BadValue', { command: find({ a: { $not: 1 } }), codes: [2] }),
  refused('refuses an unknown expression in $expr with 168 InvalidPipelineOperator', {
    command: find({ $expr: { $frobnicate: 1 } }),
    codes: [168],
  }),
  refused('refuses an undefined variable in $expr with 17276', { command: find({ $expr: { $eq: ['$$nothing', 1] } }), codes: [17276] }),
  refused('refuses a filter that is not a document', { command: { find: 'things', filter: 5 }, codes: [9, 14] }),
  refused('refuses documents that are not a list', { command: { insert: 'things', documents: 5 }, codes: [14, 10065] }),
  refused('refuses a wrong number of arguments with 16020', { command: find({ $expr: { $eq: [1] } }), codes: [16020] }),
  fact('refuses an unknown option of find with 40415, in 4.4 with 9', async ({ db, version }) => {
    const code = await codeOf(db.command({ find: 'things', colour: 'red' }));
    expect(code).toBe(version < 5 ? 9 : 40415);
  }),
  fact('refuses an unknown option of findAndModify with 40415, in 4.4 with 51177', async ({ db, version }) => {
    const command = { findAndModify: 'things', query: {}, update: { $set: { n: 1 } }, colour: 'red' };
    expect(await codeOf(db.command(command))).toBe(version < 5 ? 51_177 : 40_415);
  }),
  fact('refuses to read a cursor that does not exist with 43 CursorNotFound', async ({ db, things }) => {
    await things.insertMany([{ _id: 1 }, { _id: 2 }]);
    const cursor = things.find({}, { batchSize: 1 });
    await cursor.next();
    const { id } = cursor;
    await cursor.close();
    expect(await refusal(db.command({ getMore: id, collection: 'things' }))).toMatchObject({ code: 43, name: 'CursorNotFound' });
  }),
  fact('refuses an index that does not exist with 27 IndexNotFound', async ({ db, things }) => {
    await things.insertOne({ _id: 1 });
    expect(await refusal(db.command({ dropIndexes: 'things', index: 'x_1' }))).toMatchObject({ code: 27, name: 'IndexNotFound' });
  }),
  fact('leaves the connection usable after a refusal', async ({ db, things }) => {
    await refusal(db.command({ noSuchCommandAtAll: 1 }));
    expect(await things.countDocuments()).toBe(0);
  }),
]);
