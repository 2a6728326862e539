/** Which jobs are below which: the steps of batches and the callbacks of jobs. */

import type { JobRecord } from '../../job/job-record.js';
import { isFinal } from '../../job/job-status.js';

/** The jobs below one job. */
export interface Children {
  /** In declared order. */
  readonly steps: string[];
  postprocess?: string;
  readonly callbacks: string[];
  /** All steps before this one have ended. */
  firstOpen: number;
  openCallbacks: number;
  /** The first in order of the steps that failed, and how many did. */
  failedStep?: { readonly id: string; readonly index: number };
  failedSteps: number;
  /** The steps that were left have been cancelled, which is done once. */
  areStepsCancelled: boolean;
}

export class FamilyIndex {
  readonly #below = new Map<string, Children>();

  constructor(private readonly find: (id: string) => JobRecord | undefined) {}

  /** Notes a job under its parent. */
  add({ job }: JobRecord): void {
    if (job.parent === undefined) return;
    const below = this.#below.get(job.parent) ?? nobody();
    this.#below.set(job.parent, below);
    if (job.role === 'step') below.steps.push(job.id);
    else if (job.role === 'postprocess') below.postprocess = job.id;
    else {
      below.callbacks.push(job.id);
      below.openCallbacks++;
    }
  }

  of(id: string): Children {
    return this.#below.get(id) ?? NOBODY;
  }

  /** Notes that a job has ended for good. */
  ended({ job, state }: JobRecord): void {
    const below = job.parent === undefined ? undefined : this.#below.get(job.parent);
    if (below === undefined) return;
    if (job.role === 'callback') below.openCallbacks--;
    else if (job.role === 'step' && state.status === 'failed') {
      const index = job.position ?? 0;
      below.failedSteps++;
      if (below.failedStep === undefined || index < below.failedStep.index) below.failedStep = { id: job.id, index };
    }
  }

  /** The first step that has not ended. */
  firstOpenStep(below: Children): JobRecord | undefined {
    for (; below.firstOpen < below.steps.length; below.firstOpen++) {
      const step = this.find(below.steps[below.firstOpen] ?? '');
      if (step !== undefined && !isFinal(step.state.status)) return step;
    }
    return undefined;
  }

  /** Whether a job waits for any that are below it. */
  hasOpen(id: string): boolean {
    const below = this.of(id);
    if (below.openCallbacks > 0 || this.firstOpenStep(below) !== undefined) return true;
    const postprocess = this.find(below.postprocess ?? '');
    return postprocess !== undefined && !isFinal(postprocess.state.status);
  }

  childrenOf(id: string): readonly string[] {
    const { steps, postprocess, callbacks } = this.of(id);
    return [...steps, ...(postprocess === undefined ? [] : [postprocess]), ...callbacks];
  }

  /** Everything below a job, then the job itself. */
  tree(id: string): readonly string[] {
    const found = [id];
    for (let next = 0; next < found.length; next++) {
      for (const child of this.childrenOf(found[next] ?? '')) found.push(child);
    }
    return found.reverse();
  }

  forget(id: string): void {
    this.#below.delete(id);
  }
}

/** Below a job without children. */
const NOBODY: Children = nobody();

function nobody(): Children {
  return { steps: [], callbacks: [], firstOpen: 0, openCallbacks: 0, failedSteps: 0, areStepsCancelled: false };
}
