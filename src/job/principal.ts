/** On whose behalf a job runs: the reference that is recorded of him, and what he is when the job runs. */

import type { Register } from './register.js';

/** Names a principal: who he is in the place that knows him. */
export interface PrincipalReference {
  /** The path of the user source: two users of the same id in two realms are two users. */
  readonly realm: string;
  readonly id: string;
}

/** A principal with what he may do at the moment: what the application registered, or a reference with roles. */
export type Principal = Register extends { principal: infer P extends PrincipalReference }
  ? P
  : PrincipalReference & { readonly roles: readonly string[] };

/** The realm of those that no user source knows. */
export const OWN_REALM = 'millrace';

/** Nobody in particular: the principal of what is queued outside of every `runAs`. */
export const anonymous: PrincipalReference = Object.freeze({ realm: OWN_REALM, id: 'anonymous' });

/** The deployment itself: the principal of jobs that recur, unless their drafts name another. */
export const system: PrincipalReference = Object.freeze({ realm: OWN_REALM, id: 'system' });

export function isSamePrincipal(one: PrincipalReference, other: PrincipalReference): boolean {
  return one.realm === other.realm && one.id === other.id;
}

/** No more of a principal than names him. */
export function referenceTo({ realm, id }: PrincipalReference): PrincipalReference {
  return Object.freeze({ realm, id });
}
