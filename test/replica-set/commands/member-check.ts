/** Refuses what a member that is not primary may not do. */

import type { Server } from '../server.js';
import { ServerError } from '../server-error.js';
import { type Doc, isDoc } from '../values/value.js';
import type { Command } from './command.js';

export function refuseWrongMember({ topology }: Server, { kind }: Command, { body, member }: { body: Doc; member: number }): void {
  if (kind === 'any' || topology.isPrimary(member)) return;
  if (kind === 'write') throw new ServerError('NotWritablePrimary', 'not primary');
  const preference = isDoc(body['$readPreference']) ? body['$readPreference']['mode'] : 'primary';
  if (preference === 'primary') throw new ServerError('NotPrimaryNoSecondaryOk', 'not primary and secondaryOk=false');
  if (body['autocommit'] === false) throw new ServerError('NotWritablePrimary', 'not primary');
}
