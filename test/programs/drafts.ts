/** Turns the parts of a program into drafts and callbacks. */

import {
  type Callback,
  type Callbacks as CallbackOptions,
  callback,
  type Draft,
  type FunctionTask,
  fixedDelay,
  type Job,
  makeJob,
  parallel,
  serial,
} from '../../src/index.js';
import type { Batch, Call, Callbacks, Part } from './program.js';

/** Is given something of the job that it belongs to, and the name of the part that it is to play. */
export type Player = FunctionTask<(value: unknown, name: string) => Promise<unknown>>;

export type Players = Readonly<Record<Call['task'], Player>>;

export class Drafts {
  constructor(private readonly players: Players) {}

  of(part: Part): Draft<unknown> {
    const draft = part.kind === 'call' ? makeJob(this.players[part.task], undefined, part.name) : this.#batch(part);
    return part.callbacks.reduce((before, callbacks) => this.#withCallbacks(before, callbacks), draft.with(optionsOf(part)));
  }

  async addTo(job: Job<unknown>, callbacks: Callbacks): Promise<Job<unknown>> {
    return 'both' in callbacks ? job.addCallback(this.#called(callbacks.both)) : job.addCallbacks(this.#sides(callbacks));
  }

  #batch(batch: Batch): Draft<unknown> {
    const steps = batch.steps.map((step) => this.of(step));
    const draft = (batch.kind === 'serial' ? serial : parallel)(...steps).with({ onFailure: batch.onFailure });
    return batch.postprocess === undefined ? draft : draft.postprocess(this.#callback(batch.postprocess));
  }

  #withCallbacks(draft: Draft<unknown>, callbacks: Callbacks): Draft<unknown> {
    return 'both' in callbacks ? draft.withCallback(this.#called(callbacks.both)) : draft.withCallbacks(this.#sides(callbacks));
  }

  #sides({ success, failure }: { readonly success: Part | undefined; readonly failure: Part | undefined }): CallbackOptions<unknown> {
    return {
      ...(success === undefined ? {} : { success: this.#called(success) }),
      ...(failure === undefined ? {} : { failure: this.#called(failure) }),
    };
  }

  #called(part: Part): Callback<unknown, unknown> | Draft<unknown> {
    return part.kind === 'call' && part.input !== 'none' ? this.#callback(part) : this.of(part);
  }

  #callback(call: Call): Callback<unknown, unknown> {
    return callback(this.players[call.task], call.name).with(optionsOf(call));
  }
}

function optionsOf(part: Part) {
  const { name, queue, priority, delayMs, quotas } = part;
  const retry =
    part.kind === 'call' && part.attempts > 1 ? { retry: fixedDelay({ attempts: part.attempts, delayMs: part.retryDelayMs }) } : {};
  return { name, queue, priority, delayMs, quotas, ...retry };
}
