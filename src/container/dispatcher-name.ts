/** What a dispatcher is called: as the application says, else as its environment says, else by its process. */

import { hostname } from 'node:os';

/** Names the dispatchers of a process that is started many times with the same code. */
export const NAME_VARIABLE = 'MILLRACE_DISPATCHER_ID';

export function dispatcherName(given: string | undefined): string {
  const named = given ?? process.env[NAME_VARIABLE];
  return named === undefined || named === '' ? `${hostname()}-${process.pid}` : named;
}
