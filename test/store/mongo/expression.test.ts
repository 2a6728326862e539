/** A value from outside does not compile where the server would take it for an expression. */

import { expect, it } from 'vitest';
import { type Expression, literal, type Pipeline } from '../../../src/store/mongo/driver/expression.js';
import { asSetStage, ServerExpression } from '../../../src/store/mongo/jobs/job-update.js';

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
