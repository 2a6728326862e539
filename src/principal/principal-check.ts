/** The form of a reference to a principal. */

import { is, type Rule } from '../check.js';
import { OptionError } from '../errors.js';
import { anonymous, OWN_REALM, type PrincipalReference, system } from '../job/principal.js';

export const PRINCIPAL_RULE: Rule = {
  must: `an object with \`realm\` and \`id\`, each ${is.label.must}`,
  holds: (value) => is.object.holds(value) && ['realm', 'id'].every((key) => is.label.holds(Reflect.get(Object(value), key))),
};

/** @param owner - what messages call the call that was given it. @throws OptionError for one that is kept for Millrace */
export function checkRealm(owner: string, { realm, id }: PrincipalReference): void {
  if (realm !== OWN_REALM || id === anonymous.id || id === system.id) return;
  throw new OptionError(`\`principal\` of ${owner} is of the realm \`${OWN_REALM}\`, which has only \`anonymous\` and \`system\``);
}
