/** The wait rule, as tables over small graphs of jobs. */

import { describe, expect, it } from 'vitest';
import type { Role } from '../../src/job/job-record.js';
import { isFinal } from '../../src/job/job-status.js';
import { placesNeeded, type Question, quotaLacking, type Search, type WaitingJob, waitersOf, waitsFor } from '../../src/job/wait-rule.js';

type State = WaitingJob['state'];

const active: State = { status: 'active' };
const batch: State = { status: 'active', waitsFor: 'steps' };
const blocked: State = { status: 'blocked' };
const pending: State = { status: 'pending' };
const completed: State = { status: 'completed', outcome: 'x' };
const callbacks: State = { status: 'callbacks', outcome: 'x' };
const follows = (job: string): State => ({ status: 'active', waitsFor: { job } });

function job(id: string, state: State, [parent, role, position]: readonly [string?, Role?, number?] = [], places = {}): WaitingJob {
  return { job: { id, parent, role, position, places }, state };
}

/** Answers a search over some jobs. */
function search<T>(over: readonly WaitingJob[], found: Search<T>): T {
  const answer = (question: Question): readonly WaitingJob[] => {
    const open = over.filter(({ state }) => !isFinal(state.status));
    if (question.find === 'job') return over.filter((one) => one.job.id === question.id);
    if (question.find === 'followers')
      return open.filter(({ state }) => typeof state.waitsFor === 'object' && state.waitsFor.job === question.id);
    return open.filter((one) => one.job.parent === question.id && question.roles.includes(one.job.role ?? 'step'));
  };
  for (let step = found.next(); ; step = found.next(answer(step.value))) if (step.done === true) return step.value;
}

/** A serial batch `S` of `1`, `2` and `3`, with the postprocess `P` and the callback `C`; `1` is under way, with the callback `c`. */
const serial = [
  job('S', batch),
  job('1', active, ['S', 'step', 0]),
  job('c', blocked, ['1', 'callback']),
  job('2', blocked, ['S', 'step', 1]),
  job('3', blocked, ['S', 'step', 2]),
  job('P', blocked, ['S', 'postprocess']),
  job('C', blocked, ['S', 'callback']),
];

describe('the end of a job waits for another one', () => {
  it.each<readonly [string, readonly WaitingJob[], string, string, boolean]>([
    ['as for itself', [job('a', active)], 'a', 'a', true],
    ['not, where they have nothing in common', [job('a', active), job('b', active)], 'a', 'b', false],
    ['not, where it has ended', [job('a', completed), job('b', active, ['a', 'callback'])], 'a', 'b', false],
    ['as a batch for its steps', serial, 'S', '1', true],
    ['as a batch for the last of its steps', serial, 'S', '3', true],
    ['as a batch for its postprocess', serial, 'S', 'P', true],
    ['as a batch for the callback of a step', serial, 'S', 'c', true],
    ['as a job for its callback', serial, '1', 'c', true],
    ['as a callback for its job', serial, 'c', '1', true],
    ['as a callback for the steps of its batch', serial, 'C', '3', true],
    ['as a step for the one before it', serial, '2', '1', true],
    ['as a step for the first, over the one between', serial, '3', '1', true],
    ['as a postprocess for every step', serial, 'P', '3', true],
    ['not, as a step for the one after it', serial, '1', '2', false],
    ['not, as a step for its batch', serial, '1', 'S', false],
    ['not, as a step for the postprocess', serial, '3', 'P', false],
    [
      'not, as a step of a batch whose turn has come, for what that batch waited for',
      [job('T', batch), job('0', active, ['T', 'step', 0]), job('S', pending, ['T', 'step', 1]), job('1', blocked, ['S', 'step', 0])],
      '1',
      '0',
      false,
    ],
    ['as one that follows it', [job('a', follows('b')), job('b', active)], 'a', 'b', true],
    ['as one that follows its batch', [job('a', follows('S')), ...serial], 'a', '3', true],
    ['not, as one that is followed', [job('a', follows('b')), job('b', active)], 'b', 'a', false],
    ['over a chain of followers', [job('a', follows('b')), job('b', follows('c')), job('c', active)], 'a', 'c', true],
    [
      'not, where what it follows has ended',
      [job('a', follows('b')), job('b', completed), job('c', active, ['b', 'callback'])],
      'a',
      'c',
      false,
    ],
    [
      'as a blocked step of a batch that has yet to begin, for what that batch waits for',
      [job('S', blocked, ['T', 'step', 1]), job('1', blocked, ['S', 'step', 0]), job('T', batch), job('0', active, ['T', 'step', 0])],
      '1',
      '0',
      true,
    ],
    [
      'as for the callbacks of a job whose outcome is there',
      [job('a', follows('b')), job('b', callbacks), job('c', active, ['b', 'callback'])],
      'a',
      'c',
      true,
    ],
    [
      'as for the steps of a batch that was cancelled before it began',
      [job('S', callbacks), job('1', callbacks, ['S', 'step', 0]), job('c', active, ['1', 'callback'])],
      'S',
      'c',
      true,
    ],
    ['in a circle, without end', [job('a', follows('b')), job('b', follows('a')), job('c', active)], 'a', 'c', false],
  ])('%s', (_how, jobs, id, other, waits) => {
    const from = jobs.find((one) => one.job.id === id) ?? job(id, active);
    expect(search(jobs, waitsFor(from, other))).toBe(waits);
  });
});

describe('the places that are needed', () => {
  it.each<readonly [string, readonly WaitingJob[], readonly object[]]>([
    ['are those of a job that waits', [job('a', pending, [], { gpu: 1 })], [{ gpu: 1 }]],
    ['are none of a job that runs', [job('a', active, [], { gpu: 1 })], []],
    [
      'are those of the steps that wait',
      [job('a', batch), job('1', active, ['a', 'step', 0], { x: 1 }), job('2', blocked, ['a', 'step', 1], { y: 2 })],
      [{ y: 2 }],
    ],
    ['are those of a callback', [job('a', active), job('c', blocked, ['a', 'callback'], { x: 1 })], [{ x: 1 }]],
    ['are those of a job that it follows', [job('a', follows('b')), job('b', pending, [], { x: 3 })], [{ x: 3 }]],
  ])('%s', (_fact, jobs, needed) => {
    expect(search(jobs, placesNeeded(jobs[0] ?? job('a', active)))).toEqual(needed);
  });
});

describe('the jobs that do not end before a job', () => {
  it.each<readonly [string, readonly WaitingJob[], string, readonly string[]]>([
    ['are none, where it is alone', [job('a', active)], 'a', []],
    [
      'are its batch, and the one around that',
      [job('T', batch), job('S', batch, ['T', 'step', 0]), job('1', active, ['S', 'step', 0])],
      '1',
      ['S', 'T'],
    ],
    [
      'are its followers, and their batches',
      [job('a', active), job('S', batch), job('1', follows('a'), ['S', 'step', 0])],
      'a',
      ['1', 'S'],
    ],
    ['are not its steps', serial, 'S', []],
  ])('%s', (_fact, jobs, id, waiters) => {
    expect(search(jobs, waitersOf(jobs.find((one) => one.job.id === id) ?? job(id, active)))).toEqual(waiters);
  });
});

it.each([
  ['none, where nothing is held', [{ gpu: 2 }], [], undefined],
  ['none, where enough is left', [{ gpu: 1 }], [{ gpu: 1 }], undefined],
  ['the one of which too much is held', [{ files: 1, gpu: 2 }], [{ gpu: 1 }], 'gpu'],
  ['the one of which too much is held by several together', [{ gpu: 1 }], [{ gpu: 1 }, { gpu: 1 }], 'gpu'],
  ['none, where nothing is held, though the quota is too small', [{ gpu: 3 }], [], undefined],
  ['none, where only others are held', [{ gpu: 2 }], [{ files: 4 }], undefined],
  ['one that is gone', [{ gone: 1 }], [{ gone: 1 }], 'gone'],
])('a quota of which too little is left: %s', (_fact, needed, held, quota) => {
  const sizes = new Map([
    ['files', 4],
    ['gpu', 2],
  ]);
  expect(quotaLacking(needed, held as readonly Record<string, number>[], sizes)).toBe(quota);
});
