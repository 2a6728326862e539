/** A site whose users may do different things in different folders, and its tasks. */

import { injectable } from 'inversify';
import { currentPrincipal, type PrincipalReference, type PrincipalResolver, Task, tasks, UnauthorizedError } from 'millrace';

/** The users of the site and their present roles. */
@injectable()
export class Users implements PrincipalResolver {
  readonly #roles = new Map<string, Set<string>>();

  add({ realm, id }: PrincipalReference, ...roles: string[]): void {
    this.#roles.set(`${realm}/${id}`, new Set(roles));
  }

  takeAway({ realm, id }: PrincipalReference, role: string): void {
    this.#roles.get(`${realm}/${id}`)?.delete(role);
  }

  remove({ realm, id }: PrincipalReference): void {
    this.#roles.delete(`${realm}/${id}`);
  }

  /** Called before each attempt of a job; returns nothing for a user who is gone. */
  resolve({ realm, id }: PrincipalReference) {
    const roles = this.#roles.get(`${realm}/${id}`);
    return roles === undefined ? undefined : { realm, id, roles: [...roles] };
  }
}

interface Page {
  readonly path: string;
  readonly creator: string;
}

/** Each folder has an owner; only the owner may write in it and see its pages. Nobody owns the root. */
@injectable()
export class Site {
  readonly #owners = new Map([['/ann', 'staff/ann']]);
  readonly #pages: Page[] = [];

  get paths(): readonly string[] {
    return this.#pages.map(({ path }) => path);
  }

  @Task({ quotas: [], failureLogLevel: 'none' })
  async create(folder: string, id: string): Promise<string> {
    const { creator } = this.#checked(folder);
    const path = `${folder}/${id}`;
    this.#pages.push({ path, creator });
    return `${path}, created by ${creator}`;
  }

  @Task({ quotas: [] })
  async search(text: string): Promise<number> {
    const me = nameOf(currentPrincipal());
    return this.#pages.filter(({ path, creator }) => creator === me && path.includes(text)).length;
  }

  /** Does not run for a user who is not an editor at that time. */
  @Task({ quotas: [], requires: ['editor'], failureLogLevel: 'none' })
  async publish(path: string): Promise<string> {
    return `${path} is public`;
  }

  #checked(folder: string): { readonly creator: string } {
    const creator = nameOf(currentPrincipal());
    if (this.#owners.get(folder) === creator) return { creator };
    throw new UnauthorizedError(`${creator} may not write in ${folder === '' ? 'the root' : folder}`);
  }
}

function nameOf({ realm, id }: PrincipalReference): string {
  return `${realm}/${id}`;
}

export const site = tasks(Site);
