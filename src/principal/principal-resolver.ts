/** `PrincipalResolver`: returns a principal as it is now; a port that the application binds in its container. */

import type { Principal, PrincipalReference } from '../job/principal.js';

export interface PrincipalResolver {
  /**
   * Returns a principal as it is at this moment; called before each attempt of each of its jobs. Also called for `anonymous` and `system`,
   * which have no roles if it returns `undefined`. When it throws, the job is tried again later.
   * @returns `undefined` for a principal that is gone or disabled: the job fails with `UnauthorizedError`, and none of its code runs
   */
  resolve(reference: PrincipalReference): Principal | undefined | Promise<Principal | undefined>;
}

/** The injection symbol, which carries its type: `container.bind(PrincipalResolver).to(Users)`. Resolved once, by `start`. */
export const PrincipalResolver = Symbol.for('millrace.PrincipalResolver') as symbol & (abstract new () => PrincipalResolver);
