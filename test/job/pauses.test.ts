/** Tables of pauses, and of the jobs that they keep from beginning. */

import { describe, expect, it } from 'vitest';
import { isLanePaused, isPaused, NOTHING_PAUSED, type Pausable, type Paused, withPause } from '../../src/job/pauses.js';

const paused = (...what: readonly Pausable[]): Paused => what.reduce<Paused>((before, one) => withPause(before, one, true), NOTHING_PAUSED);

describe('a pause', () => {
  it.each<readonly [string, Paused, string, string | undefined, boolean]>([
    ['of nothing lets jobs begin', paused(), 'mail', 'send', false],
    ['of everything lets none begin', paused('everything'), 'mail', 'send', true],
    ['of everything lets no batch begin either', paused('everything'), 'mail', undefined, true],
    ['of a queue lets none of that begin', paused({ queue: 'mail' }), 'mail', 'send', true],
    ['of a queue lets others begin', paused({ queue: 'mail' }), 'other', 'send', false],
    ['of a task lets none of that begin, in any queue', paused({ taskNames: ['send'] }), 'other', 'send', true],
    ['of a task holds for all its versions', paused({ taskNames: ['send'] }), 'mail', 'send\u00003', true],
    ['of a task lets others begin', paused({ taskNames: ['send'] }), 'mail', 'sendAll', false],
    ['of a task lets a queue as such go on', paused({ taskNames: ['send'] }), 'mail', undefined, false],
  ])('%s', (_fact, all, queue, taskVersion, is) => {
    expect(isPaused(all, queue, taskVersion)).toBe(is);
  });

  it.each<readonly [string, Paused, string, boolean]>([
    ['of a task holds for its lane', paused({ taskNames: ['send'] }), '["mail","send",[]]', true],
    ['of a task lets a batch of that name go on', paused({ taskNames: ['serial'] }), '["mail",["serial"],[]]', false],
    ['of a queue holds for its batches', paused({ queue: 'mail' }), '["mail",["serial"],[]]', true],
  ])('%s', (_fact, all, lane, is) => {
    expect(isLanePaused(all, lane)).toBe(is);
  });

  it.each<readonly [string, Paused, Pausable, boolean, Partial<Paused>]>([
    ['is noted once', paused({ queue: 'a' }), { queue: 'a' }, true, { queues: ['a'] }],
    ['is taken back for itself', paused({ queue: 'a' }, { queue: 'b' }), { queue: 'a' }, false, { queues: ['b'] }],
    ['of a queue stays when everything is resumed', paused('everything', { queue: 'a' }), 'everything', false, { queues: ['a'] }],
    ['of a task is noted under all its names', paused(), { taskNames: ['x', 'y'] }, true, { taskNames: ['x', 'y'] }],
    ['that was not there can be taken back', paused(), { taskNames: ['x'] }, false, {}],
  ])('%s', (_fact, before, what, is, after) => {
    expect(withPause(before, what, is)).toEqual({ ...NOTHING_PAUSED, ...after });
  });
});
