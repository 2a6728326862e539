/** With the session of its store registered, an application gets that, and may give no other. */

import { currentTask, type IAsyncService, memoryStore, type Session } from 'millrace';
import { type Equal, holds } from '../shared/expect.js';

interface OwnSession {
  readonly transactionNumber: number;
}

declare module 'millrace' {
  interface Register {
    session: OwnSession;
  }
}

declare const async: IAsyncService;
declare const session: OwnSession;

export async function theSessionIsTheOneThatIsRegistered(): Promise<void> {
  holds<Equal<Session, OwnSession>>();
  const own = currentTask().session;
  holds<Equal<typeof own, OwnSession>>();
  const number = await async.transaction(async (within) => within.transactionNumber);
  holds<Equal<typeof number, number>>();
  await async.withSession(session, async () => 1);
  await async.withSession(memoryStore().startSession(), async () => 1);
  // @ts-expect-error: no session
  await async.withSession({ id: 1 }, async () => 1);
}
