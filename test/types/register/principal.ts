/** With its principals registered, an application has them in its tasks, and gives them to its ports. */

import type { Container } from 'inversify';
import { Authorizer, currentTask, type Principal, PrincipalResolver } from 'millrace';
import { type Equal, holds } from '../shared/expect.js';

export interface User {
  readonly realm: string;
  readonly id: string;
  readonly groups: ReadonlySet<string>;
}

declare module 'millrace' {
  interface Register {
    principal: User;
  }
}

export function principalsAreThoseThatAreRegistered(container: Container): void {
  holds<Equal<Principal, User>>();
  const { principal } = currentTask();
  holds<Equal<typeof principal, User>>();
  container
    .bind(Authorizer)
    .toConstantValue({ authorize: ({ principal, requires }) => requires.every((one) => principal.groups.has(one)) });
  container.bind(PrincipalResolver).toConstantValue({ resolve: ({ realm, id }) => ({ realm, id, groups: new Set<string>() }) });
  // @ts-expect-error: another kind of principal
  container.bind(PrincipalResolver).toConstantValue({ resolve: ({ realm, id }) => ({ realm, id, roles: [] }) });
}
