/** `Authorizer`: says what a principal may do; a port that the application may bind in its container, in place of roles. */

import type { Principal, PrincipalReference } from '../job/principal.js';

/** Somebody would run a task. */
export interface TaskRequest {
  readonly principal: Principal;
  readonly taskName: string;
  /** The roles that the task requires: `@Task({ requires })`; `[]` for none. */
  readonly requires: readonly string[];
}

/** Called as code of the application, not as the principal that it is asked about. */
export interface Authorizer {
  /**
   * Whether a principal may run a task. Called at queueing if the roles of the caller are known, and before each attempt. Not asked for
   * `system`. When it throws before an attempt, the job is tried again later.
   * @default whether the principal has all the roles that the task requires
   */
  authorize(request: TaskRequest): boolean | Promise<boolean>;
  /**
   * Whether code that runs on somebody's behalf may act as somebody else: `runAs` inside another, `draft.with({ principal })`. Not called
   * if no privileges are gained: for the same principal, for `anonymous`, and if `system` acts. Must answer synchronously.
   * @default nobody may
   */
  mayActAs?(actor: PrincipalReference, other: PrincipalReference): boolean;
}

/** The injection symbol, which carries its type: `container.bind(Authorizer).to(Policy)`. Resolved once, by `start`. */
export const Authorizer = Symbol.for('millrace.Authorizer') as symbol & (abstract new () => Authorizer);

/** Asks for roles. */
export const roleAuthorizer: Authorizer = Object.freeze({
  authorize: ({ principal, requires }: TaskRequest) => requires.every((role) => rolesOf(principal).includes(role)),
});

/** A principal that the application registered may have none. */
export function rolesOf(principal: PrincipalReference): readonly string[] {
  const { roles } = principal as { readonly roles?: unknown };
  return Array.isArray(roles) ? roles : [];
}
