/** `millrace/testing`: for tests of tasks, and for those who write a store. */

export { runStoreCase, type StoreCase } from './contract/store-case.js';
export { storeContract } from './contract/store-contract.js';
export type { StoreBench } from './contract/store-lab.js';
export { seededRandom } from './seeded-random.js';
export { type TestAsync, type TestAsyncOptions, testAsync } from './test-async.js';
export {
  type DocumentCollection,
  type PlainDocument,
  type TransactionalDocuments,
  transactionalDocuments,
} from './transactional-documents.js';
export { VirtualClock } from './virtual-clock.js';
