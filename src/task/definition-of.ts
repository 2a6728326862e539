/** Finds the definition behind anything that is a task. */

import { shown } from '../check.js';
import { NotATaskError } from '../errors.js';
import { classDefinition } from './service-tasks.js';
import type { Class, TaskLike } from './task.js';
import { definition, type TaskDefinition } from './task-definition.js';

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
  const hint = task === undefined ? '; it is undefined, as in an import cycle' : '';
  throw new NotATaskError(
    `${shown(task)} is not a task: pass \`tasks(Class).method\`, a function made with \`task(name, fn)\`, or a class with \`@Task()\` and \`run\`${hint}`,
  );
}
