/** The places of a quota that the queues of one dispatcher want together. */

import { describe, expect, it } from 'vitest';
import { Demand } from '../../../../src/store/mongo/quotas/demand.js';

const one = { first: 1, least: 1, all: 1 };
const three = { first: 3, least: 3, all: 3 };
const nothingSaved = { setAside: 0, secured: 0 };

/** A queue that has asked for places, `idle` of which are idle then. */
function asks(demand: Demand, queue: string, { need, idle }: { readonly need: typeof one; readonly idle: number }): boolean {
  demand.begin(queue);
  demand.answered(queue, need, idle);
  return demand.announce(idle - need.all);
}

describe('the places that a dispatcher wants', () => {
  it('notify another queue when those it lacks are there, once, and not before', () => {
    const demand = new Demand();
    const seen = [
      asks(demand, 'b', { need: three, idle: 2 }),
      asks(demand, 'a', { need: one, idle: 2 }),
      asks(demand, 'a', { need: one, idle: 4 }),
      asks(demand, 'a', { need: one, idle: 4 }),
    ];
    expect(seen).toEqual([false, false, true, false]);
  });

  it('notify again once the queue has lacked them again', () => {
    const demand = new Demand();
    asks(demand, 'b', { need: three, idle: 2 });
    const seen = [4, 3, 4].map((idle) => asks(demand, 'a', { need: one, idle }));
    expect(seen).toEqual([true, false, true]);
  });

  it('are those of all queues that lack some, and the saved ones', () => {
    const demand = new Demand();
    asks(demand, 'b', { need: three, idle: 2 });
    demand.begin('a');
    expect(demand.withOthers(one, { setAside: 5, secured: 2 })).toEqual({ first: 6, least: 6, all: 6 });
  });

  it('leave a queue out that has enough, or wants none', () => {
    const demand = new Demand();
    asks(demand, 'a', { need: three, idle: 3 });
    asks(demand, 'b', { need: three, idle: 0 });
    expect(demand.withdraw('b')).toBe(true);
    expect(demand.withdraw('b')).toBe(false);
    expect(demand.withOthers(one, nothingSaved)).toEqual(one);
    expect(demand.isEmpty).toBe(false);
    demand.withdraw('a');
    expect(demand.isEmpty).toBe(true);
  });
});
