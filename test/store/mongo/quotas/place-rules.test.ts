/** When a dispatcher asks for places, and how many idle ones it gives up, as tables. */

import { describe, expect, it } from 'vitest';
import { type AskView, ask, type IdleView, surplus, type Wait } from '../../../../src/store/mongo/quotas/place-rules.js';

interface Had {
  readonly held: number;
  readonly idle: number;
  readonly isInDoubt?: boolean;
  readonly room?: number;
  readonly othersHold?: boolean;
  readonly waits?: Wait;
}

/** Jobs that each take two places: the first, and another behind it. */
const need = { first: 2, least: 2, all: 4 };

function view({ held, idle, isInDoubt = false, room = 0, othersHold = true, waits }: Had): AskView {
  return { need, had: { places: held, free: idle, isInDoubt }, room, doOthersHold: othersHold, isWaiting: (wait) => wait === waits };
}

describe('a dispatcher whose jobs take two places each', () => {
  it.each<readonly [string, Had, Wait | undefined]>([
    ['has idle places for all: it does not ask', { held: 4, idle: 4, room: 9 }, undefined],
    ['has none, and there are some: it lacks them', { held: 0, idle: 0, room: 2 }, 'lacking'],
    ['has none, and others hold all: it lacks them', { held: 0, idle: 0 }, 'lacking'],
    ['has too few for one job', { held: 1, idle: 1 }, 'lacking'],
    ['lacks some, and waits for them already', { held: 0, idle: 0, waits: 'lacking' }, undefined],
    ['lacks some, and waits for idle ones: it says that it lacks some now', { held: 0, idle: 0, waits: 'for-idle' }, 'lacking'],
    ['lacks some and waits, but there are enough now', { held: 0, idle: 0, room: 2, waits: 'lacking' }, 'lacking'],
    ['lacks some and waits, and the free places do not suffice', { held: 0, idle: 0, room: 1, waits: 'lacking' }, undefined],
    ['has idle places for the first, and there are more', { held: 2, idle: 2, room: 2 }, 'for-idle'],
    ['has idle places for the first, and there are no more', { held: 2, idle: 2 }, undefined],
    ['has its places in use, and others may have idle ones', { held: 2, idle: 0 }, 'for-idle'],
    ['has its places in use, and nobody else holds any', { held: 2, idle: 0, othersHold: false }, undefined],
    ['has its places in use, and waits for idle ones already', { held: 2, idle: 0, waits: 'for-idle' }, undefined],
    ['has its places in use, and there are more', { held: 2, idle: 0, room: 1, othersHold: false }, 'for-idle'],
    ['is in doubt, and lacks some: it asks, so that the answer tells', { held: 0, idle: 0, isInDoubt: true, waits: 'lacking' }, 'lacking'],
    ['is in doubt, and has enough for the first', { held: 2, idle: 2, isInDoubt: true }, 'for-idle'],
    ['is in doubt, and has enough for all', { held: 4, idle: 4, isInDoubt: true }, undefined],
  ])('%s', (_fact, had, wait) => {
    expect(ask(view(had))).toBe(wait);
  });
});

const idle: IdleView = { free: 3, excess: 0, isWanted: true, doOthersLack: false, couldOthersUse: false, secured: 0 };

describe('of three idle places a dispatcher gives up', () => {
  it.each<readonly [string, Partial<IdleView>, number]>([
    ['none, if nobody waits', {}, 0],
    ['none, if it has no jobs for them either', { isWanted: false }, 0],
    ['none, if others only take idle ones and it has jobs for them', { couldOthersUse: true }, 0],
    ['all, if others take idle ones and it has no jobs for them', { couldOthersUse: true, isWanted: false }, 3],
    ['all, if others lack some', { doOthersLack: true, couldOthersUse: true }, 3],
    ['none that are saved', { doOthersLack: true, secured: 2 }, 1],
    ['none, if as many are saved', { doOthersLack: true, secured: 5 }, 0],
    ['as many as the quota has too few', { excess: 2 }, 2],
    ['no more than it has', { excess: 9 }, 3],
    ['also saved ones, if the quota has too few', { excess: 2, secured: 3 }, 2],
    ['none, if all are in use', { free: 0, doOthersLack: true }, 0],
  ])('%s', (_fact, known, given) => {
    expect(surplus({ ...idle, ...known })).toBe(given);
  });
});
