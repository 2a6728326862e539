/** Which jobs each agent of a dispatcher accepts: the versions of its tasks that this process can run. */

import { OptionError } from '../errors.js';
import { taskNameIn } from '../job/task-version.js';
import type { AgentInfo } from '../store/store-insight.js';
import type { ClaimRequest } from '../store/store-messages.js';
import { namesOf } from '../task/definition-of.js';
import type { TaskRegistry } from '../task/task-registry.js';
import type { CheckedAgentOptions } from './dispatcher-options.js';

export type Agent = CheckedAgentOptions & Required<Pick<ClaimRequest, 'taskVersions' | 'transactional'>>;

/** @throws NotATaskError, OptionError for agents that accept a task which this process does not have */
export function openAgents(agents: readonly CheckedAgentOptions[], registry: TaskRegistry): readonly Agent[] {
  return agents.map((agent, index) => {
    const taskVersions = new Set([...acceptedTasks(agent, index, registry)].flatMap((name) => registry.taskVersionsOf(name)));
    return { ...agent, taskVersions, transactional: transactionalAmong(taskVersions, registry) };
  });
}

/** An agent as other processes see it. */
export function infoOf({ queue, taskVersions, concurrency }: Agent): AgentInfo {
  return { queue, taskVersions: [...taskVersions], concurrency };
}

function transactionalAmong(taskVersions: ReadonlySet<string>, registry: TaskRegistry): ReadonlySet<string> {
  return new Set([...taskVersions].filter((taskVersion) => registry.get(taskNameIn(taskVersion))?.options.transactional === true));
}

/** The names of the tasks that an agent accepts. */
function acceptedTasks({ accepts }: CheckedAgentOptions, index: number, registry: TaskRegistry): ReadonlySet<string> {
  const { names } = registry;
  if (typeof accepts === 'function') return new Set([...names].filter((name) => accepts(name)));
  for (const task of accepts) {
    const unknown = namesOf(task).find((name) => !names.has(name));
    if (unknown !== undefined) throw new OptionError(`\`dispatcher.agents[${index}].accepts\` has ${unknown}, which is not in \`tasks\``);
  }
  return new Set(accepts.flatMap(namesOf));
}
