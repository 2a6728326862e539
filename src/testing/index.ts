/** `millrace/testing`: for tests of tasks. The store contract is in `millrace/testing/contract`. */

export { seededRandom } from './seeded-random.js';
export { type TestAsync, type TestAsyncOptions, testAsync } from './test-async.js';
export {
  type DocumentCollection,
  type PlainDocument,
  type TransactionalDocuments,
  transactionalDocuments,
} from './transactional-documents.js';
export { VirtualClock } from './virtual-clock.js';
