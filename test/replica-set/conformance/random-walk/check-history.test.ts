/** That the check of a history finds what is wrong with it. */

import { describe, expect, it } from 'vitest';
import { checkHistory } from './check-history.js';
import type { Committed, History, Shown } from './history.js';

const versions = (entries: Readonly<Record<string, number>>): Map<string, number> => new Map(Object.entries(entries));

const committed = (id: string, reads: Readonly<Record<string, number>>, writes: Readonly<Record<string, number>>): Committed => ({
  id,
  client: Number(id[1]),
  reads: versions(reads),
  writes: versions(writes),
});

const shown = (...texts: readonly string[]): Shown[] =>
  texts.map((text) => {
    const [id = '', name = '', version] = text.split(' ');
    return { id, name, version: Number(version) };
  });

/** Client 0 writes x and y, then client 1 reads both and writes y, while client 2 reads what was before. */
const sound: History = {
  committed: [
    [committed('t0.1', { x: 0, y: 0 }, { x: 1, y: 1 })],
    [committed('t1.1', { x: 1, y: 1 }, { y: 2 })],
    [committed('t2.1', { x: 0, y: 0 }, {})],
  ],
  shown: [shown('t0.1 x 1', 't0.1 y 1', 't1.1 y 2'), shown('t0.1 x 1', 't0.1 y 1', 't1.1 y 2')],
  final: versions({ x: 1, y: 2 }),
};

const unsound: readonly (readonly [string, Partial<History>, RegExp])[] = [
  ['a change that one stream misses', { shown: [sound.shown[0] ?? [], shown('t0.1 x 1', 't1.1 y 2')] }, /Stream 1 differs/],
  ['two orders', { shown: [sound.shown[0] ?? [], shown('t0.1 y 1', 't0.1 x 1', 't1.1 y 2')] }, /Stream 1 differs/],
  ['a change shown twice', { shown: [shown('t0.1 x 1', 't0.1 y 1', 't0.1 y 1', 't1.1 y 2')] }, /shown twice/],
  [
    'a commit shown in two parts',
    { shown: [shown('t0.1 x 1', 't1.1 y 1', 't0.1 y 2')], final: versions({ x: 1, y: 2 }) },
    /not shown together/,
  ],
  [
    'a commit that no stream shows',
    { shown: [shown('t0.1 x 1', 't0.1 y 1')], final: versions({ x: 1, y: 1 }) },
    /t1.1 was committed and is not shown/,
  ],
  [
    'a change of an aborted transaction',
    { shown: [shown('t0.1 x 1', 't0.1 y 1', 't1.1 y 2', 't9.9 y 3')], final: versions({ x: 1, y: 3 }) },
    /t9.9 is shown/,
  ],
  ['another end than was shown', { final: versions({ x: 1, y: 3 }) }, /ends with version 3/],
  ['a version left out', { shown: [shown('t0.1 x 1', 't0.1 y 1', 't1.1 y 3')], final: versions({ x: 1, y: 3 }) }, /follows version 1/],
  [
    'a torn read',
    { committed: [...sound.committed.slice(0, 2), [committed('t2.1', { x: 1, y: 0 }, {})]] },
    /t2.1 of client 2 read x=1 y=0 .* none/,
  ],
  [
    'a write over what its snapshot did not have',
    { committed: [sound.committed[0] ?? [], [committed('t1.1', { x: 0, y: 1 }, { y: 2 })]] },
    /t1.1 of client 1/,
  ],
  [
    'two that wrote one document in overlapping lifetimes',
    { committed: [sound.committed[0] ?? [], [committed('t1.1', { x: 0 }, { y: 2 })]] },
    /t1.1 of client 1/,
  ],
  [
    'a snapshot from before its own last commit',
    { committed: [[...(sound.committed[0] ?? []), committed('t0.2', { x: 0 }, {})], ...sound.committed.slice(1)] },
    /t0.2 of client 0/,
  ],
];

describe('the check of a history', () => {
  it('finds nothing wrong with snapshot isolation', () => {
    expect(checkHistory(sound)).toEqual([]);
  });
  for (const [what, change, complaint] of unsound) {
    it(`finds ${what}`, () => {
      expect(checkHistory({ ...sound, ...change }).join('\n')).toMatch(complaint);
    });
  }
});
