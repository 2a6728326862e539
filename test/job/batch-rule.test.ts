/** Tables of the next action of a batch, and of whether it takes one more step. */

import { describe, expect, it } from 'vitest';
import {
  type BatchAction,
  type BatchView,
  isCut,
  nextAction,
  notBelow,
  notExtended,
  stepsToCancel,
  takesSteps,
} from '../../src/job/batch-rule.js';
import type { JobRecord, JobState, QueuedJob } from '../../src/job/job-record.js';
import type { Status } from '../../src/job/job-status.js';

type Batch = Pick<QueuedJob, 'onFailure'> & Partial<BatchView> & { readonly kind?: 'serial' | 'parallel' };

const view: BatchView = { isCancelled: false, firstOpen: undefined, hasFailedStep: false, postprocess: undefined };

/** In each row a batch of parallel steps, unless it says otherwise. */
describe('a batch', () => {
  it.each<readonly [string, Batch, BatchAction]>([
    ['of parallel steps waits while one is under way', { firstOpen: 'active' }, 'wait'],
    ['of parallel steps waits for one that is blocked: all were released when it was opened', { firstOpen: 'blocked' }, 'wait'],
    ['of serial steps waits while one is under way', { kind: 'serial', firstOpen: 'active' }, 'wait'],
    ['of serial steps waits for one that is scheduled', { kind: 'serial', firstOpen: 'scheduled' }, 'wait'],
    ['of serial steps waits for the callbacks of one', { kind: 'serial', firstOpen: 'callbacks' }, 'wait'],
    ['of serial steps releases the next', { kind: 'serial', firstOpen: 'blocked' }, 'release-step'],
    ['releases the next after a failed one', { kind: 'serial', firstOpen: 'blocked', hasFailedStep: true }, 'release-step'],
    [
      'that fails with a step releases the next all the same',
      { kind: 'serial', firstOpen: 'blocked', hasFailedStep: true, onFailure: 'fail' },
      'release-step',
    ],
    [
      'that stops cancels the steps after a failed one',
      { kind: 'serial', firstOpen: 'blocked', hasFailedStep: true, onFailure: 'stop' },
      'cancel-steps',
    ],
    ['that stops cancels what runs beside a failed one', { firstOpen: 'active', hasFailedStep: true, onFailure: 'stop' }, 'cancel-steps'],
    ['that stops goes on while none has failed', { kind: 'serial', firstOpen: 'blocked', onFailure: 'stop' }, 'release-step'],
    ['that is cancelled cancels its steps', { firstOpen: 'active', isCancelled: true }, 'cancel-steps'],
    ['without an open step completes', {}, 'complete'],
    ['completes although a step failed', { hasFailedStep: true }, 'complete'],
    ['that stops completes with its steps', { hasFailedStep: true, onFailure: 'stop' }, 'complete'],
    ['that fails with a step fails', { hasFailedStep: true, onFailure: 'fail' }, 'fail'],
    ['that fails with a step completes where none has failed', { onFailure: 'fail' }, 'complete'],
    ['that is cancelled ends as cancelled', { isCancelled: true }, 'cancel'],
    ['that is cancelled ends so although a step failed', { isCancelled: true, hasFailedStep: true, onFailure: 'fail' }, 'cancel'],
    ['releases its postprocess after the last step', { postprocess: 'blocked' }, 'release-postprocess'],
    ['that stops releases its postprocess', { postprocess: 'blocked', hasFailedStep: true, onFailure: 'stop' }, 'release-postprocess'],
    ['waits for its postprocess', { postprocess: 'active' }, 'wait'],
    ['that fails waits for a postprocess that runs', { postprocess: 'active', hasFailedStep: true, onFailure: 'fail' }, 'wait'],
    ['takes the outcome of its postprocess', { postprocess: 'failed' }, 'take-outcome'],
    ['that fails cancels its postprocess first', { postprocess: 'blocked', hasFailedStep: true, onFailure: 'fail' }, 'cancel-postprocess'],
    ['that fails does so once its postprocess has ended', { postprocess: 'cancelled', hasFailedStep: true, onFailure: 'fail' }, 'fail'],
    ['that is cancelled cancels a postprocess that waits', { postprocess: 'blocked', isCancelled: true }, 'cancel-postprocess'],
    ['that is cancelled cancels a postprocess that runs', { postprocess: 'active', isCancelled: true }, 'cancel-postprocess'],
    ['that is cancelled ends so once its postprocess has ended', { postprocess: 'completed', isCancelled: true }, 'cancel'],
  ])('%s', (_fact, { kind = 'parallel', onFailure, ...seen }, action) => {
    expect(nextAction({ kind, ...(onFailure === undefined ? {} : { onFailure }) }, { ...view, ...seen })).toBe(action);
  });
});

/** Of a batch whose second step failed: which of the steps that are left are cancelled, and whether the postprocess is. */
describe('a batch that stops cancels', () => {
  it.each<readonly [string, 'serial' | 'parallel', object | undefined, number | undefined, readonly boolean[]]>([
    ['all that runs beside a failed step', 'parallel', undefined, 1, [true, true, true, true]],
    ['what comes after a failed step, and what has yet to begin before it', 'serial', undefined, 1, [false, true, true, true]],
    ['all, where no failed step is to be found', 'serial', undefined, undefined, [true, true, true, true]],
    ['all, where somebody cancels it', 'serial', { reason: 'why' }, 1, [true, true, true, true]],
  ])('%s', (_what, kind, cancel, failed, areCut) => {
    const cut = stepsToCancel({ kind }, cancel, failed);
    const steps = [
      [0, 'active'],
      [0, 'pending'],
      [2, 'active'],
      [3, 'blocked'],
    ] as const;
    expect(steps.map(([position, status]) => isCut(cut, position, status))).toEqual(areCut);
    expect([cut.reason, cut.withPostprocess]).toEqual(cancel === undefined ? ['step-failed', false] : ['why', true]);
  });
});

const job = (known: Partial<QueuedJob> = {}): QueuedJob => ({ id: '1', taskName: 'serial', kind: 'serial', ...known }) as QueuedJob;
const batch = (state: Partial<JobState>, known: Partial<QueuedJob> = {}): JobRecord => ({ job: job(known), state: state as JobState });

describe('one more step', () => {
  it.each<readonly [string, Partial<JobState>, Status | undefined, boolean]>([
    ['is taken by a batch that is blocked', { status: 'blocked' }, undefined, true],
    ['is taken by one that is scheduled', { status: 'scheduled' }, undefined, true],
    ['is taken by one that is pending', { status: 'pending' }, undefined, true],
    ['is taken while its steps are under way', { status: 'active', waitsFor: 'steps' }, undefined, true],
    ['is taken while its postprocess waits', { status: 'active', waitsFor: 'steps' }, 'blocked', true],
    ['comes too late once its postprocess may run', { status: 'active', waitsFor: 'steps' }, 'pending', false],
    ['comes too late once its postprocess has ended', { status: 'active', waitsFor: 'steps' }, 'completed', false],
    ['comes too late for one that is being cancelled', { status: 'active', waitsFor: 'steps', cancel: { reason: 'x' } }, undefined, false],
    ['comes too late for one that waits for its callbacks', { status: 'callbacks' }, undefined, false],
    ['comes too late for one that has ended', { status: 'completed' }, undefined, false],
  ])('%s', (_fact, state, postprocess, isTaken) => {
    expect(takesSteps(batch(state), postprocess)).toBe(isTaken);
  });

  it('is not taken by a job that is not a batch', () => {
    expect(takesSteps(batch({ status: 'active', waitsFor: 'steps' }, { kind: 'task' }), undefined)).toBe(false);
  });

  it.each([
    ['is not a batch', batch({ status: 'active' }, { kind: 'task', taskName: 'work' }), 'job 1 (work) is not a batch'],
    ['is being cancelled', batch({ status: 'active', cancel: { reason: 'x' } }), 'job 1 (serial) is being cancelled'],
    ['has ended', batch({ status: 'completed' }), 'the jobs of job 1 (serial) have ended, so none can be added to it: it is completed'],
  ])('is refused with the reason, where the parent %s', (_what, parent, text) => {
    expect(notExtended(parent).message).toContain(text);
  });

  it.each([
    ['step', 'task', true],
    ['step', 'parallel', false],
    ['callback', 'task', false],
  ] as const)('that is queued together with what it is below, as a %s of a %s, is refused: %j', (role, kind, isRefused) => {
    expect(notBelow(job({ role }), job({ kind })) !== undefined).toBe(isRefused);
  });
});
