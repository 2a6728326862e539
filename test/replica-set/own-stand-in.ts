/** A stand-in of a test's own, with a client connected to it; both are closed when the test ends. */

import { type Collection, type Document, MongoClient, type MongoClientOptions } from 'mongodb';
import { onTestFinished } from 'vitest';
import { type StandIn, type StandInOptions, startStandIn } from './stand-in.js';

export interface OwnStandIn {
  readonly standIn: StandIn;
  readonly client: MongoClient;
  readonly things: Collection<Document>;
}

export async function ownStandIn(options: StandInOptions = {}, clientOptions: MongoClientOptions = {}): Promise<OwnStandIn> {
  const standIn = await startStandIn(options);
  const client = new MongoClient(standIn.uri, clientOptions);
  onTestFinished(async () => {
    standIn.faults.thaw();
    await client.close();
    await standIn.stop();
  });
  return { standIn, client, things: client.db('test').collection('things') };
}
