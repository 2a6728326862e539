/** The table of moves: from where to where a job may go, and what a new job begins as. */

import { describe, expect, it } from 'vitest';
import { dueTime, firstState, type JobState, moved } from '../../src/job/job-record.js';
import {
  checkMove,
  FINAL,
  isFinal,
  isWaiting,
  MOVES,
  type MoveName,
  OPEN,
  STATUSES,
  type Status,
  WAITING,
} from '../../src/job/job-status.js';

describe('a move', () => {
  it.each<readonly [MoveName, Status, Status, boolean]>([
    ['promote', 'scheduled', 'pending', true],
    ['promote', 'blocked', 'pending', false],
    ['unblock', 'blocked', 'pending', true],
    ['unblock', 'blocked', 'scheduled', true],
    ['unblock', 'blocked', 'active', false],
    ['claim', 'pending', 'active', true],
    ['claim', 'scheduled', 'active', false],
    ['claimAhead', 'blocked', 'assigned', true],
    ['begin', 'assigned', 'active', true],
    ['begin', 'pending', 'active', false],
    ['handBack', 'assigned', 'pending', true],
    ['handBack', 'callbacks', 'pending', false],
    ['rerun', 'active', 'active', true],
    ['retryLater', 'active', 'scheduled', true],
    ['interrupt', 'active', 'pending', true],
    ['interrupt', 'assigned', 'pending', false],
    ['follow', 'active', 'active', true],
    ['end', 'active', 'failed', true],
    ['end', 'pending', 'failed', false],
    ['cancel', 'pending', 'cancelled', true],
    ['cancel', 'active', 'cancelled', false],
    ['cancel', 'pending', 'completed', false],
    ['expire', 'scheduled', 'failed', true],
    ['expire', 'assigned', 'failed', false],
    ['expire', 'active', 'failed', false],
    ['pass', 'blocked', 'completed', true],
    ['finish', 'callbacks', 'completed', true],
    ['finish', 'active', 'completed', false],
  ])('`%s` from %s to %s: %j', (name, from, to, may) => {
    const check = expect(() => checkMove([name], from, to));
    if (may) check.not.toThrow();
    else check.toThrow(`no move '${name}' leads from ${from} to ${to}`);
  });

  it('may be one of several, each of which leads where the table says', () => {
    expect(() => checkMove(['end', 'finish'], 'callbacks', 'cancelled')).not.toThrow();
    expect(() => checkMove(['end', 'finish'], 'active', 'cancelled')).not.toThrow();
    expect(() => checkMove(['claim', 'claimAhead'], 'blocked', 'active')).toThrow(
      "no move 'claim' or 'claimAhead' leads from blocked to active",
    );
  });

  it('never leaves a final status, and none leads back to before the queueing', () => {
    for (const move of Object.values(MOVES)) {
      expect(move.from.filter(isFinal)).toEqual([]);
      expect(move.to as readonly Status[]).not.toContain('blocked');
    }
  });

  it('leads into every status but the first ones, and out of every one but the final ones', () => {
    const moves = Object.values(MOVES);
    expect(new Set(moves.flatMap(({ from }): readonly Status[] => from))).toEqual(new Set(OPEN));
    expect(new Set(moves.flatMap(({ to }): readonly Status[] => to))).toEqual(
      new Set([...OPEN, ...FINAL].filter((one) => one !== 'blocked')),
    );
  });

  it('that is not in the table is refused, with both statuses', () => {
    const state = { status: 'completed' } as JobState;
    expect(() => moved(state, 'retryLater', 'pending')).toThrow("no move 'retryLater' leads from completed to pending");
  });

  it('writes its fields, and removes those that are given as undefined', () => {
    const state = { status: 'pending', attempts: 0, dueAt: new Date(5) } as JobState;
    expect(moved(state, 'claim', 'active', { attempts: 1, dueAt: undefined })).toEqual({ status: 'active', attempts: 1, dueAt: undefined });
  });
});

it.each(Object.keys(STATUSES) as Status[])('`%s` waits, runs or is final, and only one of these', (status) => {
  const isOpen = (OPEN as readonly Status[]).includes(status);
  expect(isFinal(status)).toBe(!isOpen);
  expect(isWaiting(status)).toBe((WAITING as readonly Status[]).includes(status));
});

describe('a new job', () => {
  const now = new Date(1_000);
  it.each<readonly [string, Parameters<typeof firstState>[0], boolean, Status, number | undefined]>([
    ['is pending', {}, false, 'pending', undefined],
    ['is blocked behind another one, whatever its times', { delayMs: 5 }, true, 'blocked', undefined],
    ['is scheduled after a delay', { delayMs: 5 }, false, 'scheduled', 1_005],
    ['is scheduled for a time to come', { beginAfter: new Date(2_000) }, false, 'scheduled', 2_000],
    ['is pending where its time has come', { beginAfter: new Date(1_000) }, false, 'pending', undefined],
    ['is pending where its time is over', { beginAfter: new Date(1) }, false, 'pending', undefined],
    ['is pending after no delay', { delayMs: 0 }, false, 'pending', undefined],
  ])('%s', (_fact, job, isBlocked, status, dueMs) => {
    const state: { readonly status: Status; readonly dueAt?: Date } = firstState(job, { order: 1, now }, isBlocked);
    expect([state.status, state.dueAt?.getTime()]).toEqual([status, dueMs]);
    if (!isBlocked) expect(dueTime(job, now)?.getTime()).toBe(dueMs);
  });
});
