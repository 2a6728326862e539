/** Tables of the size of a job: what counts, and what becomes of a result that does not fit. */

import { expect, it } from 'vitest';
import type { JobRecord, JobState, QueuedJob } from '../../src/job/job-record.js';
import { checkJobSize, fitting, MAX_JOB_BYTES, problemOfSize, queuedBytes, storedBytes, valueBytes } from '../../src/job/job-size.js';
import type { StoredOutcome } from '../../src/job/outcome.js';
import { Payload } from '../../src/job/payload.js';

const ofBytes = (bytes: number): Payload => ({ bytes }) as Payload;
const job = (known: Partial<QueuedJob> = {}): QueuedJob => ({ id: '1', taskName: 'work', args: ofBytes(10), ...known }) as QueuedJob;
const record = (state: Partial<JobState>): JobRecord => ({ job: job(), state: state as JobState });
const completed = (bytes: number): StoredOutcome => ({ status: 'completed', result: ofBytes(bytes) });

it.each<readonly [string, Partial<JobState>, number]>([
  ['its arguments', {}, 10],
  ['each annotation, with its name', { annotations: { a: ofBytes(5), bc: ofBytes(7) } }, 10 + 5 + 7 + 3 * (13 + 14)],
  ['its progress', { progress: 0.5 }, 10 + valueBytes('progress', Payload.of(0.5, 'progress').bytes)],
])('the size of a job counts %s', (_what, state, bytes) => {
  expect(storedBytes(record(state))).toBe(bytes);
});

it('the size of an undecided callback counts both of its drafts', () => {
  const draft = (bytes: number) => [job({ args: ofBytes(bytes) })] as const;
  const [one, both] = [{ success: draft(1_000) }, { success: draft(1_000), failure: draft(500) }].map((branches) =>
    queuedBytes(job({ branches })),
  );
  expect((both ?? 0) - (one ?? 0)).toBeGreaterThanOrEqual(500);
  expect(one).toBeGreaterThanOrEqual(1_010);
});

it.each<readonly [string, StoredOutcome, number, boolean]>([
  ['a result up to the limit', completed(MAX_JOB_BYTES - 10), 10, true],
  ['one byte more', completed(MAX_JOB_BYTES - 9), 10, false],
  ['an error, whose size is limited by itself', { status: 'failed', error: { name: 'E', message: 'm' } }, MAX_JOB_BYTES, true],
  ['a cancellation', { status: 'cancelled', reason: 'why' }, MAX_JOB_BYTES, true],
])('fits into its job, or fails it: %s', (_what, outcome, stored, fits) => {
  expect(problemOfSize(outcome, job(), stored) === undefined).toBe(fits);
  const written = fitting(outcome, job(), stored);
  if (fits) expect(written).toBe(outcome);
  else expect(written).toMatchObject({ status: 'failed', error: { code: 'MILLRACE_TOO_LARGE' } });
});

it.each([
  ['arguments up to the limit', MAX_JOB_BYTES, false],
  ['one byte more', MAX_JOB_BYTES + 1, true],
])('a job is refused for its arguments only above the limit: %s', (_what, bytes, isRefused) => {
  const check = (): void => checkJobSize(job({ args: ofBytes(bytes) }));
  if (isRefused) expect(check).toThrow('the arguments of work take');
  else expect(check).not.toThrow();
});
