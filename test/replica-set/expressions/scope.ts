/** The scope of an expression: the document, and variables of the command and of `$let`, `$map` and the like. */

import { ServerError } from '../server-error.js';
import type { Doc, Maybe } from '../values/value.js';

/** Known when an expression is compiled. */
export interface Environment {
  /** `NOW`, `CLUSTER_TIME` and the command's `let`; a name that is absent here is not defined in this place. */
  readonly constants: Readonly<Record<string, Maybe>>;
  /** Names bound by enclosing expressions. */
  readonly locals: ReadonlySet<string>;
}

/** Known when it is evaluated. */
export interface Scope {
  readonly root: Doc;
  readonly locals: Readonly<Record<string, Maybe>>;
}

export type Evaluate = (scope: Scope) => Maybe;

export const emptyScope: Scope = { root: {}, locals: {} };

export function scopeOf(root: Doc): Scope {
  return { root, locals: emptyScope.locals };
}

export function environment(constants: Readonly<Record<string, Maybe>> = {}): Environment {
  return { constants, locals: new Set() };
}

export function withLocals(env: Environment, names: readonly string[]): Environment {
  for (const name of names) checkVariableName(name);
  return { ...env, locals: new Set([...env.locals, ...names]) };
}

export function bind(scope: Scope, values: Readonly<Record<string, Maybe>>): Scope {
  return { root: scope.root, locals: { ...scope.locals, ...values } };
}

function checkVariableName(name: string): void {
  if (name === '') throw new ServerError(16869, 'empty variable names are not allowed');
  if (/^[A-Z]/.test(name) && name !== 'CURRENT') {
    throw new ServerError(16867, `'${name}' starts with an invalid character for a user variable name`);
  }
  if (!/^[a-zA-Z_\u0080-\uffff][\w\u0080-\uffff]*$/.test(name)) {
    throw new ServerError(16868, `'${name}' contains an invalid character for a variable name`);
  }
}
