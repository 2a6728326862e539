/** Finds the definition behind anything that is a task. */

import { types } from 'node:util';
import { isClass, shown } from '../check.js';
import { NotATaskError } from '../errors.js';
import { classDefinition, hasTasks, serviceBehind } from './service-tasks.js';
import type { Class, TaskLike } from './task.js';
import { definition, type TaskDefinition } from './task-definition.js';
import { CLASS, recordedOf } from './task-metadata.js';

/** The names under which jobs of a task may be stored, today's first. @throws NotATaskError */
export function namesOf(task: TaskLike): readonly string[] {
  const { name, options } = definitionOf(task);
  return [name, ...options.aliases];
}

/** @throws NotATaskError */
export function definitionOf(task: TaskLike): TaskDefinition {
  const isObject = typeof task === 'function' || (typeof task === 'object' && task !== null);
  const own = isObject ? (task as { readonly [definition]?: TaskDefinition })[definition] : undefined;
  const found = own ?? (typeof task === 'function' ? classDefinition(task as Class) : undefined);
  if (found !== undefined) return found;
  throw new NotATaskError(
    `${shown(task)} is not a task: pass \`tasks(Class).method\`, a function made with \`task(name, fn)\`, or a class with \`@Task()\` and \`run\`${hintFor(task)}`,
  );
}

function hintFor(given: unknown): string {
  if (given === undefined) return '; it is undefined, as in an import cycle, or for a name that the class does not have';
  if (types.isPromise(given)) return '; a call runs its method here and now: pass the task, then its arguments';
  const service = isClass(given) && hasTasks(given) ? given : serviceBehind(given);
  const [method] = service === undefined ? [] : Object.keys(recordedOf(service)).filter((name) => name !== CLASS);
  return method === undefined ? '' : `; such as \`tasks(${service?.name}).${method}\``;
}
