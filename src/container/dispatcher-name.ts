/** The name of a dispatcher: from the options, else from the environment, else from the process. */

import { hostname } from 'node:os';
import { checkOption, is } from '../check.js';

/** Names the dispatchers of a process that is started many times with the same code. */
export const NAME_VARIABLE = 'MILLRACE_DISPATCHER_ID';

/** @throws OptionError */
export function dispatcherName(given: string | undefined): string {
  const named = given ?? process.env[NAME_VARIABLE];
  if (named === undefined || named === '') return `${hostname()}-${process.pid}`;
  checkOption('the environment', NAME_VARIABLE, named, is.label);
  return named;
}
