/** The documents that tests of transactional tasks work on. */

import { describe, expect, it } from 'vitest';
import { memoryStore, OptionError, TransactionError } from '../../src/index.js';
import { transactionalDocuments } from '../../src/testing/index.js';

interface Account {
  readonly _id: string;
  readonly balance: number;
}

async function bank() {
  const store = memoryStore();
  const accounts = transactionalDocuments().collection<Account>('accounts');
  for (const _id of ['a', 'b']) await accounts.put({ _id, balance: 10 });
  return { accounts, begin: () => store.startSession() };
}

describe('documents', () => {
  it('are put, replaced, found and removed, at once where there is no session', async () => {
    const { accounts } = await bank();
    await accounts.put({ _id: 'a', balance: 11 });
    await accounts.delete('b');
    expect([await accounts.get('a'), await accounts.get('b'), await accounts.all()]).toEqual([
      { _id: 'a', balance: 11 },
      undefined,
      [{ _id: 'a', balance: 11 }],
    ]);
  });

  it('of two collections are apart, also where their names and ids run together', async () => {
    const documents = transactionalDocuments();
    await documents.collection('a').put({ _id: 'b/c' });
    expect([await documents.collection('a/b').all(), await documents.collection('a').get('b')]).toEqual([[], undefined]);
  });

  it('are copies', async () => {
    const { accounts } = await bank();
    const account = { _id: 'c', balance: 1 };
    await accounts.put(account);
    account.balance = 2;
    expect(await accounts.get('c')).toEqual({ _id: 'c', balance: 1 });
    expect(await accounts.get('c')).not.toBe(await accounts.get('c'));
  });

  it('are seen in a transaction as they were at its first read, with its own writes', async () => {
    const { accounts, begin } = await bank();
    const session = begin();
    await accounts.get('a', session);
    await accounts.put({ _id: 'b', balance: 99 });
    await accounts.put({ _id: 'a', balance: 5 }, session);
    await accounts.put({ _id: 'c', balance: 1 }, session);
    expect([await accounts.get('a', session), await accounts.get('b', session)]).toMatchObject([{ balance: 5 }, { balance: 10 }]);
    expect((await accounts.all(session)).map(({ _id }) => _id)).toEqual(['a', 'b', 'c']);
    await accounts.delete('c', session);
    expect(await accounts.get('c', session)).toBeUndefined();
    expect(await accounts.get('a')).toMatchObject({ balance: 10 });
    session.commit();
    expect([await accounts.get('a'), await accounts.get('b')]).toMatchObject([{ balance: 5 }, { balance: 99 }]);
  });

  it('stay as they are when the transaction is aborted', async () => {
    const { accounts, begin } = await bank();
    const session = begin();
    await accounts.put({ _id: 'a', balance: 5 }, session);
    session.abort();
    expect(await accounts.get('a')).toMatchObject({ balance: 10 });
    await expect(accounts.get('a', session)).rejects.toBeInstanceOf(TransactionError);
  });

  it('cannot be in a session of anything else', async () => {
    const { accounts } = await bank();
    await expect(accounts.get('a', {} as never)).rejects.toBeInstanceOf(OptionError);
  });
});

describe('of two transactions that write the same document', () => {
  const transient = { errorLabels: ['TransientTransactionError'] };

  it('the first that commits wins, and the other is aborted at its commit', async () => {
    const { accounts, begin } = await bank();
    const [one, other] = [begin(), begin()];
    await accounts.put({ _id: 'a', balance: 1 }, one);
    await accounts.put({ _id: 'a', balance: 2 }, other);
    await accounts.put({ _id: 'b', balance: 2 }, other);
    one.commit();
    expect(() => other.commit()).toThrow(expect.objectContaining(transient));
    expect(await accounts.all()).toMatchObject([{ balance: 1 }, { balance: 10 }]);
    expect(() => other.commit()).toThrow('has been aborted');
  });

  it('the second cannot write what the first has committed since it looked', async () => {
    const { accounts, begin } = await bank();
    const session = begin();
    await accounts.get('b', session);
    await accounts.delete('a');
    await expect(accounts.put({ _id: 'a', balance: 2 }, session)).rejects.toMatchObject(transient);
  });

  it('neither minds where they write different ones', async () => {
    const { accounts, begin } = await bank();
    const [one, other] = [begin(), begin()];
    await accounts.put({ _id: 'a', balance: 1 }, one);
    await accounts.put({ _id: 'b', balance: 2 }, other);
    one.commit();
    other.commit();
    expect(await accounts.all()).toMatchObject([{ balance: 1 }, { balance: 2 }]);
  });
});
