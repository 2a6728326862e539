/** Pipelines: stages one after another. */

import { ServerError } from '../server-error.js';
import type { Doc, Value } from '../values/value.js';
import { nameAndSpec, type PipelineContext, type Stage } from './stage.js';
import { stageParser } from './stage-registry.js';

function parseStage(value: Value, context: PipelineContext): Stage {
  const [name, spec] = nameAndSpec(value);
  const parser = stageParser(name);
  if (name === '$changeStream') throw new ServerError(40602, '$changeStream is only valid as the first stage in a pipeline.');
  if (parser === undefined) throw new ServerError(40324, `Unrecognized pipeline stage name: '${name}'`);
  return parser(spec, context);
}

export function parseStages(pipeline: readonly Value[], context: PipelineContext): Stage[] {
  return pipeline.map((value) => parseStage(value, context));
}

/** A pipeline over given documents. */
export function runStages(pipeline: readonly Value[], context: PipelineContext): (input: Iterable<Doc>) => Iterable<Doc> {
  const stages = parseStages(pipeline, context);
  return (input) => stages.reduce<Iterable<Doc>>((so, { run }) => run(so), input);
}
