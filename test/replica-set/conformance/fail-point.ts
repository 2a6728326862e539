/** Sets the server's fail point `failCommand` for the suite's own clients, and takes it back after the case. */

import type { Document } from 'mongodb';
import type { Bench } from './bench.js';

export type FailMode = 'alwaysOn' | { readonly times: number } | { readonly skip: number } | { readonly activationProbability: number };

/** Lets the named commands fail as `data` says, e.g. `{ failCommands: ['find'], errorCode: 6 }`. */
export async function failCommand(bench: Bench, mode: FailMode, data: Document): Promise<void> {
  const admin = bench.client.db('admin');
  bench.after(() => admin.command({ configureFailPoint: 'failCommand', mode: 'off' }));
  await admin.command({ configureFailPoint: 'failCommand', mode, data: { appName: bench.appName, ...data } });
}
