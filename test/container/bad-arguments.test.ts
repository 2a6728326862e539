/** Errors for wrong arguments: thrown at once, in a sentence. */

import { Container } from 'inversify';
import { expect, it } from 'vitest';
import { OptionError, StartError, start, task } from '../../src/index.js';
import { mongoStore } from '../../src/store/mongo/index.js';
import { testAsync } from '../../src/testing/index.js';

const nothing = task('nothing', () => {});

it.each<[string, () => unknown, string]>([
  ['start without a container', () => start(undefined as never), '`container` of `start` must be a `Container` of Inversify'],
  ['start with the options', () => start({} as never), '`container` of `start` must be a `Container` of Inversify'],
  ['testAsync with null', () => testAsync(null as never), '`options` of `testAsync` must be an object, but is null'],
  ['testAsync with a number', () => testAsync(5 as never), '`options` of `testAsync` must be an object, but is the number 5'],
  ['mongoStore with a URI', async () => mongoStore({ client: 'mongodb://x' as never, database: 'a' }), 'must be a `MongoClient`'],
  ['mongoStore with no client', async () => mongoStore({ client: {} as never, database: 'a' }), 'must be a `MongoClient`'],
])('%s', async (_title, call, message) => {
  const error = await Promise.resolve()
    .then(call)
    .then(
      () => expect.unreachable(),
      (thrown: unknown) => thrown,
    );
  expect(error).toBeInstanceOf(OptionError);
  expect((error as Error).message).toContain(message);
});

it('start with a container that has no module', async () => {
  await expect(start(new Container())).rejects.toBeInstanceOf(StartError);
});

it('a transaction without code', async () => {
  const { async } = await testAsync({ tasks: [nothing] });
  await expect(async.transaction(undefined as never)).rejects.toThrow('`fn` of `transaction` must be a function');
  await expect(async.withSession({} as never, undefined as never)).rejects.toThrow('`fn` of `withSession` must be a function');
  await async.stop();
});
