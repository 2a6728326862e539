/** Which replica set the environment asks for, and the one line that says so. */

import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describeTiming, type Timing, timingOf } from './timing.js';

export type ReplicaSetChoice =
  | { readonly kind: 'given'; readonly uri: string }
  | { readonly kind: 'mongod'; readonly binary: string | undefined }
  | { readonly kind: 'stand-in'; readonly timing: Timing };

/**
 * Reads MONGODB_URI, MONGOMS_SYSTEM_BINARY, PATH, MONGOMS_DOWNLOAD and MILLRACE_MONGODB, in this order; of the stand-in, how late it is.
 */
export function chooseReplicaSet(env: NodeJS.ProcessEnv = process.env): ReplicaSetChoice {
  const uri = env['MONGODB_URI'];
  if (uri !== undefined && uri !== '') return { kind: 'given', uri };
  const binary = env['MONGOMS_SYSTEM_BINARY'] || mongodOnPath(env['PATH'] ?? '');
  if (binary !== undefined) return { kind: 'mongod', binary };
  if (env['MONGOMS_DOWNLOAD'] === '1') return { kind: 'mongod', binary: undefined };
  if (env['MILLRACE_MONGODB'] === 'real') {
    throw new Error(
      'No real MongoDB: set MONGODB_URI to a replica set, or MONGOMS_SYSTEM_BINARY to a mongod, ' +
        'or put a mongod on the PATH, or set MONGOMS_DOWNLOAD=1 to have one downloaded.',
    );
  }
  return { kind: 'stand-in', timing: timingOf(env) };
}

/** The line that a test run begins with. */
export function describeChoice(choice: ReplicaSetChoice): string {
  if (choice.kind === 'given') return 'MongoDB tests run on the replica set of MONGODB_URI';
  if (choice.kind === 'mongod') return `MongoDB tests run on ${choice.binary ?? 'a downloaded mongod'}`;
  return `MongoDB tests run on the stand-in (no MONGODB_URI, no mongod on this machine), which is ${describeTiming(choice.timing)}`;
}

function mongodOnPath(path: string): string | undefined {
  return path
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, 'mongod'))
    .find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
