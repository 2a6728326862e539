/** The jobs to queue, drawn from a seed, and their expected outcomes. */

import { type Draft, makeJob, type Outcome, parallel, serial } from '../../src/index.js';
import type { CrashTasks } from './crash-tasks.js';

export interface Planned {
  readonly draft: Draft<unknown>;
  readonly expected: string;
  /** How its jobs must end, itself included: `task status`, once for each. */
  readonly ends: readonly string[];
}

/** An outcome in words; for a batch, the results of its steps. */
export function seen(outcome: Outcome<unknown>): string {
  if (outcome.status === 'failed') return `failed ${outcome.error.message}`;
  if (outcome.status === 'cancelled') return 'cancelled';
  const { result } = outcome;
  return `completed ${Array.isArray(result) ? result.map((step) => step.result).join(' ') : result}`;
}

/** Jobs to be queued until there are `count`, counted with all below them. */
export function drawPlan(tasks: CrashTasks, random: () => number, count: number): readonly Planned[] {
  const plan: Planned[] = [];
  for (let jobs = 0; jobs < count; jobs += plan.at(-1)?.ends.length ?? 0) plan.push(draw(tasks, random, jobs));
  return plan;
}

function draw(tasks: CrashTasks, random: () => number, n: number): Planned {
  const ms = (): number => Math.floor(random() * 40);
  const double = (value: number): Draft<number> => makeJob(tasks.double, value, ms());
  const doubled = (times: number): readonly string[] => Array<string>(times).fill('double completed');
  switch (Math.floor(random() * 10)) {
    case 0:
      return { draft: makeJob(tasks.alone, n, ms()), expected: `completed ${n + 1}`, ends: ['alone completed'] };
    case 1:
      return { draft: makeJob(tasks.pooled, n, ms()), expected: `completed ${n + 2}`, ends: ['pooled completed'] };
    case 2:
      return { draft: makeJob(tasks.greedy, n, ms()), expected: `completed ${n + 3}`, ends: ['greedy completed'] };
    case 3:
      return {
        draft: makeJob(tasks.fails, n, ms()).withCallbacks({ failure: tasks.messageOf }),
        expected: `failed no ${n}`,
        ends: ['fails failed', 'messageOf completed'],
      };
    case 4:
      return {
        draft: double(n).withCallbacks({ success: tasks.told }).withCallback(tasks.statusOf),
        expected: `completed ${n * 2}`,
        ends: [...doubled(1), 'told completed', 'statusOf completed'],
      };
    case 5:
      return {
        draft: serial(double(n), makeJob(tasks.alone, n, ms()), double(n + 1)).with({ quotas: [] }),
        expected: `completed ${n * 2} ${n + 1} ${n * 2 + 2}`,
        ends: ['serial completed', ...doubled(2), 'alone completed'],
      };
    case 6:
      // Holds the quota of 1 from its first step to its last.
      return { draft: serial(double(n), double(1)), expected: `completed ${n * 2} 2`, ends: ['serial completed', ...doubled(2)] };
    case 7:
      return {
        draft: parallel(double(n), double(1), double(2))
          .with({ quotas: ['pool'] })
          .postprocess(tasks.total),
        expected: `completed ${n * 2 + 6}`,
        ends: ['parallel completed', ...doubled(3), 'total completed'],
      };
    case 8:
      return { draft: makeJob(tasks.follows, n, ms()), expected: `completed ${n + 1_000_000}`, ends: ['follows completed'] };
    default:
      return { draft: double(n), expected: `completed ${n * 2}`, ends: doubled(1) };
  }
}
