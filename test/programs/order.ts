/** Looks whether the runs of a program came in its order: serial steps one after another, callbacks after their job. */

import { grouped, type Run } from './journal.js';
import type { Ending } from './model.js';
import { type Part, type Program, sidesOf } from './program.js';

/** From the first moment of something to its last. */
type Span = readonly [from: number, to: number];

export interface Course {
  readonly runs: readonly Run[];
  readonly endings: ReadonlyMap<string, Ending>;
}

/** @returns what ran too early, a line each */
export function outOfOrder(program: Program, course: Course): readonly string[] {
  const order = new Order(program, course);
  for (const root of program.roots) order.span(root);
  return order.complaints;
}

class Order {
  readonly complaints: string[] = [];
  readonly #runs: ReadonlyMap<string, readonly Run[]>;

  constructor(
    private readonly program: Program,
    private readonly course: Course,
  ) {
    this.#runs = grouped(course.runs, ({ call }) => call.name);
  }

  span(part: Part): Span | undefined {
    const stages = this.#stages(part).map((stage) => union(stage.map((one) => (one === part ? this.#own(part) : this.span(one)))));
    const spans = stages.filter((stage) => stage !== undefined);
    spans.reduce<Span | undefined>((before, span) => {
      if (before !== undefined && span[0] < before[1]) this.complaints.push(`${part.name} has something run before its turn`);
      return span;
    }, undefined);
    return union(spans);
  }

  /** The stages that follow each other; the part itself stands for its own runs. */
  #stages(part: Part): readonly (readonly Part[])[] {
    const isCancelled = this.course.endings.get(part.name)?.status === 'cancelled';
    // A cancelled part may end before its callbacks, if it had not begun, and before the job that it had returned.
    const callbacks = isCancelled ? [] : [part.callbacks.flatMap(sidesOf)];
    if (part.kind === 'call') return [[part], ...(isCancelled ? [] : [this.#returned(part.returns?.part)]), ...callbacks];
    const steps = part.kind === 'serial' ? part.steps.map((step) => [step]) : [part.steps];
    return [...steps, part.postprocess === undefined ? [] : [part.postprocess], ...callbacks];
  }

  /** A job that was returned by a process that died may run as well, at any time. */
  #returned(part: Part | undefined): readonly Part[] {
    return part === undefined || this.program.death !== undefined ? [] : [part];
  }

  #own({ name }: Part): Span | undefined {
    return union((this.#runs.get(name) ?? []).map(({ began, ended = Number.POSITIVE_INFINITY }) => [began, ended]));
  }
}

function union(spans: readonly (Span | undefined)[]): Span | undefined {
  const some = spans.filter((span) => span !== undefined);
  if (some.length === 0) return undefined;
  return [Math.min(...some.map(([from]) => from)), Math.max(...some.map(([, to]) => to))];
}
