/** On whose behalf code runs, and in which task, wherever it is: `currentPrincipal()`. */

import { AsyncLocalStorage } from 'node:async_hooks';
import { anonymous, type PrincipalReference } from '../job/principal.js';

/** Somebody on whose behalf code runs. */
export class Actor<T extends object | undefined = object | undefined> {
  #principal: PrincipalReference;
  #isKnown: boolean;

  /**
   * @param principal - fully known if it has `roles`
   * @param task - the current task, if any; only `currentTask` knows its type
   * @param reference - the identity, which stays the same even if the application changes its object
   */
  constructor(
    principal: PrincipalReference,
    readonly task: T,
    readonly reference = principal,
  ) {
    this.#principal = principal;
    this.#isKnown = Array.isArray((principal as { readonly roles?: unknown }).roles);
  }

  get principal(): PrincipalReference {
    return this.#principal;
  }

  /** Whether the roles are known, and not only the identity. */
  get isKnown(): boolean {
    return this.#isKnown;
  }

  /** @param isKnown - whether the roles are known here */
  identified(principal: PrincipalReference, isKnown: boolean): void {
    this.#principal = principal;
    this.#isKnown = isKnown;
  }
}

/** One for both, since every promise has to carry each. */
const actors = new AsyncLocalStorage<Actor | undefined>();

/** `undefined` outside of every `runAs` and every task: that is code of the application itself, which may act as anybody. */
export function currentActor(): Actor | undefined {
  return actors.getStore();
}

/** Runs code on somebody's behalf; it follows the code through promises, timers and streams. */
export function actAs<T>(actor: Actor, fn: () => T): T {
  return actors.run(actor, fn);
}

/** Runs code as the application's own, also within `runAs` and tasks. */
export function actAsApplication<T>(fn: () => T): T {
  return actors.run(undefined, fn);
}

/**
 * The principal of the calling code: the one that the nearest `runAs` was given, in a task the principal of its job, else `anonymous`.
 * Follows the code through promises, timers and streams.
 */
export function currentPrincipal(): PrincipalReference {
  return currentActor()?.principal ?? anonymous;
}
