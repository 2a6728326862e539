/** The options of a Mongo store: where it is, and for how long it keeps ended jobs. */

import type { MongoClient } from 'mongodb';
import { checkOption, checkOptions, is, type Rule, type Rules } from '../../check.js';

export interface MongoStoreOptions {
  /** A client of the application, connected to a replica set. */
  readonly client: MongoClient;
  /**
   * The client that the sessions of transactions belong to in which jobs are queued; connected to the same cluster.
   * @default `client`
   */
  readonly sessions?: MongoClient | undefined;
  /** The database in which the jobs live. */
  readonly database: string;
  /** Begins the names of the collections. @default 'millrace.' */
  readonly prefix?: string | undefined;
  /**
   * Milliseconds for which `start` tries to reach the database, again and again. Only the first answer counts: the start may take longer.
   * @default one try, which takes as long as the client looks for a server: its `serverSelectionTimeoutMS`, 30 s
   */
  readonly connectTimeoutMs?: number | undefined;
  /**
   * Milliseconds for which a job is kept after the end of the batch or job that it belongs to. At least half a minute, so that waiting
   * calls can read it and the jobs that its result names. A later read may find the job gone.
   * @default 604_800_000
   */
  readonly keepMs?: number | undefined;
}

export const MONGO_STORE_DEFAULTS = Object.freeze({
  prefix: 'millrace.',
  keepMs: 604_800_000,
} as const satisfies Partial<MongoStoreOptions>);

export type CheckedMongoOptions = {
  readonly [K in keyof Required<Omit<MongoStoreOptions, 'connectTimeoutMs'>>]: Exclude<MongoStoreOptions[K], undefined>;
} & Pick<MongoStoreOptions, 'connectTimeoutMs'>;

/** Also of another copy of the driver; one of another version says so at its first command. */
export const CLIENT: Rule = {
  must: 'a `MongoClient` of the package `mongodb`, such as `new MongoClient(uri)`',
  holds: (value) =>
    typeof value === 'object' && value !== null && ['db', 'startSession'].every((name) => typeof Reflect.get(value, name) === 'function'),
};

/** The databases of the server itself have no transactions. */
const OWN_DATABASES: ReadonlySet<unknown> = new Set(['admin', 'config', 'local']);
const LONGEST_DATABASE = 63;
const DATABASE: Rule = {
  must: `the name of a database: 1 to ${LONGEST_DATABASE} bytes without / \\ . " $ and spaces, and not admin, config or local`,
  holds: (value) =>
    is.text.holds(value) &&
    !/[/\\. "$]/.test(String(value)) &&
    Buffer.byteLength(String(value)) <= LONGEST_DATABASE &&
    !OWN_DATABASES.has(value),
};

const RULES: Rules<MongoStoreOptions> = {
  client: CLIENT,
  sessions: CLIENT,
  database: DATABASE,
  prefix: is.labelOrEmpty,
  connectTimeoutMs: is.timerMs,
  keepMs: is.durationMs,
};

/** @throws OptionError */
export function checkMongoOptions(options: MongoStoreOptions): CheckedMongoOptions {
  checkOptions<MongoStoreOptions>('`mongoStore`', options, RULES);
  checkOption('`mongoStore`', 'client', options.client, RULES.client);
  checkOption('`mongoStore`', 'database', options.database, RULES.database);
  const { client, sessions = client, database, connectTimeoutMs } = options;
  const { prefix = MONGO_STORE_DEFAULTS.prefix, keepMs = MONGO_STORE_DEFAULTS.keepMs } = options;
  return Object.freeze({ client, sessions, database, prefix, connectTimeoutMs, keepMs });
}
