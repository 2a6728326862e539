/** The keys of lanes, made and read again. */

import { describe, expect, it } from 'vitest';
import type { QueuedJob } from '../../src/job/job-record.js';
import { isLane, laneOf, partsOf, placesIn } from '../../src/job/lane.js';

type Waiting = Parameters<typeof laneOf>[0];
const job = (known: Partial<QueuedJob> = {}): Waiting => ({ kind: 'task', queue: 'mail', taskName: 'Mail.send', places: {}, ...known });

describe('the lane', () => {
  it.each<readonly [string, Waiting, boolean, string]>([
    ['of a job without quotas', job(), false, '["mail","Mail.send",[]]'],
    ['of a job of several quotas', job({ places: { files: 1, gpu: 2 } }), false, '["mail","Mail.send",["files:1","gpu:2"]]'],
    ['of a job that waits with its places', job({ places: { gpu: 2 } }), true, '["mail","Mail.send","!"]'],
    ['of a later version of the arguments', job({ version: 3 }), false, '["mail","Mail.send\\u00003",[]]'],
    ['of a batch', job({ kind: 'serial', taskName: 'serial' }), false, '["mail",["serial"],[]]'],
    ['of a callback that is not decided', job({ kind: 'choice', taskName: 'choice' }), false, '["mail",["choice"],[]]'],
  ])('%s', (_what, of, keepsPlaces, key) => {
    expect(laneOf(of, keepsPlaces)).toBe(key);
    expect(isLane(key)).toBe(true);
  });

  it.each<readonly [string, Waiting, boolean, object]>([
    ['a task', job(), false, { queue: 'mail', taskVersion: 'Mail.send', isComposite: false }],
    [
      'a task with quotes in its names',
      job({ queue: '"]', taskName: '["' }),
      false,
      { queue: '"]', taskVersion: '["', isComposite: false },
    ],
    ['a batch', job({ kind: 'parallel' }), false, { queue: 'mail', taskVersion: 'parallel', isComposite: true }],
  ])('tells the queue and the form of %s', (_what, of, keepsPlaces, parts) => {
    expect(partsOf(laneOf(of, keepsPlaces))).toEqual(parts);
  });

  it.each<readonly [string, Waiting['places'], boolean, Waiting['places']]>([
    ['none', {}, false, {}],
    ['some, of a quota with a colon in its name', { 'api:x': 12, gpu: 2 }, false, { 'api:x': 12, gpu: 2 }],
    ['none, where the job has them in hand', { gpu: 2 }, true, {}],
  ])('tells the places that its jobs need: %s', (_what, places, keepsPlaces, needed) => {
    expect(placesIn(laneOf(job({ places }), keepsPlaces))).toEqual(needed);
  });

  it.each([
    ['', false],
    ['mail', false],
    ['["mail"', false],
    ['["mail"]', false],
    ['["mail","Mail.send"]', false],
    ['["mail","Mail.send",["gpu"]]', false],
    ['[1,"Mail.send",[]]', false],
    ['["mail",[1],[]]', false],
    ['["mail","Mail.send",["gpu:2"]]', true],
    [undefined, false],
    [5, false],
  ])('is told from a text that is not one: %j', (text, is) => {
    expect(isLane(text)).toBe(is);
  });
});
