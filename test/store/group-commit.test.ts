import { describe, expect, it } from 'vitest';
import { GroupCommit } from '../../src/store/async/group-commit.js';
import { deferred } from '../support/deferred.js';

/** A writer whose writes take until they are let go, each with the doubles of its items. */
function writer() {
  const groups: (readonly number[])[] = [];
  const gates: ReturnType<typeof deferred<void>>[] = [];
  const write = async (items: readonly number[]): Promise<readonly number[]> => {
    groups.push(items);
    const gate = deferred<void>();
    gates.push(gate);
    await gate.promise;
    return items.map((item) => item * 2);
  };
  const turn = async (): Promise<void> => {
    for (let index = 0; index < 5; index++) await Promise.resolve();
  };
  return { groups, gates, write, turn };
}

describe('a group commit', () => {
  it('writes together what is added in one turn, and answers each', async () => {
    const { groups, gates, write, turn } = writer();
    const commit = new GroupCommit(write);
    const answers = Promise.all([commit.add(1), commit.add(2)]);
    await turn();
    gates[0]?.resolve();
    expect(await answers).toEqual([2, 4]);
    expect(groups).toEqual([[1, 2]]);
  });

  it('gathers what comes during a write for the next one', async () => {
    const { groups, gates, write, turn } = writer();
    const commit = new GroupCommit(write);
    const first = commit.add(1);
    await turn();
    const others = Promise.all([commit.add(2), commit.add(3)]);
    await turn();
    expect(groups).toEqual([[1]]);
    gates[0]?.resolve();
    await first;
    await turn();
    expect(groups).toEqual([[1], [2, 3]]);
    gates[1]?.resolve();
    await others;
    expect(commit.isIdle).toBe(true);
  });

  it('does not wait for a write where several may be under way, and is idle when all have ended', async () => {
    const { groups, gates, write, turn } = writer();
    const commit = new GroupCommit(write, { oneAtATime: false });
    const first = commit.add(1);
    await turn();
    const second = commit.add(2);
    await turn();
    expect(groups).toEqual([[1], [2]]);
    gates[1]?.resolve();
    expect(await second).toBe(4);
    expect(commit.isIdle).toBe(false);
    gates[0]?.resolve();
    await first;
    await commit.idle();
    expect(commit.isIdle).toBe(true);
  });

  it('writes no more at once than it may', async () => {
    const { groups, gates, write, turn } = writer();
    const commit = new GroupCommit(write, { maxItems: 2 });
    const answers = Promise.all([1, 2, 3].map((item) => commit.add(item)));
    await turn();
    gates[0]?.resolve();
    await turn();
    await turn();
    gates[1]?.resolve();
    await answers;
    expect(groups).toEqual([[1, 2], [3]]);
  });

  it('writes no more bytes at once than it may, but for one item that has more alone', async () => {
    const groups: (readonly number[])[] = [];
    const write = async (items: readonly number[]): Promise<readonly number[]> => {
      groups.push(items);
      return items;
    };
    const commit = new GroupCommit(write, { maxBytes: 10, bytesOf: (item) => item });
    const items = [4, 6, 1, 25, 9, 1, 1];
    expect(await Promise.all(items.map((item) => commit.add(item)))).toEqual(items);
    expect(groups).toEqual([[4, 6], [1], [25], [9, 1], [1]]);
  });

  it('fails for those whose write failed, and goes on', async () => {
    let fails = true;
    const commit = new GroupCommit(async (items: readonly number[]) => {
      if (fails) throw new Error('no');
      return items;
    });
    await expect(commit.add(1)).rejects.toThrow('no');
    fails = false;
    expect(await commit.add(2)).toBe(2);
  });
});
