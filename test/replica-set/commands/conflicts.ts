/** Writes that meet an open transaction: outside a transaction they wait for its end and try again, inside they fail. */

import { HeldByTransaction, type Stored, visible } from '../documents/stored.js';
import { planQuery } from '../planning/choose-plan.js';
import type { Source } from '../planning/nodes/plan-node.js';
import type { Query } from '../planning/query.js';
import { ServerError } from '../server-error.js';
import type { Doc } from '../values/value.js';
import type { Call } from './command.js';

/** Tries a write until no open transaction stands in its way. */
export async function whenFree<T>(call: Call, write: () => T): Promise<T> {
  for (;;) {
    try {
      return write();
    } catch (error) {
      if (!(error instanceof HeldByTransaction) || call.transaction !== undefined) throw error;
      await waitFor(call, error);
    }
  }
}

async function waitFor({ server, operation }: Call, { owner }: HeldByTransaction): Promise<void> {
  const timeoutMs = operation.deadline === undefined ? undefined : operation.deadline - server.clock.monotonic();
  const isFree = await server.waiting.until(() => owner.isOver, { timeoutMs, interruption: () => operation.interruption });
  if (!isFree) throw new ServerError('MaxTimeMSExpired', 'operation exceeded time limit');
}

export type Act<T> = (stored: Stored, doc: Doc) => T;

/** Acts on the first document that matches. */
export function actOnFirst<T>(source: Source, { query, act }: { query: Query; act: Act<T> }): T | undefined {
  for (const { stored, doc } of planQuery(source, query).rows()) {
    if (stored !== undefined) return act(stored, doc);
  }
  return undefined;
}

/** Acts on each document that matches when its turn comes. */
export async function actOnAll(call: Call, source: Source, { query, act }: { query: Query; act: Act<void> }): Promise<void> {
  const found = [...planQuery(source, query).rows()];
  for (const { stored } of found) {
    if (stored === undefined) continue;
    await whenFree(call, () => {
      const doc = visible(stored, source.view());
      if (doc !== undefined && query.predicate.matches(doc)) act(stored, doc);
    });
  }
}
