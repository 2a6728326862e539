/** Which of its two drafts a callback becomes, as a table. */

import { expect, it } from 'vitest';
import { branchFor } from '../../src/job/callback-rule.js';

const both = { success: 'S', failure: 'F' };

it.each([
  ['that completed', both, 'completed', 'S'],
  ['that failed', both, 'failed', 'F'],
  ['that was cancelled', both, 'cancelled', undefined],
  ['that completed', { failure: 'F' }, 'completed', undefined],
  ['that failed', { success: 'S' }, 'failed', undefined],
  ['that failed', {}, 'failed', undefined],
] as const)('the callback of a job %s, with the drafts %j: %s becomes %s', (_what, branches, status, branch) => {
  expect(branchFor(branches, status)).toBe(branch);
});
