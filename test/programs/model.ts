/** The meaning of a program: computed from its drafts alone, one part after another, without a store, a queue or time. */

import type { Batch, Call, Callbacks, Part, Program } from './program.js';

/** How a job ended, in words: its result, its error, or the reason for which it was cancelled. */
export interface Ending {
  readonly status: 'completed' | 'failed' | 'cancelled';
  readonly value: string;
}

export interface Expected {
  readonly ending: Ending;
  /** The input of its runs. */
  readonly input: string;
  /** How often it runs; of what was cancelled, at most. */
  readonly runs: number;
}

/** Facts that the model cannot know: which of the jobs that may be cancelled were cancelled in time. */
export interface Facts {
  /** How a job ended; `undefined` where there is none of the name. */
  readonly seen: (name: string) => Ending | undefined;
}

export const NO_INPUT = 'undefined';
const NO_REASON = 'undefined';
const STOPPED = 'step-failed';

export function expectedOf(program: Program, facts: Facts): ReadonlyMap<string, Expected> {
  const model = new Model(program, facts);
  const endings = new Map(program.roots.map((root) => [root.name, model.part(root, NO_INPUT, [])]));
  for (const incident of program.incidents) {
    const ending = endings.get(incident.name);
    if (incident.type === 'add' && ending !== undefined) incident.chain.reduce((value, link) => model.callback(link, value), ending);
  }
  return model.expected;
}

export function reasonFor(name: string): string {
  return `${name} is not needed`;
}

export function shown({ status, value }: Ending): string {
  return `${status} ${value}`;
}

class Model {
  readonly expected = new Map<string, Expected>();
  readonly #asked: ReadonlySet<string>;

  constructor(
    program: Program,
    private readonly facts: Facts,
  ) {
    this.#asked = new Set(program.incidents.filter(({ type }) => type === 'cancel').map(({ name }) => name));
  }

  /** @param reasons - for which it may have been cancelled, besides its own */
  part(part: Part, input: string, reasons: readonly string[]): Ending {
    const seen = this.facts.seen(part.name);
    const cancelled = seen?.status === 'cancelled' && this.#reasons(part, reasons).includes(seen.value) ? seen : undefined;
    const natural = part.kind === 'call' ? this.#call(part, input, cancelled) : this.#batch(part, cancelled);
    const runs = part.kind === 'call' ? Math.min(part.failures + 1, part.attempts) : 0;
    return this.#ended(part, cancelled ?? natural, { input, runs });
  }

  callback(callbacks: Callbacks, ending: Ending): Ending {
    if ('both' in callbacks) return this.#called(callbacks.both, ending);
    const side = { completed: callbacks.success, failed: callbacks.failure, cancelled: undefined }[ending.status];
    return side === undefined ? ending : this.#called(side, ending);
  }

  #called(part: Part, ending: Ending): Ending {
    const input = part.kind === 'call' ? inputOf(part, ending) : NO_INPUT;
    return this.part(part, input, []);
  }

  #call({ name, failures, attempts, returns }: Call, input: string, cancelled: Ending | undefined): Ending {
    if (failures >= attempts) return { status: 'failed', value: `${name} fails` };
    if (returns === undefined) return { status: 'completed', value: `${name}(${input})` };
    if (cancelled !== undefined && this.facts.seen(returns.part.name) === undefined) return cancelled;
    return this.part(returns.part, NO_INPUT, returns.as === 'draft' && cancelled !== undefined ? [cancelled.value] : []);
  }

  #batch(batch: Batch, cancelled: Ending | undefined): Ending {
    const own = cancelled === undefined ? [] : [cancelled.value];
    const endings = batch.kind === 'serial' ? this.#serial(batch, own) : this.#parallel(batch, own);
    const failed = endings.filter(({ status }) => status === 'failed');
    const { steps, postprocess, onFailure } = batch;
    if (onFailure === 'fail' && failed.length > 0) {
      if (postprocess !== undefined) this.#skipped(postprocess, [NO_REASON, ...own]);
      return { status: 'failed', value: `${failed.length} of ${steps.length} failed: ${failed[0]?.value}` };
    }
    if (postprocess === undefined) return { status: 'completed', value: `[${steps.map(({ name }) => name).join()}]` };
    const children = steps.map(({ name }, index) => `${name} ${endings[index]?.status}`);
    return this.part(postprocess, `[${children.join()}]`, own);
  }

  #serial({ steps, onFailure }: Batch, own: readonly string[]): readonly Ending[] {
    const endings: Ending[] = [];
    for (const step of steps) {
      const hasStopped = onFailure === 'stop' && endings.some(({ status }) => status === 'failed');
      const isCancelled = endings.some(({ status, value }) => status === 'cancelled' && own.includes(value));
      const reasons = hasStopped ? [STOPPED, ...own] : own;
      endings.push(hasStopped || isCancelled ? this.#skipped(step, reasons) : this.part(step, NO_INPUT, reasons));
    }
    return endings;
  }

  #parallel({ steps, onFailure }: Batch, own: readonly string[]): readonly Ending[] {
    const mayStop = onFailure === 'stop' && steps.some(({ name }) => this.facts.seen(name)?.status === 'failed');
    return steps.map((step) => this.part(step, NO_INPUT, mayStop ? [STOPPED, ...own] : own));
  }

  /** A part that is cancelled before its turn, with everything in it. */
  #skipped(part: Part, reasons: readonly string[]): Ending {
    const all = this.#reasons(part, reasons);
    const seen = this.facts.seen(part.name)?.value ?? '';
    const ending: Ending = { status: 'cancelled', value: all.includes(seen) ? seen : all.join(' or ') };
    if (part.kind !== 'call') for (const step of [...part.steps, part.postprocess]) if (step !== undefined) this.#skipped(step, all);
    return this.#ended(part, ending, { input: NO_INPUT, runs: 0 });
  }

  #reasons({ name }: Part, reasons: readonly string[]): readonly string[] {
    return this.#asked.has(name) ? [reasonFor(name), ...reasons] : reasons;
  }

  #ended(part: Part, ending: Ending, { input, runs }: Pick<Expected, 'input' | 'runs'>): Ending {
    this.expected.set(part.name, { ending, input, runs });
    for (const callbacks of part.callbacks) this.callback(callbacks, ending);
    return ending;
  }
}

function inputOf({ input }: Call, ending: Ending): string {
  if (input === 'none') return NO_INPUT;
  return input === 'outcome' ? shown(ending) : ending.value;
}
