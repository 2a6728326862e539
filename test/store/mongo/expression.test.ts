/** Commands that do not compile: a value from outside where the server would take it for an expression, and a field that documents do not have. */

import { expect, it } from 'vitest';
import { type Expression, literal, type Pipeline } from '../../../src/store/mongo/driver/expression.js';
import { asSetStage, ServerExpression } from '../../../src/store/mongo/jobs/job-update.js';
import type { JobDocument } from '../../../src/store/mongo/schema/documents.js';
import type { SortBy, Where } from '../../../src/store/mongo/schema/timed-collection.js';

const named: string = '$HOSTNAME';

it('a bare string compiles nowhere in a pipeline, and a literal does', () => {
  // @ts-expect-error: it may be a path
  const compared: Expression = { $eq: ['$by', named] };
  // @ts-expect-error: also as the whole of a field
  const bare: Pipeline = [{ $set: { by: named } }];
  const literally: Expression = { $eq: ['$by', literal(named)] };
  expect([compared, bare, literally]).toHaveLength(3);
});

it('what a move writes is a literal, unless it is computed', () => {
  const written = asSetStage({ owner: named, token: undefined, startedAt: new ServerExpression('$$NOW') });
  expect(written).toEqual({ owner: { $literal: named }, token: '$$REMOVE', startedAt: '$$NOW' });
});

it('a condition or an order of fields that jobs do not have compiles nowhere', () => {
  // @ts-expect-error: it is named `waitsFor`
  const renamed: Where<JobDocument> = { waiting: { $exists: true } };
  // @ts-expect-error: also among several conditions
  const nested: Where<JobDocument> = { $or: [{ open: true }] };
  // @ts-expect-error: also as a part of a field
  const path: Where<JobDocument> = { 'canceled.owner': 'a' };
  // @ts-expect-error: also as an order
  const order: SortBy<JobDocument> = { index: 1 };
  const right: Where<JobDocument> = { status: 'active', 'cancel.owner': 'a', $or: [{ taskName: { $in: ['add'] } }] };
  expect([renamed, nested, path, order, right]).toHaveLength(5);
});
