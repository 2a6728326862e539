/** The options of a dispatcher: its agents and its times. */

import { checkOption, checkOptions, is, type Rules } from '../check.js';
import type { TaskLike } from '../task/task.js';

/** A dispatcher's share of one queue. */
export interface AgentOptions {
  /** The queue it serves. @default '' */
  readonly queue?: string | undefined;
  /** How many jobs it runs at once. @default 10 */
  readonly concurrency?: number | undefined;
  /** The tasks that it accepts: these, or those whose name passes. @default all that the process has */
  readonly accepts?: readonly TaskLike[] | ((taskName: string) => boolean) | undefined;
}

export interface DispatcherOptions {
  /**
   * Its name in logs and for operators: a label, which other dispatchers may have as well.
   * @default the environment's MILLRACE_DISPATCHER_ID, else the host's name and the process's id
   */
  readonly name?: string | undefined;
  /** @default one agent for the queue '', with a concurrency of 10 */
  readonly agents?: readonly AgentOptions[] | undefined;
  /** Milliseconds that `stop` waits for running jobs before it aborts their signals. @default 10_000 */
  readonly stopMs?: number | undefined;
  /** Milliseconds after which others may take over the jobs of a dispatcher that gave no sign of life. @default 30_000 */
  readonly leaseMs?: number | undefined;
  /** Milliseconds between two signs of life while it has something to do. @default 5_000 */
  readonly heartbeatMs?: number | undefined;
  /** The same while it has nothing to do; not less than `heartbeatMs`. @default a third of `leaseMs` */
  readonly idleHeartbeatMs?: number | undefined;
  /** Milliseconds between two looks at the store that nothing asked for. @default 30_000 */
  readonly pollMs?: number | undefined;
}

export type CheckedAgentOptions = { readonly [K in keyof Required<AgentOptions>]: Exclude<AgentOptions[K], undefined> };
export type CheckedDispatcherOptions = { readonly [K in keyof Omit<Required<DispatcherOptions>, 'name' | 'agents'>]: number } & {
  /** `undefined` where none was given. */
  readonly name: string | undefined;
  readonly agents: readonly CheckedAgentOptions[];
};

export const AGENT_DEFAULTS = Object.freeze({
  queue: '',
  concurrency: 10,
  accepts: (_taskName: string): boolean => true,
} as const satisfies AgentOptions);
export const DISPATCHER_DEFAULTS = Object.freeze({
  agents: Object.freeze([{}]),
  stopMs: 10_000,
  leaseMs: 30_000,
  heartbeatMs: 5_000,
  pollMs: 30_000,
} as const satisfies DispatcherOptions);

/** How many signs of life an idle dispatcher gives within a lease. */
const IDLE_BEATS = 3;

function isFilled(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0;
}

const AGENT_RULES: Rules<AgentOptions> = {
  queue: is.labelOrEmpty,
  concurrency: is.count,
  accepts: is.either({ must: 'an array of at least one task', holds: isFilled }, is.callable),
};

const RULES: Rules<DispatcherOptions> = {
  name: is.label,
  agents: { must: 'an array of at least one agent (`dispatcher: false` is for a process that only queues)', holds: isFilled },
  stopMs: is.timerFromZeroMs,
  leaseMs: is.timerMs,
  heartbeatMs: is.timerMs,
  idleHeartbeatMs: is.timerMs,
  pollMs: is.timerMs,
};

/** @throws OptionError */
export function checkDispatcherOptions(options: DispatcherOptions): CheckedDispatcherOptions {
  checkOptions<DispatcherOptions>('`dispatcher`', options, RULES);
  const { name, agents = DISPATCHER_DEFAULTS.agents, idleHeartbeatMs, ...others } = filled(DISPATCHER_DEFAULTS, options);
  const times = { ...others, idleHeartbeatMs: idleHeartbeatMs ?? Math.max(others.heartbeatMs, others.leaseMs / IDLE_BEATS) };
  agents.forEach((agent, index) => {
    checkOptions<AgentOptions>(`\`dispatcher.agents[${index}]\``, agent, AGENT_RULES);
  });
  const inTime = { must: `less than \`leaseMs\` (${times.leaseMs})`, holds: (value: unknown) => Number(value) < times.leaseMs };
  checkOption('`dispatcher`', 'heartbeatMs', times.heartbeatMs, inTime);
  checkOption('`dispatcher`', 'idleHeartbeatMs', times.idleHeartbeatMs, inTime);
  return Object.freeze({ ...times, name, agents: agents.map((agent) => Object.freeze(filled(AGENT_DEFAULTS, agent))) });
}

/** Options over defaults, where `undefined` counts as absent. */
function filled<D extends object, O extends object>(defaults: D, options: O): D & { [K in keyof O]-?: Exclude<O[K], undefined> } {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(given) } as D & { [K in keyof O]-?: Exclude<O[K], undefined> };
}
