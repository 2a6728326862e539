/** Starts the longest files first, so that no worker begins one of them when the others have nothing left to do. */

import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** In the order of their time. Vitest knows it only from an earlier run, which a clean clone has not had. */
const LONGEST = [
  'test/contract/mongo-store.test.ts',
  'test/store/mongo/cancelled-batches.test.ts',
  'test/service/transactional-tasks.test.ts',
];

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.toSorted((one, other) => rankOf(one) - rankOf(other));
  }
}

function rankOf({ moduleId }: TestSpecification): number {
  const rank = LONGEST.findIndex((file) => moduleId.endsWith(file));
  return rank < 0 ? LONGEST.length : rank;
}
