/** The stage that code runs in. One storage serves all services: every promise of a process carries each storage that was ever used. */

import { AsyncLocalStorage } from 'node:async_hooks';
import type { StagedJobs } from './staged-jobs.js';

/** A transaction of one service may run within that of another; each finds its own. */
interface Around {
  readonly owner: object;
  readonly stage: StagedJobs;
  readonly outer: Around | undefined;
}

const stages = new AsyncLocalStorage<Around>();

/** @returns the innermost stage of this owner that the code runs in */
export function stageAround(owner: object): StagedJobs | undefined {
  let around = stages.getStore();
  while (around !== undefined && around.owner !== owner) around = around.outer;
  return around?.stage;
}

/** Runs code in a stage; it follows the code through promises, timers and streams. */
export function runIn<T>(stage: StagedJobs, owner: object, fn: () => T): T {
  return stages.run({ owner, stage, outer: stages.getStore() }, fn);
}
