/** `PrincipalResolver`: finds out what somebody is now; a port that the application binds in its container. */

import type { Principal, PrincipalReference } from '../job/principal.js';

export interface PrincipalResolver {
  /**
   * What a principal is at this moment, before each attempt of each of his jobs; also asked for `anonymous` and `system`, who are
   * without roles where it does not know them. When it throws, which says nothing of anybody, the job is tried again later.
   * @returns `undefined` for who is gone or disabled: the job fails with `UnauthorizedError`, and none of its code runs
   */
  resolve(reference: PrincipalReference): Principal | undefined | Promise<Principal | undefined>;
}

/** The injection symbol, which carries its type: `container.bind(PrincipalResolver).to(Users)`. Resolved once, by `start`. */
export const PrincipalResolver = Symbol.for('millrace.PrincipalResolver') as symbol & (abstract new () => PrincipalResolver);
