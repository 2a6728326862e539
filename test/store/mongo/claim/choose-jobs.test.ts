/** Which jobs a claim takes, as a table: what waits, what is known, what is chosen. */

import { describe, expect, it } from 'vitest';
import { type ClaimView, chooseJobs, type WaitingJob } from '../../../../src/store/mongo/claim/choose-jobs.js';
import { PlaceSavers, SAVES_AFTER_MS } from '../../../../src/store/place-savers.js';

interface Waiting extends WaitingJob {
  readonly name: string;
}

/** A task that waits alone in its lane and needs nothing. */
function job(name: string, over: Partial<Waiting> = {}): Waiting {
  return { name, lane: name, kind: 'task', status: 'pending', places: {}, ...over };
}

const inLane = (lane: string, quotas: Waiting['places'], ...names: string[]): readonly Waiting[] =>
  names.map((name) => job(name, { lane, places: quotas }));
const batch = (name: string, over: Partial<Waiting> = {}): Waiting => job(name, { kind: 'serial', ...over });

interface Known {
  readonly limit?: number;
  /** By quota: how many places are held, and how many of them are idle. */
  readonly places?: Readonly<Record<string, readonly [held: number, idle: number]>>;
  readonly overbooked?: string;
  readonly othersWait?: string;
  readonly starts?: Readonly<Record<string, number>>;
  readonly cancelled?: string;
  readonly goneBack?: string;
  readonly notAhead?: string;
  /** A lane for which places are saved, and what it needs. */
  readonly saved?: readonly [lane: string, quotas: Waiting['places']];
}

function view({ limit = 9, places = {}, starts = {}, saved, ...known }: Known): ClaimView<Waiting> {
  const savers = new PlaceSavers();
  if (saved !== undefined) savers.save(...saved, 0);
  return {
    limit,
    places: {
      book: new Map([
        ['a', 9],
        ['b', 9],
      ]),
      savers,
      nowMs: SAVES_AFTER_MS,
      held: (quota) => ({ places: places[quota]?.[0] ?? 0, free: places[quota]?.[1] ?? 0 }),
      isOverbooked: (quota) => quota === known.overbooked,
      doOthersWait: (quota) => quota === known.othersWait,
    },
    startsLeft: (quota) => starts[quota],
    isCancelled: ({ name }) => name === known.cancelled,
    isQueued: ({ name }) => name !== known.goneBack,
    mayBeClaimedAhead: ({ name, kind }) => kind === 'task' && name !== known.notAhead,
  };
}

/** The choice in one line: jobs to begin; `| behind`; `+ batch` or `...` before one; and, by lane, `lane!obstacle`. */
function chosen(waiting: readonly Waiting[], known: Known): string {
  const { begin, behind, open, endsAtBatch, stuck } = chooseJobs(waiting, view(known));
  const names = (jobs: readonly Waiting[]): string => jobs.map(({ name }) => name).join(' ');
  const parts = [
    names(begin),
    open === undefined ? '' : `+ ${open.name}`,
    endsAtBatch ? '...' : '',
    behind.length === 0 ? '' : `| ${names(behind)}`,
    [...stuck].map(([lane, obstacle]) => `${lane}!${obstacle}`).join(' '),
  ];
  return parts.filter((part) => part !== '').join(' ');
}

const one = { a: 1 };
const three = inLane('L', one, 'x', 'y', 'z');
const ahead = inLane('L', one, 'x', 'y').map((queued): Waiting => ({ ...queued, status: 'assigned' }));
const goesOn = job('x', { places: one, reservation: 'attempt' });

type Row = readonly [fact: string, waiting: readonly Waiting[], known: Known, chosen: string];

describe.each<readonly [string, readonly Row[]]>([
  [
    'jobs that need no places',
    [
      ['nothing waits', [], {}, ''],
      ['all begin, in their order', [job('x'), job('y')], {}, 'x y'],
      ['no more begin than are wanted', [job('x'), job('y')], { limit: 1 }, 'x'],
      ['none begins if none is wanted', [job('x')], { limit: 0 }, ''],
      ['a job of a cancelled batch is passed by', [job('x'), job('y')], { cancelled: 'x' }, 'y'],
      ['a rate of a quota that they do not need is of no concern', [job('x')], { starts: { a: 0 } }, 'x'],
    ],
  ],
  [
    'places',
    [
      [
        'as many begin as there are idle places, and the next may be claimed ahead',
        three,
        { places: { a: [2, 2] } },
        'x y | z L!own-place',
      ],
      ['all in use: the next place is the own one', three, { places: { a: [1, 0] } }, '| x y z L!own-place'],
      ['none held: another dispatcher has them', three, {}, 'L!place'],
      ['others lack places, so the next is not the own one', three, { places: { a: [1, 0] }, othersWait: 'a' }, 'L!place'],
      ['idle places are used though others lack some', three, { places: { a: [1, 1] }, othersWait: 'a' }, 'x L!place'],
      [
        'idle places of a quota that was made smaller are not used',
        three,
        { places: { a: [3, 3] }, overbooked: 'a' },
        '| x y z L!own-place',
      ],
      ['a job takes as many places as it weighs', inLane('L', { a: 2 }, 'x', 'y'), { places: { a: [3, 3] } }, 'x | y L!own-place'],
      ['fewer are held than it weighs', inLane('L', { a: 4 }, 'x'), { places: { a: [3, 3] } }, 'L!place'],
      ['of two quotas one is not held', [job('x', { places: { a: 1, b: 1 } })], { places: { a: [1, 1] } }, 'x!place'],
      [
        'a job that lacks one of two places takes neither',
        [job('x', { places: { a: 1, b: 1 } }), ...three],
        { places: { a: [1, 1] } },
        'x | y z x!place L!own-place',
      ],
      ['other lanes go on beside one that is stuck', [...three, job('w')], {}, 'w L!place'],
      ['nothing is chosen to be claimed ahead once the limit is reached', three, { limit: 1, places: { a: [1, 1] } }, 'x'],
      ['a job that must not be claimed ahead stays', three, { places: { a: [1, 0] }, notAhead: 'y' }, '| x z L!own-place'],
      ['a job that goes on with its places needs none', [goesOn], {}, 'x'],
    ],
  ],
  [
    'jobs of the local queue',
    [
      ['begin with a place', ahead, { places: { a: [1, 1] } }, 'x L!own-place'],
      ['wait for one, and are not claimed ahead again', ahead, { places: { a: [1, 0] } }, 'L!own-place'],
      ['one that was handed back meanwhile is passed by', ahead, { places: { a: [1, 1] }, goneBack: 'x' }, 'y'],
      ['jobs behind them may be claimed ahead', [...ahead, ...inLane('L', one, 'z')], { places: { a: [1, 1] } }, 'x | z L!own-place'],
    ],
  ],
  [
    'rates',
    [
      ['as many begin as there are starts', three, { places: { a: [3, 3] }, starts: { a: 2 } }, 'x y L!start'],
      ['no start is left', three, { places: { a: [3, 3] }, starts: { a: 0 } }, 'L!start'],
      ['a job that only lacks a place is not claimed ahead', three, { places: { a: [1, 0] }, starts: { a: 3 } }, 'L!place'],
      ['a job that goes on has been counted', [goesOn], { starts: { a: 0 } }, 'x'],
      [
        'a job that lacks a place uses no start',
        [job('x', { places: { a: 1, b: 1 } }), ...inLane('L', one, 'y')],
        { places: { a: [1, 1] }, starts: { a: 1 } },
        'y x!place',
      ],
    ],
  ],
  [
    'batches',
    [
      ['one that comes first is opened alone', [batch('p'), job('x')], {}, '+ p'],
      ['one that comes later ends the choice before it', [job('x'), batch('p'), job('y')], {}, 'x ...'],
      ['one that has no place is passed by', [batch('p', { places: one }), job('x')], {}, 'x p!place'],
      ['one that has no place is not claimed ahead', [batch('p', { places: one })], { places: { a: [1, 0] } }, 'p!own-place'],
      ['one that has a place is opened', [batch('p', { places: one })], { places: { a: [1, 1] } }, '+ p'],
      ['one behind jobs that are stuck is opened', [...three, batch('p')], {}, '+ p L!place'],
      ['one of a cancelled batch is passed by', [batch('p'), job('x')], { cancelled: 'p' }, 'x'],
    ],
  ],
  [
    'places that are saved for another lane',
    [
      ['are not taken', three, { places: { a: [2, 2] }, saved: ['W', { a: 2 }] }, '| x y z L!own-place'],
      ['leave the rest', three, { places: { a: [3, 3] }, saved: ['W', { a: 2 }] }, 'x | y z L!own-place'],
      [
        'are taken by the first of that lane, and none is saved for the next',
        [...inLane('W', { a: 2 }, 'w'), ...three],
        { places: { a: [3, 3] }, saved: ['W', { a: 2 }] },
        'w x | y z L!own-place',
      ],
    ],
  ],
])('%s', (_subject, rows) => {
  it.each(rows)('%s', (_fact, waiting, known, line) => {
    expect(chosen(waiting, known)).toBe(line);
  });
});

it('names the first job of each lane that lacks a place, and none that lacks a start', () => {
  const waiting = [...three, ...inLane('M', { b: 1 }, 'm'), job('w')];
  expect(chooseJobs(waiting, view({ starts: { b: 0 } })).short.map(({ name }) => name)).toEqual(['x']);
});

it('leaves the view as it was', () => {
  const known = view({ places: { a: [2, 2] }, saved: ['L', { a: 2 }] });
  const first = chooseJobs(three, known);
  expect(chooseJobs(three, known)).toEqual(first);
  expect(known.places.savers.lanes(SAVES_AFTER_MS)).toEqual(['L']);
});
