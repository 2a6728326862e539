/** `@Task`: marks methods, and classes with `run`, as tasks. */

import { NotATaskError } from '../errors.js';
import type { AnyFunction, Class, Task as TaskValue } from './task.js';
import { CLASS, recordLegacy, recordStandard } from './task-metadata.js';
import { checkTaskOptions, type KeyFunction, type TaskOptions } from './task-options.js';
import type { ArgumentsOf } from './upcast.js';

/** Code that may run in the background, as a value. */
export type Task<F extends AnyFunction = AnyFunction> = TaskValue<F>;

type OfInstance<T> = T extends Class ? 'a task is a method of instances, not a static one' : T;

/** Of a method `M` whose key is made by `Key`. */
type Fits<Key, M> = [Key] extends [never]
  ? unknown
  : M extends (...args: infer A) => unknown
    ? Key extends (...args: A) => unknown
      ? unknown
      : '`uniqueKey` takes other arguments than the method'
    : never;
type RunOf<C> = C extends Class<{ run: infer M }> ? M : never;

/** For both kinds of decorators; the order of the signatures decides which error the compiler shows. */
export interface TaskDecorator<Key = never, Old extends unknown[] = never> {
  <C extends Class<{ run(...args: Old): unknown }>>(target: C & Fits<Key, RunOf<C>>, context: ClassDecoratorContext<C>): void;
  <C extends Class<{ run(...args: Old): unknown }>>(target: C & Fits<Key, RunOf<C>>): void;
  <M extends (...args: Old) => unknown>(
    method: M & Fits<Key, M>,
    context: ClassMethodDecoratorContext & { readonly static: false; readonly private: false; readonly name: string },
  ): void;
  <T extends object, K extends keyof T & string, M extends (...args: Old) => unknown>(
    target: OfInstance<T>,
    name: K,
    descriptor: TypedPropertyDescriptor<M> & Fits<Key, M>,
  ): void;
}

/**
 * Marks a method as a task, or a class with a public `run`; works with legacy and with standard decorators.
 * @throws OptionError, NotATaskError when the class is defined
 * @example
 * class Documents {
 *   @Task({ quotas: [], timeoutMs: 30_000 })
 *   async submit(folder: string, id: string): Promise<void> { … }
 * }
 */
export function Task<Key extends KeyFunction = never, Old extends { readonly version: number } = never>(
  options: TaskOptions<Key, Old> = {},
): TaskDecorator<Key, ArgumentsOf<Old>> {
  // Without parentheses its argument is the decorated class, method, or prototype of a class.
  if (typeof options === 'function' || Object.hasOwn(options, 'constructor'))
    throw new NotATaskError('`@Task` needs parentheses: `@Task()`');
  return ((target: object, contextOrName?: DecoratorContext | string, descriptor?: unknown): void => {
    if (typeof contextOrName === 'object') decorateStandard(contextOrName, options);
    else if (contextOrName === undefined) decorateClass(target, options);
    else decorateMember(target, contextOrName, descriptor, options);
  }) as TaskDecorator<Key, ArgumentsOf<Old>>;
}

function decorateStandard(context: DecoratorContext, options: TaskOptions): void {
  const isStatic = 'static' in context && context.static;
  const isTask = context.kind === 'class' || (context.kind === 'method' && !isStatic && !context.private);
  if (!isTask) refuse(`${isStatic ? 'static ' : ''}${context.kind} ${String(context.name)}`);
  const key = context.kind === 'class' ? CLASS : String(context.name);
  recordStandard(context.metadata, key, checkTaskOptions(`\`@Task\` of ${String(context.name)}`, options));
}

function decorateClass(target: object, options: TaskOptions): void {
  const { prototype, name } = target as { prototype?: object; name: string };
  if (typeof target !== 'function' || prototype === undefined) refuse('value');
  recordLegacy(prototype, CLASS, checkTaskOptions(`\`@Task\` of ${name}`, options));
}

function decorateMember(target: object, name: string, descriptor: unknown, options: TaskOptions): void {
  if (typeof target === 'function') refuse(`static member ${name}`);
  if (typeof descriptor === 'number') refuse(`parameter ${descriptor} of ${name}`);
  if (typeof (descriptor as PropertyDescriptor | undefined)?.value !== 'function') refuse(`property ${name}`);
  recordLegacy(target, name, checkTaskOptions(`\`@Task\` of ${target.constructor.name}.${name}`, options));
}

function refuse(what: string): never {
  throw new NotATaskError(
    `\`@Task()\` is on the ${what}, but a task is a public method of instances, or a class with a public method \`run\``,
  );
}
