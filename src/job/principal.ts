/** The principal of a job: the reference that is recorded, and the roles that it has when the job runs. */

import type { Register } from './register.js';

/** Names a principal: an id within a realm. */
export interface PrincipalReference {
  /** The path of the user source: two users of the same id in two realms are two users. */
  readonly realm: string;
  readonly id: string;
}

/** A principal with its present rights: the type that the application registered, or a reference with roles. */
export type Principal = Register extends { principal: infer P extends PrincipalReference }
  ? P
  : PrincipalReference & { readonly roles: readonly string[] };

/** The realm of those that no user source knows. */
export const OWN_REALM = 'millrace';

/** The principal of jobs that are queued outside of every `runAs`. */
export const anonymous: PrincipalReference = Object.freeze({ realm: OWN_REALM, id: 'anonymous' });

/** The deployment itself: the principal of jobs that recur, unless their drafts name another. */
export const system: PrincipalReference = Object.freeze({ realm: OWN_REALM, id: 'system' });

export function isSamePrincipal(one: PrincipalReference, other: PrincipalReference): boolean {
  return one.realm === other.realm && one.id === other.id;
}

/** The reference of a principal, without its rights. */
export function referenceTo({ realm, id }: PrincipalReference): PrincipalReference {
  return Object.freeze({ realm, id });
}
