/** `millrace/mongo`: the store on MongoDB, apart from the rest, so that only those who use it need its driver. */

export type { MongoStoreOptions } from './mongo-options.js';
export { mongoStore } from './mongo-store.js';
