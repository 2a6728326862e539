/** A stage of an aggregation pipeline: documents in, documents out. */

import type { Environment } from '../expressions/scope.js';
import type { Source } from '../planning/nodes/plan-node.js';
import { ServerError } from '../server-error.js';
import { type Doc, isDoc, type Value } from '../values/value.js';

export interface Stage {
  readonly name: string;
  run(input: Iterable<Doc>): Iterable<Doc>;
  /** The stage's specification in explain. */
  explain(withStats: boolean): Value;
}

export interface PipelineContext {
  readonly env: Environment;
  readonly database: string;
  /** Undefined for a collection that does not exist. */
  source(collection: string): Source | undefined;
}

export type StageParser = (spec: Value, context: PipelineContext) => Stage;

/** Makes a stage whose explain is just what was asked for. */
export function stage(name: string, spec: Value, run: (input: Iterable<Doc>) => Iterable<Doc>): Stage {
  return { name, run, explain: () => spec };
}

/** Splits a stage specification into its name and argument. */
export function nameAndSpec(value: Value): [name: string, spec: Value] {
  const [entry, second] = isDoc(value) ? Object.entries(value) : [];
  if (entry === undefined || second !== undefined || entry[1] === undefined) {
    throw new ServerError(40323, 'A pipeline stage specification object must contain exactly one field.');
  }
  return [entry[0], entry[1]];
}
