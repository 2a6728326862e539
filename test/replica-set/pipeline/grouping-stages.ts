/** `$group`, `$count`, `$sortByCount`. */

import { Int32 } from 'mongodb';
import { type Accumulator, accumulatorOf } from '../expressions/accumulators.js';
import { compileExpression } from '../expressions/expression.js';
import { type Environment, type Evaluate, scopeOf } from '../expressions/scope.js';
import { ServerError } from '../server-error.js';
import { equal, hashOf } from '../values/compare.js';
import { wholeNumber } from '../values/numbers.js';
import { type Doc, type Draft, fieldsOf, isDoc, type Maybe, setField, type Value } from '../values/value.js';
import { sortStage } from './passing-stages.js';
import { type StageParser, stage } from './stage.js';

interface Output {
  readonly field: string;
  readonly create: () => Accumulator;
  readonly evaluate: Evaluate;
}

interface Group {
  readonly id: Maybe;
  readonly accumulators: readonly Accumulator[];
}

export const groupStage: StageParser = (spec, { env }) => {
  if (!isDoc(spec)) throw new ServerError(15947, "a group's fields must be specified in an object");
  const { _id: id, ...fields } = spec;
  if (id === undefined) throw new ServerError(15955, 'a group specification must include an _id');
  const key = compileExpression(id, env);
  const outputs = fieldsOf(fields).map(([field, value]) => parseOutput(field, value, env));
  return stage('$group', spec, function* (input) {
    for (const group of collect(input, key, outputs)) yield resultOf(group, outputs);
  });
};

function parseOutput(field: string, value: Value, env: Environment): Output {
  if (field.includes('.')) throw new ServerError(40235, `The field name '${field}' cannot contain '.'`);
  const [entry, second] = isDoc(value) ? fieldsOf(value) : [];
  if (entry === undefined || second !== undefined) throw new ServerError(40234, `The field '${field}' must be an accumulator object`);
  const [name, argument] = entry;
  if (name === '$count') return { field, create: accumulatorOf('$sum'), evaluate: () => new Int32(1) };
  return { field, create: accumulatorOf(name), evaluate: compileExpression(argument, env) };
}

function collect(input: Iterable<Doc>, key: Evaluate, outputs: readonly Output[]): Iterable<Group> {
  const byHash = new Map<string, Group>();
  const others: Group[] = [];
  for (const doc of input) {
    const scope = scopeOf(doc);
    const id = key(scope);
    const hash = hashOf(id);
    let group = hash === undefined ? others.find((other) => equal(other.id, id)) : byHash.get(hash);
    if (group === undefined) {
      group = { id, accumulators: outputs.map(({ create }) => create()) };
      if (hash === undefined) others.push(group);
      else byHash.set(hash, group);
    }
    for (const [i, accumulator] of group.accumulators.entries()) accumulator.take(outputs[i]?.evaluate(scope));
  }
  return [...byHash.values(), ...others];
}

function resultOf({ id, accumulators }: Group, outputs: readonly Output[]): Doc {
  const result: Draft = { _id: id ?? null };
  for (const [i, { field }] of outputs.entries()) {
    const value = accumulators[i]?.result();
    if (value !== undefined) setField(result, field, value);
  }
  return result;
}

export const countStage: StageParser = (spec) => {
  if (typeof spec !== 'string' || spec === '' || spec.startsWith('$') || spec.includes('.')) {
    throw new ServerError(40156, 'the count field must be a non-empty string without $ or .');
  }
  return stage('$count', spec, function* (input) {
    let count = 0;
    for (const _ of input) count++;
    if (count > 0) yield { [spec]: wholeNumber(count) };
  });
};

export const sortByCountStage: StageParser = (spec, context) => {
  const group = groupStage({ _id: spec, count: { $sum: new Int32(1) } }, context);
  const sort = sortStage({ count: new Int32(-1) }, context);
  return stage('$sortByCount', spec, (input) => sort.run(group.run(input)));
};
