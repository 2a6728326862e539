/** Checks that a principal may act as another one and run a task: at queueing as far as is known, and before each attempt. */

import { shown } from '../check.js';
import { OptionError, UnauthorizedError } from '../errors.js';
import { type JobPlan, plansBelow } from '../job/job-plan.js';
import { anonymous, isSamePrincipal, OWN_REALM, type Principal, type PrincipalReference, system } from '../job/principal.js';
import { type Actor, actAsApplication, currentActor } from './actor.js';
import { type Authorizer, roleAuthorizer, rolesOf } from './authorizer.js';
import { PRINCIPAL_RULE } from './principal-check.js';
import type { PrincipalResolver } from './principal-resolver.js';

/** The ports that the application has bound in its container. */
export interface PrincipalPorts {
  readonly resolver?: PrincipalResolver | undefined;
  readonly authorizer?: Authorizer | undefined;
}

/** The task of a job that somebody would run. */
export interface Required {
  readonly taskName: string;
  readonly requires: readonly string[];
}

/** At once, where nobody has to be waited for: who queues one job after another keeps their order. */
type Decision = Promise<void> | undefined;

export class AccessGuard {
  #ports: PrincipalPorts = {};

  /** From now on, uses the ports that the application has bound. */
  use(ports: PrincipalPorts): void {
    this.#ports = ports;
  }

  /** Whether the roles that a task requires can ever be granted to a user. */
  get grants(): boolean {
    return this.#ports.resolver !== undefined || this.#ports.authorizer !== undefined;
  }

  /** @throws UnauthorizedError where code that runs on somebody's behalf would act as another one */
  checkMayActAs(other: PrincipalReference, actor: Actor | undefined = currentActor()): void {
    if (actor === undefined || isNarrower(other, actor.reference) || this.#mayActAs(actor.reference, other)) return;
    throw new UnauthorizedError(
      `${named(actor.reference)} may not act as ${named(other)}: let \`mayActAs\` of the Authorizer allow it, or queue the work as \`system\`, who may act as everybody`,
    );
  }

  /** @throws OptionError for an answer that would have to be waited for */
  #mayActAs(actor: PrincipalReference, other: PrincipalReference): boolean {
    const answer: unknown = actAsApplication(() => this.#ports.authorizer?.mayActAs?.(actor, other));
    if (!isPromise(answer)) return answer === true;
    Promise.resolve(answer).catch(() => undefined);
    throw new OptionError('`mayActAs` of the Authorizer must answer at once, but has returned a promise');
  }

  /**
   * Checks that the acting principal may queue plans, with everything in them; roles that are not known yet are checked when the jobs run.
   * @returns what to wait for, if anything; it rejects with UnauthorizedError, or what the Authorizer throws
   */
  admit(plans: readonly JobPlan[], actor: Actor | undefined = currentActor()): Decision {
    if (actor === undefined) return undefined;
    return all(allOf(plans, actor.reference).map((one) => () => this.#admitOne(one, actor)));
  }

  #admitOne({ plan, principal }: Planned, actor: Actor): Decision {
    const { kind, taskName, requires = [], options } = plan;
    if (options.principal !== undefined) this.checkMayActAs(principal, actor);
    if (kind !== 'task' || !actor.isKnown || !isSamePrincipal(principal, actor.reference)) return undefined;
    return this.#authorize(actor.principal as Principal, { taskName, requires });
  }

  /**
   * The principal of a job as it is now, if it may run the job's task.
   * @throws UnauthorizedError if the principal is gone or may not; an error of the ports is thrown as it is, and says nothing about the
   *   principal
   */
  identify(reference: PrincipalReference, required: Required): Principal | Promise<Principal> {
    const found = this.#ports.resolver?.resolve(reference);
    if (isPromise(found)) return Promise.resolve(found).then((principal) => this.#admitted(reference, principal, required));
    return this.#admitted(reference, found, required);
  }

  #admitted(reference: PrincipalReference, found: Principal | undefined, required: Required): Principal | Promise<Principal> {
    const principal = found ?? this.#withoutRoles(reference);
    if (!PRINCIPAL_RULE.holds(principal) || !isSamePrincipal(principal, reference))
      throw new UnauthorizedError(`the PrincipalResolver was asked for ${named(reference)}, but answered with ${answered(principal)}`);
    const decision = this.#authorize(principal, required);
    return decision === undefined ? principal : decision.then(() => principal);
  }

  #withoutRoles(reference: PrincipalReference): Principal {
    if (this.#ports.resolver !== undefined && reference.realm !== OWN_REALM)
      throw new UnauthorizedError(`${named(reference)} is gone or disabled: the PrincipalResolver does not return it`);
    return Object.freeze({ realm: reference.realm, id: reference.id, roles: Object.freeze([]) }) as PrincipalReference as Principal;
  }

  #authorize(principal: Principal, { taskName, requires }: Required): Decision {
    const { authorizer } = this.#ports;
    // The deployment itself may run all its tasks.
    if (isSamePrincipal(principal, system) || (authorizer === undefined && requires.length === 0)) return undefined;
    const answer = actAsApplication(() => (authorizer ?? roleAuthorizer).authorize({ principal, taskName, requires }));
    const check = (isAllowed: unknown): undefined => {
      if (isAllowed !== true) throw refusal(principal, { taskName, requires }, authorizer !== undefined);
      return undefined;
    };
    return isPromise(answer) ? Promise.resolve(answer).then(check) : check(answer);
  }
}

/** Whether the change keeps or drops privileges. */
function isNarrower(other: PrincipalReference, actor: PrincipalReference): boolean {
  return isSamePrincipal(other, actor) || isSamePrincipal(other, anonymous) || isSamePrincipal(actor, system);
}

interface Planned {
  readonly plan: JobPlan;
  readonly principal: PrincipalReference;
}

/** Everything that plans have in them, and on whose behalf that will run. */
function allOf(plans: readonly JobPlan[], above: PrincipalReference): readonly Planned[] {
  const planned = (plan: JobPlan, principal: PrincipalReference): Planned => ({ plan, principal: plan.options.principal ?? principal });
  const found = plans.map((plan) => planned(plan, above));
  for (const { plan, principal } of found) for (const [below] of plansBelow(plan)) found.push(planned(below, principal));
  return found;
}

/** None is left alone, also where another one throws. */
function all(decide: readonly (() => Decision)[]): Decision {
  const open = decide.flatMap((one) => {
    try {
      return one() ?? [];
    } catch (error) {
      return Promise.reject(error);
    }
  });
  return open.length === 0 ? undefined : Promise.all(open).then(() => undefined);
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

function refusal(principal: Principal, { taskName, requires }: Required, isByPort: boolean): UnauthorizedError {
  const who = named(principal);
  if (isByPort) return new UnauthorizedError(`${who} may not run ${taskName}: the Authorizer does not allow it`);
  const missing = requires.filter((role) => !rolesOf(principal).includes(role));
  return new UnauthorizedError(`${who} may not run ${taskName}, which requires ${missing.map((role) => `\`${role}\``).join(' and ')}`);
}

/** The words in messages for an answer that is not the principal asked for. */
function answered(found: unknown): string {
  return PRINCIPAL_RULE.holds(found) ? named(found as PrincipalReference) : `${shown(found)}, which is not a principal`;
}

/** The words in messages for a principal. */
function named({ realm, id }: PrincipalReference): string {
  return realm === OWN_REALM ? `\`${id}\`` : `${id} of ${realm}`;
}
