/** Checks, before anything is stored, whether this database can keep the store's promises; if not, an error names the next step. */

import { type Document, MongoServerError, ObjectId } from 'mongodb';
import { StoreError } from '../../../errors.js';
import { isError } from '../../../job/stored-error.js';
import type { Collections } from './collections.js';
import { createIndexes } from './indexes.js';

/** The version of the documents that this build writes. A store of any other version is refused. */
export const STORE_VERSION = 2;
/** MongoDB 4.4. */
const MIN_WIRE_VERSION = 9;
const MAJORITY_MS = 10_000;
/** Each change stream holds one while it waits for an event, up to 10 s: that of the store, and that of `async.outcomes()`. */
const LEAST_CONNECTIONS = 3;

const UNAUTHORIZED = 13;
const WRITE_CONCERN_TIMEOUT = 64;
const DATABASE_DIFFERS_IN_CASE = 13_297;
const INDEX_CONFLICTS: ReadonlySet<unknown> = new Set([85, 86]);

/** @param majorityMs - how long the majority may take for one write. @throws StoreError */
export async function checkStore(collections: Collections, majorityMs: number = MAJORITY_MS): Promise<void> {
  const hello = await collections.hello();
  const problem = problemOf(hello);
  if (problem !== undefined) throw new StoreError(problem);
  await checkMajority(collections, majorityMs);
  await checkVersion(collections);
  await checkIndexes(collections);
}

/** @param maxPoolSize - of the client; 0 for no limit, as the driver has it. @throws StoreError */
export function checkPool(maxPoolSize: number | undefined): void {
  if (maxPoolSize === undefined || maxPoolSize === 0 || maxPoolSize >= LEAST_CONNECTIONS) return;
  throw new StoreError(
    `the client of \`mongoStore\` has a pool of ${maxPoolSize} connection${maxPoolSize === 1 ? '' : 's'} (\`maxPoolSize\`), but ${LEAST_CONNECTIONS} are needed: change streams take two while they wait, and every command would wait for them up to 10 s. Raise \`maxPoolSize\`; the driver opens connections only as they are needed`,
  );
}

/** @throws StoreError where sessions belong to a client of another cluster, so that no transaction could hold both */
export async function checkSameCluster(collections: Collections, inSession: Collections): Promise<void> {
  if (inSession === collections) return;
  const [own, other] = await Promise.all([collections, inSession].map(({ control }) => control.findOne({ _id: 'store' })));
  if (own?.storeId === other?.storeId) return;
  throw new StoreError(
    '`sessions` of `mongoStore` is connected to another cluster than `client`: a transaction cannot hold both; keep the jobs in the cluster of the data',
  );
}

/** The problem of a server, by its answer to `hello`. */
export function problemOf({ setName, msg, maxWireVersion }: Document): string | undefined {
  if (setName === undefined && msg !== 'isdbgrid')
    return 'MongoDB runs as a standalone server, which has neither transactions nor change streams; start it as a replica set (one member is enough): `mongod --replSet rs0`, then once `rs.initiate()`';
  if (typeof maxWireVersion === 'number' && maxWireVersion < MIN_WIRE_VERSION)
    return 'MongoDB is older than 4.4, which is the oldest that is supported; upgrade it';
  return undefined;
}

/**
 * Why a client that looks for a replica set of a name can never use a server, by its answer to `hello`; it may become a member yet where it
 * is none.
 */
export function memberProblem(hello: Document, replicaSet: string | null | undefined): string | undefined {
  if (typeof replicaSet !== 'string' || hello['isreplicaset'] === true) return undefined;
  if (hello['msg'] === 'isdbgrid')
    return `the client looks for the replica set \`${replicaSet}\`, but MongoDB is a router of a sharded cluster: remove \`replicaSet\` from the connection string`;
  if (hello['setName'] === undefined || hello['setName'] === replicaSet) return problemOf(hello);
  return `the client looks for the replica set \`${replicaSet}\`, but MongoDB belongs to \`${hello['setName']}\`: correct \`replicaSet\` in the connection string`;
}

async function checkMajority({ control }: Collections, majorityMs: number): Promise<void> {
  const first = { version: STORE_VERSION, storeId: new ObjectId().toHexString() };
  const options = { upsert: true, writeConcern: { w: 'majority', journal: true, wtimeoutMS: majorityMs } } as const;
  try {
    await control.updateOne({ _id: 'store' }, { $setOnInsert: first }, options);
  } catch (cause) {
    if (codeOf(cause) === UNAUTHORIZED) throw refused('may not write to its collections', cause);
    if (codeOf(cause) === DATABASE_DIFFERS_IN_CASE)
      throw new StoreError(
        `MongoDB has a database whose name differs only in case from \`database\` of \`mongoStore\`: ${(cause as Error).message}; name the one that is there`,
        { cause },
      );
    if (codeOf(cause) !== WRITE_CONCERN_TIMEOUT) throw cause;
    throw new StoreError(
      `no majority of the replica set confirmed a write within ${majorityMs} ms; see to it that most of its members that hold data are up`,
      { cause },
    );
  }
}

async function checkVersion({ control }: Collections): Promise<void> {
  const version = (await control.findOne({ _id: 'store' }))?.version ?? STORE_VERSION;
  if (version === STORE_VERSION) return;
  const formats = `its format is ${version}, this one knows ${STORE_VERSION}`;
  throw new StoreError(
    version > STORE_VERSION
      ? `the store was written by a later version of Millrace (${formats}); upgrade this process`
      : `the store was written by an earlier version of Millrace (${formats}), whose jobs this one cannot read; let that version finish them and drop its collections, or give \`mongoStore\` another \`prefix\``,
  );
}

async function checkIndexes(collections: Collections): Promise<void> {
  try {
    await createIndexes(collections);
  } catch (cause) {
    const code = codeOf(cause);
    if (code === UNAUTHORIZED) throw refused('may not create its indexes', cause);
    if (!INDEX_CONFLICTS.has(code)) throw cause;
    const { message } = cause as MongoServerError;
    throw new StoreError(`an index of ${collections.jobs.collectionName} is there with other options: ${message}; drop that index`, {
      cause,
    });
  }
}

function refused(what: string, cause: unknown): StoreError {
  if (isError(cause) && /requires authentication/.test(cause.message))
    return new StoreError('MongoDB asks for a user and a password, and the client gives none: put them into its connection string', {
      cause,
    });
  return new StoreError(`the user of the client ${what}; give it the role \`readWrite\` on the database of the store`, { cause });
}

function codeOf(error: unknown): unknown {
  return error instanceof MongoServerError ? error.code : undefined;
}
