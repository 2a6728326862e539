/** Updates of jobs: new values for their fields; only a transition writes the status, as a move of the table. */

import { checkMove, MOVES, type MoveName, type Status, type Target } from '../../../job/job-status.js';
import { type Expression, type Fields, literal } from '../driver/expression.js';
import type { JobPipeline } from '../schema/collections.js';
import type { JobDocument } from '../schema/documents.js';
import type { Where } from '../schema/timed-collection.js';

/** A value that the server computes, such as its time; all other values are written as they are. */
export class ServerExpression {
  constructor(readonly expression: Expression) {}
}

/** New values for fields of a document; `undefined` removes one. */
export type Written<D> = { readonly [K in keyof D]?: D[K] | ServerExpression | undefined };

/** New values for fields of a job. */
export type JobUpdate = Omit<Written<JobDocument>, '_id' | 'status'> & { readonly status?: never };

/** A status that the server chooses for each job, and all that it may be. */
export interface StatusChoice<S extends Status> {
  readonly among: readonly S[];
  readonly expression: Expression;
}

/** The write of a move: the status to which it leads, and the fields that go with that. */
export interface MoveEffect<S extends Status> {
  readonly to: S | StatusChoice<S>;
  readonly set: JobUpdate;
}

interface MoveWrite<S extends Status> extends MoveEffect<S> {
  readonly where: Where<JobDocument> & { readonly status?: never };
  /** @default all that the table has */
  readonly from?: readonly [Status, ...Status[]];
}

/** The first two arguments of a command that makes a move. */
export type Transition = readonly [filter: Where<JobDocument>, update: JobPipeline];

/**
 * Makes moves: the filter has the statuses from which the table lets them lead, the update the one to which they lead.
 * @param moves - those of which each job makes one
 * @throws Error if the table has no such move: a defect of the store that asks
 */
export function transition<M extends MoveName>(moves: M | readonly M[], { to, set, where, from }: MoveWrite<Target<M>>): Transition {
  const names: readonly MoveName[] = typeof moves === 'string' ? [moves] : moves;
  const starts = from ?? names.flatMap((name): readonly Status[] => MOVES[name].from);
  const { among, expression } = choiceOf(to);
  for (const start of starts) for (const end of new Set(among)) checkMove(names, start, end);
  return [{ ...where, status: statusIn(starts) }, pipelineOf({ ...set, status: new ServerExpression(expression) })];
}

/** An update that is not a move. */
export function updateOf(written: JobUpdate): JobPipeline {
  return pipelineOf(written);
}

/** As the fields of a `$set` in a pipeline: no value of ours is taken for an expression. */
export function asSetStage<D extends object>(written: Written<D>): Fields {
  return Object.fromEntries(Object.entries(written).map(([key, value]) => [key, asExpression(value)]));
}

/** One of two statuses, or of those that others choose among. */
export function either<S extends Status, T extends Status>(
  test: Expression,
  then: S | StatusChoice<S>,
  otherwise: T | StatusChoice<T>,
): StatusChoice<S | T> {
  const [one, other] = [choiceOf(then), choiceOf(otherwise)];
  return { among: [...one.among, ...other.among], expression: { $cond: [test, one.expression, other.expression] } };
}

/** Finds jobs that have one of these statuses; a single one as it is, since partial indexes ask for it. */
export function statusIn(statuses: readonly Status[]): Status | { readonly $in: Status[] } {
  const [first, ...others] = statuses;
  return first !== undefined && others.length === 0 ? first : { $in: [...statuses] };
}

function choiceOf<S extends Status>(to: S | StatusChoice<S>): StatusChoice<S> {
  return typeof to === 'string' ? { among: [to], expression: to } : to;
}

function pipelineOf(written: Written<JobDocument>): JobPipeline {
  return [{ $set: asSetStage<JobDocument>(written) }] as readonly unknown[] as JobPipeline;
}

function asExpression(value: unknown): Expression {
  if (value === undefined) return '$$REMOVE';
  return value instanceof ServerExpression ? value.expression : literal(value);
}
