/** Moves as writes: only a transition writes a status, from where and to where the table says. */

import { describe, expect, it } from 'vitest';
import { FINAL, MOVES, type MoveName, OPEN, type Status, type Target } from '../../../../src/job/job-status.js';
import { either, ServerExpression, type StatusChoice, transition, updateOf } from '../../../../src/store/mongo/jobs/job-update.js';
import type { Collections } from '../../../../src/store/mongo/schema/collections.js';

const STATUSES: readonly Status[] = [...OPEN, ...FINAL];
const MOVE_NAMES = Object.keys(MOVES) as readonly MoveName[];

/** The move with any statuses, as if the compiler had not looked. */
const written = (moves: MoveName | readonly MoveName[], to: Status | StatusChoice<Status>, ...from: readonly Status[]) => {
  const [first, ...others] = from;
  const narrowed = first === undefined ? {} : { from: [first, ...others] as const };
  const reached = to as Target<MoveName> | StatusChoice<Target<MoveName>>;
  const [filter, update] = transition(moves, { where: {}, to: reached, set: {}, ...narrowed });
  return { filter, set: update.map((stage) => ('$set' in stage ? stage.$set : stage)) };
};

describe.each(MOVE_NAMES)('the move `%s`', (name) => {
  const { from, to }: { readonly from: readonly Status[]; readonly to: readonly Status[] } = MOVES[name];

  it('finds jobs in the statuses of the table, and writes one of those to which it leads', () => {
    for (const target of to) {
      expect(written(name, target)).toEqual({ filter: { status: from.length === 1 ? from[0] : { $in: from } }, set: [{ status: target }] });
    }
  });

  it('is refused to any other status, and from any other', () => {
    const allowed = STATUSES.flatMap((start) => STATUSES.flatMap((end) => (isWritten(name, start, end) ? [`${start} ${end}`] : [])));
    expect(allowed.sort()).toEqual(from.flatMap((start) => to.map((end) => `${start} ${end}`)).sort());
    for (const target of STATUSES.filter((status) => !to.includes(status))) expect(() => written(name, target)).toThrow(`'${name}'`);
  });
});

describe('a status that the server chooses', () => {
  it('may be the one of several moves, where each leads from all the statuses', () => {
    const choice = either('$isOpen', 'active', 'assigned');
    expect(written(['claim', 'claimAhead'], choice, 'pending')).toEqual({
      filter: { status: 'pending' },
      set: [{ status: { $cond: ['$isOpen', 'active', 'assigned'] } }],
    });
    expect(() => written(['claim', 'claimAhead'], choice)).toThrow("no move 'claim' or 'claimAhead' leads from blocked to active");
  });

  it('is refused where one of those that it may be is refused', () => {
    expect(() => written('expire', either('$isOpen', 'callbacks', 'cancelled'))).toThrow(
      "no move 'expire' leads from scheduled to cancelled",
    );
    const kinds = { among: ['failed', 'pending'], expression: '$kind' } as const;
    expect(() => written('end', either('$isOpen', 'callbacks', kinds))).toThrow("no move 'end' leads from assigned to pending");
  });
});

it('a transition leaves the other conditions and fields as they are', () => {
  const owner = new ServerExpression('$notifyProcess');
  const [filter, update] = transition('begin', { where: { lane: 'a' }, to: 'active', set: { owner, token: '$t', dueAt: undefined } });
  expect(filter).toEqual({ lane: 'a', status: 'assigned' });
  expect(update).toEqual([{ $set: { owner: '$notifyProcess', token: { $literal: '$t' }, dueAt: '$$REMOVE', status: 'active' } }]);
});

it('a status compiles in no other update of a job, and in no condition of a transition', () => {
  const attempts = [
    // @ts-expect-error: the filter has the statuses of the table
    () => transition('begin', { where: { status: 'pending' }, to: 'active', set: {} }),
    // @ts-expect-error: the move does not lead there
    () => transition('begin', { where: {}, to: 'pending', set: {} }),
    // @ts-expect-error: beside the move
    () => transition('begin', { where: {}, to: 'active', set: { status: 'active' } }),
    // @ts-expect-error: not a move
    () => updateOf({ status: 'active' }),
    // @ts-expect-error: a pipeline of other origin
    ({ jobs }: Collections) => jobs.updateMany({}, [{ $set: { attempts: 1 } }]),
    // @ts-expect-error: an operator of the driver
    ({ jobs }: Collections) => jobs.updateOne({}, { $set: { status: 'active' } }),
    // @ts-expect-error: its removal
    ({ jobs }: Collections) => jobs.findOneAndUpdate({}, { $unset: { status: '' } }),
  ];
  expect(attempts).toHaveLength(7);
});

function isWritten(name: MoveName, from: Status, to: Status): boolean {
  try {
    written(name, to, from);
    return true;
  } catch {
    return false;
  }
}
