/** `task(name, fn)`: a plain function as a task, which can still be called as the function it is. */

import { checkOption, is, shown } from '../check.js';
import { NotATaskError } from '../errors.js';
import type { AnyFunction, FunctionTask } from './task.js';
import { definition, type TaskDefinition } from './task-definition.js';
import { checkTaskOptions, type TaskOptions } from './task-options.js';
import type { ArgumentsOf } from './upcast.js';

/** The options of a task that is a function `F`. */
export type FunctionTaskOptions<F extends AnyFunction, Old = { readonly version: number }> = Omit<
  TaskOptions<(...args: Parameters<F>) => string, Old>,
  'name'
>;

/**
 * Makes a task of a function.
 * @param name - stable: jobs are stored under it
 * @throws OptionError, NotATaskError
 * @example
 * const addNumbers = task('addNumbers', (x: number, y: number) => x + y);
 * addNumbers(40, 2);                          // 42, here and now
 * await async.queueJob(addNumbers, 40, 2);    // a Job<number>
 */
export function task<F extends AnyFunction>(name: string, fn: F): FunctionTask<F>;
export function task<F extends (...args: ArgumentsOf<Old>) => unknown, Old extends { readonly version: number } = never>(
  name: string,
  options: FunctionTaskOptions<F, Old>,
  fn: F,
): FunctionTask<F>;
export function task(name: string, ...rest: readonly unknown[]): unknown {
  const [options, fn] = rest.length > 1 ? rest : [{}, rest[0]];
  checkOption('`task`', 'name', name, is.label);
  if (typeof fn !== 'function') throw new NotATaskError(`\`task('${name}', …)\` needs a function, but got ${shown(fn)}`);
  const own: TaskDefinition = Object.freeze({
    name,
    options: checkTaskOptions(`the task ${name}`, options as TaskOptions),
    code: { fn: fn as AnyFunction },
  });
  const callable = function (this: unknown, ...args: unknown[]): unknown {
    return Reflect.apply(fn, this, args);
  };
  Object.defineProperty(callable, 'name', { value: name });
  return Object.freeze(Object.assign(callable, { taskName: name, [definition]: own }));
}
