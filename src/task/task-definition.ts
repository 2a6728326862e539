/** The definition behind a task value: its name, its options and the code to call. */

import type { AnyFunction, Class } from './task.js';
import type { CheckedTaskOptions } from './task-options.js';

export interface TaskDefinition {
  readonly name: string;
  readonly options: CheckedTaskOptions;
  /** A function, or a method of a service that is resolved for each run. */
  readonly code: { readonly fn: AnyFunction } | { readonly service: Class; readonly method: string };
}

/** Under this symbol a task value keeps its definition. */
export const definition: unique symbol = Symbol.for('millrace.task') as never;
