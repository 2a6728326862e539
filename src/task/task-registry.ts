/** The tasks that a process can run, by name. */

import { isClass, shown } from '../check.js';
import { isMillraceError } from '../errors.js';
import type { JobKind } from '../job/job-record.js';
import { FIRST_VERSION, taskVersionOf } from '../job/task-version.js';
import { definitionOf } from './definition-of.js';
import { definitionsOf, serviceBehind } from './service-tasks.js';
import type { Class, TaskLike } from './task.js';
import type { TaskDefinition } from './task-definition.js';

/** The names of jobs that run no task. */
const RESERVED: ReadonlySet<string> = new Set(['serial', 'parallel', 'choice'] satisfies JobKind[]);

export class TaskRegistry {
  readonly #byName = new Map<string, TaskDefinition>();
  readonly #services = new Map<Class, Set<string>>();
  readonly #problems: string[] = [];

  /** @param entries - service classes, classes that are tasks, and function tasks */
  constructor(entries: readonly (TaskLike | Class)[]) {
    entries.forEach((entry, index) => {
      this.#add(entry, `tasks[${index}]`);
    });
  }

  /** All problems of the tasks; no task may run while there is one. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  /** The classes whose instances have to be resolved, and those of their methods that are tasks. */
  get services(): ReadonlyMap<Class, ReadonlySet<string>> {
    return this.#services;
  }

  /** All names under which jobs may be stored, old ones too. */
  get names(): ReadonlySet<string> {
    return new Set(this.#byName.keys());
  }

  get tasks(): readonly TaskDefinition[] {
    return [...new Set(this.#byName.values())];
  }

  /** The versions of a task, under the name of stored jobs, that can be run. */
  taskVersionsOf(name: string): readonly string[] {
    const task = this.#byName.get(name);
    if (task === undefined) return [];
    const { oldest, version } = task.options.upcast ?? { oldest: FIRST_VERSION, version: FIRST_VERSION };
    return Array.from({ length: version - oldest + 1 }, (_, index) => taskVersionOf({ taskName: name, version: oldest + index }));
  }

  get(name: string): TaskDefinition | undefined {
    return this.#byName.get(name);
  }

  #add(entry: TaskLike | Class, path: string): void {
    const service = serviceBehind(entry);
    if (service !== undefined)
      return void this.#problems.push(
        `\`${path}\` is ${shown(entry)}, not the class that has the tasks: register \`${service.name}\` itself`,
      );
    try {
      const found = isClass(entry) ? definitionsOf(entry) : [definitionOf(entry as TaskLike)];
      if (found.length === 0) this.#problems.push(`\`${path}\`: ${shown(entry)} has no method with \`@Task()\``);
      for (const one of found) this.#register(one, path);
    } catch (error) {
      if (!isMillraceError(error)) throw error;
      this.#problems.push(`\`${path}\`: ${error.message}`);
    }
  }

  #register(task: TaskDefinition, path: string): void {
    const reserved = [task.name, ...task.options.aliases].find((name) => RESERVED.has(name));
    if (reserved !== undefined)
      this.#problems.push(`\`${path}\`: the name \`${reserved}\` is that of a kind of batch or callback; give the task another \`name\``);
    for (const name of [task.name, ...task.options.aliases]) {
      const other = this.#byName.get(name);
      if (other === undefined) this.#byName.set(name, task);
      else if (!isSame(other, task))
        this.#problems.push(
          `\`${path}\`: the name \`${name}\` is used by two tasks, ${codeOf(other)} and ${codeOf(task)}; ${remedy(other, task)}`,
        );
    }
    if ('service' in task.code) {
      const { service, method } = task.code;
      this.#services.set(service, (this.#services.get(service) ?? new Set()).add(method));
    }
  }
}

function isSame(one: TaskDefinition, other: TaskDefinition): boolean {
  if ('fn' in one.code) return 'fn' in other.code && one.code.fn === other.code.fn;
  return 'service' in other.code && one.code.service === other.code.service && one.code.method === other.code.method;
}

function codeOf({ code }: TaskDefinition): string {
  return 'fn' in code ? `the function ${code.fn.name || '(anonymous)'}` : `${code.service.name}.${code.method}`;
}

function remedy(one: TaskDefinition, other: TaskDefinition): string {
  const inherits =
    'service' in one.code &&
    'service' in other.code &&
    (isBelow(one.code.service, other.code.service) || isBelow(other.code.service, one.code.service));
  return inherits
    ? 'a `name` is inherited with its method, so register only one of the two classes, or override the method with a name of its own'
    : 'give one of them another `name`';
}

function isBelow(child: Class, parent: Class): boolean {
  return child.prototype instanceof (parent as unknown as new () => object);
}
