/**
 * `millrace/testing/contract`: the promises that every store must keep, for those who write one; apart from `millrace/testing`, so that
 * tests of tasks do not load it.
 */

export { runStoreCase, type StoreCase } from './store-case.js';
export { storeContract } from './store-contract.js';
export type { StoreBench } from './store-lab.js';
