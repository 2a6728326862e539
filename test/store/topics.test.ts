/** Topics: each change reaches those who listen to it, and nobody else. */

import { describe, expect, it } from 'vitest';
import type { ChangeFilter } from '../../src/store/store-changes.js';
import { queueIn, Topics, topicOf } from '../../src/store/topics.js';

it.each<[ChangeFilter, string, string | undefined]>([
  [{ work: '' }, 'work ', ''],
  [{ work: 'mail' }, 'work mail', 'mail'],
  [{ cancelsOf: 'd1' }, 'cancels d1', undefined],
  [{ job: '70dbd880a00087fbf7000001' }, '70dbd880a00087fbf7000001', undefined],
  [{ ended: '70dbd880a00087fbf7000001' }, '70dbd880a00087fbf7000001', undefined],
  [{ due: true }, 'due', undefined],
  [{ longWaits: 'here' }, 'long waits', undefined],
  [{ failures: 'here' }, 'failures', undefined],
  [{ outcomes: 'here' }, 'outcomes', undefined],
])('the topic of %j is "%s"', (filter, topic, queue) => {
  expect(topicOf(filter)).toBe(topic);
  expect(queueIn(topic)).toBe(queue);
});

describe('a topic', () => {
  it('has its changes from the subscription on, and is left with its last listener', () => {
    const left: string[] = [];
    const topics = new Topics((topic) => left.push(topic));
    const seen: string[] = [];
    topics.emit('a', { type: 'work' });
    const [one, two] = ['one', 'two'].map((name) => topics.changes('a').subscribe(({ type }) => seen.push(`${name} ${type}`)));
    topics.emit('b', { type: 'long-wait' });
    topics.emit('a', { type: 'work' });
    one?.unsubscribe();
    expect([topics.isHeard('a'), left]).toEqual([true, []]);
    two?.unsubscribe();
    expect([topics.isHeard('a'), left, seen]).toEqual([false, ['a'], ['one work', 'two work']]);
  });

  it('that completes is left, and one that completes with all others is not', () => {
    const left: string[] = [];
    const topics = new Topics((topic) => left.push(topic));
    const completed: string[] = [];
    for (const topic of ['a', 'b', 'c']) topics.changes(topic).subscribe({ complete: () => completed.push(topic) });
    topics.complete('a');
    topics.completeAll();
    expect([completed, left, [...topics.heard]]).toEqual([['a', 'b', 'c'], ['a'], []]);
  });
});
