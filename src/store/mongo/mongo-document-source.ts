/** Loads the documents that arguments refer to from a MongoDB database, in the transaction of a task where it is transactional. */

import type { ClientSession, Document, Filter, MongoClient } from 'mongodb';
import { checkOption, checkOptions, is, type Rules } from '../../check.js';
import type { DocumentSource } from '../../job/document-source.js';
import { CLIENT } from './mongo-options.js';

export interface MongoDocumentsOptions {
  /** A client of the application; for transactional tasks that of the store's `sessions`. */
  readonly client: MongoClient;
  /** The database in which the documents live. */
  readonly database: string;
}

const RULES: Rules<MongoDocumentsOptions> = { client: CLIENT, database: is.text };

/**
 * Makes a source of the documents of a database, by `_id`, read as the client reads.
 * @throws OptionError
 * @example container.bind(DocumentSource).toConstantValue(mongoDocuments({ client, database: 'app' }));
 */
export function mongoDocuments(options: MongoDocumentsOptions): DocumentSource {
  checkOptions<MongoDocumentsOptions>('`mongoDocuments`', options, RULES);
  const { client, database } = options;
  checkOption('`mongoDocuments`', 'client', client, RULES.client);
  checkOption('`mongoDocuments`', 'database', database, RULES.database);
  return {
    load: ({ collection, id, session }) => {
      const filter = { _id: id } as Filter<Document>;
      const found = client.db(database).collection(collection);
      return session === undefined ? found.findOne(filter) : found.findOne(filter, { session: session as ClientSession });
    },
  };
}
