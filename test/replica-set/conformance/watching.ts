/** Opens change streams that are closed after the case, and reads a number of their events. */

import type {
  ChangeStream,
  ChangeStreamDocument,
  ChangeStreamOptions,
  ClientSession,
  Collection,
  Db,
  Document,
  MongoClient,
  Timestamp,
} from 'mongodb';
import type { Bench, Thing } from './bench.js';

export type Stream = ChangeStream<Document, ChangeStreamDocument<Document>>;

type Watched = Collection<Thing> | Db | MongoClient;

export interface Watch {
  readonly of?: Watched;
  readonly pipeline?: readonly Document[];
  readonly options?: ChangeStreamOptions;
}

/** A stream that is open on the server when the promise resolves: it sees what is written from then on. */
export async function watch(bench: Bench, { of, pipeline, options }: Watch = {}): Promise<Stream> {
  const stream = resumed(bench, { of: of ?? bench.things, pipeline: pipeline ?? [], options: { maxAwaitTimeMS: 20, ...options } });
  const early = await stream.tryNext();
  if (early !== null) throw new Error(`A new stream begins with ${JSON.stringify(early)}`);
  return stream;
}

/** A stream that its options let begin in the past; the driver opens it with the first read. */
export function resumed(bench: Bench, { of, pipeline, options }: Watch): Stream {
  const watched: Pick<Db, 'watch'> = of ?? bench.things;
  const stream: Stream = watched.watch([...(pipeline ?? [])], { maxAwaitTimeMS: 500, ...options });
  bench.after(() => stream.close());
  return stream;
}

/** Waits for the next `count` events. */
export async function take(stream: Stream, count: number): Promise<Document[]> {
  const events: Document[] = [];
  while (events.length < count) events.push(await stream.next());
  return events;
}

/** Events in short: `insert 1`, `update 1`, `delete 1`, `drop`. */
export const brief = (events: readonly Document[]): string[] =>
  events.map((event) => [event['operationType'], event['documentKey']?._id].filter((part) => part !== undefined).join(' '));

/** When the session's last operation was; streams that start at it see what that wrote. */
export function timeOf({ operationTime }: ClientSession): Timestamp {
  if (operationTime === undefined) throw new Error('The session has done nothing yet');
  return operationTime;
}
