/** Errors of the driver: whether the command may have been executed. */

import { expect, it } from 'vitest';
import { asUncertain, isUnanswered } from '../../../src/store/mongo/driver/driver-errors.js';
import { ownStandIn } from '../../replica-set/own-stand-in.js';
import { deferred, failureOf } from '../../support/deferred.js';

it('a write whose second try gets no connection of the pool may have been done by the first', async () => {
  const { client, things, standIn } = await ownStandIn({}, { maxPoolSize: 1, waitQueueTimeoutMS: 200 });
  await client.connect();
  const gate = deferred();
  let isFirst = true;
  // The first try is done, and its connection is lost; the handshake of the next one, for the second try, is not answered.
  standIn.faults.intercept = (command) => {
    if ('client' in command && !isFirst) return gate.promise;
    if (!('insert' in command)) return undefined;
    isFirst = false;
    return 'lose answer';
  };
  const error = await failureOf(things.insertOne({ _id: 1 as never }));
  standIn.faults.intercept = undefined;
  gate.resolve();
  expect(error.name).toBe('MongoWaitQueueTimeoutError');
  expect([isUnanswered(error), await things.countDocuments()]).toEqual([true, 1]);
  expect(asUncertain(error, 'whether a job was queued')).toMatchObject({ name: 'UncertainError', cause: error });
});
