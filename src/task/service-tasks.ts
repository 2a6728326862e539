/** The tasks of a class: `tasks(Class)` gives those of its methods as values. */

import { isClass, shown } from '../check.js';
import { NotATaskError } from '../errors.js';
import type { Class, TasksOf } from './task.js';
import { definition, type TaskDefinition } from './task-definition.js';
import { CLASS, recordedOf } from './task-metadata.js';
import type { CheckedTaskOptions } from './task-options.js';

const values = new WeakMap<Class, object>();
const services = new WeakMap<object, Class>();
const ownDefinitions = new WeakMap<Class, TaskDefinition>();

/**
 * The tasks of a service as values, one for each method with `@Task()`; the same object every time.
 * @throws NotATaskError if this is not a class, and on reading a method that is not a task
 * @example
 * const documents = tasks(Documents);
 * await async.queueJob(documents.create, 'inbox', 'bar', 'A title');
 */
export function tasks<T>(service: Class<T>): TasksOf<T> {
  if (typeof service !== 'function' || service.prototype === undefined) {
    const hint = service === undefined ? '; it is undefined, as in an import cycle: call `tasks(…)` inside the method that uses it' : '';
    throw new NotATaskError(`\`tasks(…)\` needs a class, but got ${shown(service)}${hint}`);
  }
  const known = values.get(service) ?? makeValues(service);
  values.set(service, known);
  services.set(known, service);
  return known as TasksOf<T>;
}

/** Every task of a class: the class itself, if it is one, and its methods. */
export function definitionsOf(service: Class): readonly TaskDefinition[] {
  const own = classDefinition(service);
  const methods = Object.entries(recordedOf(service)).filter(([method]) => method !== CLASS);
  return [...(own === undefined ? [] : [own]), ...methods.map(([method, options]) => methodDefinition(service, method, options))];
}

/** The class with tasks behind a value that was given in place of it: the result of `tasks(Class)`, or an instance. */
export function serviceBehind(given: unknown): Class | undefined {
  if (typeof given !== 'object' || given === null) return undefined;
  const service: unknown = services.get(given) ?? Reflect.get(given, 'constructor');
  return isClass(service) && hasTasks(service) ? service : undefined;
}

export function hasTasks(service: Class): boolean {
  return Object.keys(recordedOf(service)).length > 0;
}

/** The definition of a class that is a task itself. */
export function classDefinition(service: Class): TaskDefinition | undefined {
  const known = ownDefinitions.get(service);
  const options = known === undefined ? recordedOf(service)[CLASS] : undefined;
  if (options === undefined) return known;
  const own: TaskDefinition = Object.freeze({ name: options.name ?? nameOf(service), options, code: { service, method: 'run' } });
  ownDefinitions.set(service, own);
  return own;
}

/** A plain object: tasks as properties, a getter that says what is missing for every other member. */
function makeValues(service: Class): object {
  const made = {};
  const recorded = recordedOf(service);
  for (const name of memberNames(service)) {
    const options = recorded[name];
    Object.defineProperty(
      made,
      name,
      options === undefined ? noTask(service, name) : { value: taskValue(service, name, options), enumerable: true },
    );
  }
  return Object.freeze(made);
}

function taskValue(service: Class, method: string, options: CheckedTaskOptions): object {
  const own = methodDefinition(service, method, options);
  return Object.freeze({ taskName: own.name, [definition]: own });
}

function noTask(service: Class, name: string): PropertyDescriptor {
  return {
    get: () => {
      throw new NotATaskError(`\`${service.name}.${name}\` is not a task: put \`@Task()\` on the method`);
    },
  };
}

function methodDefinition(service: Class, method: string, options: CheckedTaskOptions): TaskDefinition {
  return Object.freeze({ name: options.name ?? `${nameOf(service)}.${method}`, options, code: { service, method } });
}

function nameOf(service: Class): string {
  if (service.name !== '') return service.name;
  throw new NotATaskError('a class without a name has tasks: give each a name, `@Task({ name })`, for jobs are stored under it');
}

/** Never `then`: the object would be taken for a promise. */
function memberNames(service: Class): ReadonlySet<string> {
  const names = new Set<string>();
  for (let at: unknown = service.prototype; at !== null && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const name of Object.getOwnPropertyNames(at)) if (name !== 'constructor' && name !== 'then') names.add(name);
  }
  return names;
}
