/** Users as an application may have them: in two realms, with roles that change while jobs wait. */

import { Container } from 'inversify';
import { Authorizer, type Principal, PrincipalResolver } from '../../src/index.js';

export const ANN = { realm: 'staff', id: 'ann' } as const;
export const BOB = { realm: 'staff', id: 'bob' } as const;
/** Another Ann. */
export const GUEST_ANN = { realm: 'guests', id: 'ann' } as const;

/** The users, with their roles. */
export class Users implements PrincipalResolver {
  readonly #roles = new Map<string, readonly string[]>([
    ['staff/ann', ['editor']],
    ['staff/bob', []],
    ['guests/ann', ['guest']],
  ]);
  /** Of whom it was asked, in order. */
  readonly asked: string[] = [];

  resolve({ realm, id }: { readonly realm: string; readonly id: string }): Principal | undefined | Promise<Principal | undefined> {
    this.asked.push(`${realm}/${id}`);
    const roles = this.#roles.get(`${realm}/${id}`);
    return roles === undefined ? undefined : { realm, id, roles };
  }

  give({ realm, id }: { readonly realm: string; readonly id: string }, ...roles: string[]): void {
    this.#roles.set(`${realm}/${id}`, roles);
  }

  remove({ realm, id }: { readonly realm: string; readonly id: string }): void {
    this.#roles.delete(`${realm}/${id}`);
  }
}

/** A container in which the ports are bound. */
export function containerOf({ users, authorizer }: { readonly users?: PrincipalResolver; readonly authorizer?: Authorizer }): Container {
  const container = new Container();
  if (users !== undefined) container.bind(PrincipalResolver).toConstantValue(users);
  if (authorizer !== undefined) container.bind(Authorizer).toConstantValue(authorizer);
  return container;
}
