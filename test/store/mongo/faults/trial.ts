/** One run of the scenario, with one fault or none. */

import { SIZES } from './bodies.js';
import { type Cell, planOf } from './cell.js';
import { Scenario } from './scenario.js';
import { Stage } from './stage.js';
import { verdict, verdictAfterStop } from './verdict.js';

export interface Trial {
  /** The problems, a line each. */
  readonly faults: readonly string[];
  /** The kinds of the commands that arrived. */
  readonly kinds: readonly string[];
  /** Whether the command came that was to be struck. */
  readonly hasStruck: boolean;
  /** The calls that failed with an error, and were repeated. */
  readonly refusals: readonly string[];
  /** At how many moments commands followed each other without end. */
  readonly restless: number;
}

export async function tryOut(cell?: Cell): Promise<Trial> {
  const stage = await Stage.open(planOf(cell));
  try {
    const scenario = new Scenario(stage);
    const [a, b] = await stage.start({ tasks: scenario.tasks, quotas: SIZES });
    if (a === undefined || b === undefined) throw new Error('two processes are needed');
    await stage.play(scenario.play(a, b), 'the scenario');
    const faults = await verdict(stage, scenario);
    const wasStruckBefore = stage.strike.hasStruck;
    await stage.stopServices();
    await stage.outlast();
    const { kinds, hasStruck } = stage.strike;
    // Other dispatchers take over the jobs that a stop could not give back, when the lease is over.
    const afterStop = wasStruckBefore ? await verdictAfterStop(stage) : [];
    const refusals = scenario.refused.map(({ name, error }) => `${name}: ${error}`);
    return { faults: [...faults, ...afterStop], kinds, hasStruck, refusals, restless: stage.restless };
  } finally {
    await stage.close();
  }
}
