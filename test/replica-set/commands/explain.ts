/** `explain`: the plan of a reading or writing command, run without effect for its counters. */

import { explainAggregation } from '../pipeline/explain-aggregation.js';
import { planQuery, querySort } from '../planning/choose-plan.js';
import { explainPlan } from '../planning/explain-plan.js';
import { nothing } from '../planning/nodes/passing.js';
import { type PlanNode, planNode } from '../planning/nodes/plan-node.js';
import type { Query } from '../planning/query.js';
import { ServerError } from '../server-error.js';
import { WriteUnit } from '../transactions/write-unit.js';
import { wholeNumber } from '../values/numbers.js';
import { type Doc, isArray, isDoc } from '../values/value.js';
import { planned } from './aggregate.js';
import type { Call, Command } from './command.js';
import { parseDelete } from './delete.js';
import { deleteVariables } from './delete-variables.js';
import { planDistinct } from './distinct-plan.js';
import { collectionName, optionalArray, optionalBoolean, optionalDoc, requiredDoc, requiredDocs } from './fields.js';
import { planCount, planFind } from './find.js';
import { parseModification } from './modification.js';
import { filterQuery, hintOf, sourceOf, variablesOf } from './reading.js';
import { VERSION } from './server-commands.js';
import { parseStatement } from './update.js';

const VERBOSITIES = ['queryPlanner', 'executionStats', 'allPlansExecution'];

export const explain: Command = {
  kind: 'read',
  options: ['verbosity'],
  run: (call) => {
    const inner = requiredDoc(call.body, 'explain');
    const verbosity = call.body['verbosity'] ?? 'allPlansExecution';
    if (typeof verbosity !== 'string' || !VERBOSITIES.includes(verbosity)) {
      throw new ServerError('BadValue', `Enumeration value '${String(verbosity)}' for field 'explain.verbosity' is not a valid value.`);
    }
    const [name = ''] = Object.keys(inner);
    const withStats = verbosity !== 'queryPlanner';
    const explained = explainCommand({ ...call, name, body: { ...inner, $db: call.database } }, withStats);
    return { explainVersion: '1', ...explained, command: inner, serverInfo: { host: '127.0.0.1', version: VERSION } };
  },
};

function explainCommand(call: Call, withStats: boolean): Doc {
  if (call.name === 'aggregate') return explainAggregate(call, withStats);
  const { plan, filter } = planOf(call);
  if (withStats) exhaust(plan.rows());
  return explainPlan(plan, { filter, withStats, namespace: `${call.database}.${collectionName(call)}` });
}

function exhaust(rows: Iterable<unknown>): void {
  for (const _ of rows);
}

interface Explained {
  readonly plan: PlanNode;
  readonly filter: Doc;
}

function planOf(call: Call): Explained {
  const { body } = call;
  switch (call.name) {
    case 'find':
      return { plan: planFind(call), filter: optionalDoc(body, 'filter') ?? {} };
    case 'count':
      return { plan: counting(planCount(call)), filter: optionalDoc(body, 'query') ?? {} };
    case 'distinct':
      return { plan: planDistinct(call).plan, filter: optionalDoc(body, 'query') ?? {} };
    case 'update':
      return explainUpdate(call);
    case 'delete':
      return explainDelete(call);
    case 'findAndModify':
      return explainFindAndModify(call);
    default:
      throw new ServerError('CommandNotFound', `Explain failed due to unknown command: ${call.name}`);
  }
}

function explainAggregate(call: Call, withStats: boolean): Doc {
  const aggregation = planned(call);
  if (withStats) exhaust(aggregation.run());
  const namespace = `${call.database}.${collectionName(call)}`;
  if (aggregation.stages.length === 0) return explainPlan(aggregation.plan, { filter: aggregation.filter, withStats, namespace });
  return { stages: explainAggregation(aggregation, withStats) };
}

function counting(input: PlanNode): PlanNode {
  return planNode({
    stage: 'COUNT',
    inputs: [input],
    rows: () => {
      exhaust(input.rows());
      return nothing().rows();
    },
  });
}

/** A writing stage that counts what it would write. */
function wouldWrite(stage: string, input: PlanNode, { field, isMulti }: { field: string; isMulti: boolean }): PlanNode {
  let would = 0;
  return planNode({
    stage,
    inputs: [input],
    describe: () => ({ [field]: wholeNumber(would) }),
    rows: () => {
      for (const _ of input.rows()) {
        would++;
        if (!isMulti) break;
      }
      return nothing().rows();
    },
  });
}

function explainUpdate(call: Call): Explained {
  const [first = {}] = requiredDocs(call.body, 'updates');
  const statement = parseStatement(first);
  const { query } = parseModification(call, new WriteUnit(call.server, undefined), statement);
  const plan = planQuery(sourceOf(call, collectionName(call)), query);
  return { plan: wouldWrite('UPDATE', plan, { field: 'nWouldModify', isMulti: statement.isMulti }), filter: statement.filter };
}

function explainDelete(call: Call): Explained {
  const [first = {}] = requiredDocs(call.body, 'deletes');
  const { filter, isMulti, hint } = parseDelete(first);
  const plan = planQuery(sourceOf(call, collectionName(call)), filterQuery(filter, deleteVariables(call), hint));
  return { plan: wouldWrite('DELETE', plan, { field: 'nWouldDelete', isMulti }), filter };
}

function explainFindAndModify(call: Call): Explained {
  const { body } = call;
  const filter = optionalDoc(body, 'query') ?? {};
  const sort = optionalDoc(body, 'sort');
  const isUpsert = optionalBoolean(body, 'upsert') ?? false;
  const source = sourceOf(call, collectionName(call));
  const base: Query = { ...filterQuery(filter, variablesOf(call), body['hint']), sort: sort === undefined ? undefined : querySort(sort) };
  const change = body['update'];
  if (change !== undefined) {
    parseModification(call, new WriteUnit(call.server, undefined), {
      filter,
      change,
      isUpsert,
      hint: hintOf(body['hint']),
      arrayFilters: optionalArray(body, 'arrayFilters') ?? [],
    });
  }
  const isChange = isArray(change) || isDoc(change);
  return {
    plan: wouldWrite(isChange ? 'UPDATE' : 'DELETE', planQuery(source, base), {
      field: isChange ? 'nWouldModify' : 'nWouldDelete',
      isMulti: false,
    }),
    filter,
  };
}
