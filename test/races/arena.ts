/** Where races are run: two processes on one store, whose steps are interleaved by a seed, on both stores. */

import { firstValueFrom } from 'rxjs';
import { nextTurn } from '../../src/clock.js';
import type { JobStore } from '../../src/index.js';
import type { MongoStore } from '../../src/store/mongo/mongo-store.js';
import { LAB_QUOTAS, LEASE_MS, StoreLab } from '../../src/testing/contract/store-lab.js';
import { seededRandom } from '../../src/testing/index.js';
import { memoryBench } from '../contract/memory-bench.js';
import type { MongoBenches } from '../contract/mongo-bench.js';
import { Interleaver } from './interleaver.js';

export interface Arena {
  /** The one process, whose dispatcher is `a`. */
  readonly lab: StoreLab;
  /** The store as the other process has it, whose dispatcher is `b`. */
  readonly other: JobStore;
  readonly random: () => number;
  /** Runs these calls at the same time, with their follow-ups; one step of either after another. */
  race<const A extends readonly (() => Promise<unknown>)[]>(...acts: A): Promise<{ -readonly [I in keyof A]: Awaited<ReturnType<A[I]>> }>;
  /** The steps that were done, in their order. */
  readonly steps: readonly string[];
  close(): Promise<void>;
}

/** Each call of the memory store is one step, from call to answer. */
export async function memoryArena(seed: number): Promise<Arena> {
  const random = seededRandom(seed);
  const interleaver = new Interleaver(random);
  const bench = memoryBench();
  const store = stepwise(bench.store, interleaver);
  const lab = await StoreLab.open({ ...bench, store });
  return arena({ lab, other: store, random, interleaver, settled: bench.settled, close: () => lab.close() });
}

/** Each command is a step of the MongoDB store. */
export async function mongoArena(benches: MongoBenches, seed: number): Promise<Arena> {
  const random = seededRandom(seed);
  const interleaver = new Interleaver(random);
  const { faults } = benches;
  if (faults === undefined) throw new Error('steps are interleaved on the stand-in only');
  const bench = benches.make();
  const other: MongoStore = bench.another();
  const settled = async (): Promise<void> => {
    await bench.settled();
    await other.idle();
    await firstValueFrom(nextTurn());
  };
  await other.start({ clock: bench.clock, quotas: LAB_QUOTAS });
  const lab = await StoreLab.open({ ...bench, settled });
  await other.heartbeat('b', LEASE_MS);
  // It is notified of waiting jobs, and of dispatchers that wait for its places, as every dispatcher is.
  const hearing = other.changes({ work: '' }).subscribe();
  faults.intercept = (command) => {
    const name = Object.keys(command)[0] ?? '';
    return STEPS.has(name) ? interleaver.turnOf(`${name} ${String(command[name])}`) : undefined;
  };
  const close = async (): Promise<void> => {
    faults.intercept = undefined;
    hearing.unsubscribe();
    await other.stop();
    await lab.close();
    await bench.drop();
  };
  return arena({ lab, other, random, interleaver, settled, close });
}

const STEPS = new Set(['find', 'insert', 'update', 'findAndModify', 'aggregate', 'delete', 'commitTransaction', 'abortTransaction']);
const CALLS = new Set<string | symbol>([
  'insert',
  'claim',
  'settle',
  'reschedule',
  'release',
  'cancel',
  'recover',
  'heartbeat',
] satisfies (keyof JobStore)[]);

interface Made extends Pick<Arena, 'lab' | 'other' | 'random' | 'close'> {
  readonly interleaver: Interleaver;
  readonly settled: () => Promise<void>;
}

function arena({ interleaver, settled, ...made }: Made): Arena {
  const race = async (...acts: readonly (() => Promise<unknown>)[]): Promise<readonly unknown[]> =>
    interleaver.during(async () => {
      const answers = await Promise.all(acts.map((act) => act()));
      await settled();
      return answers;
    });
  return { ...made, race: race as Arena['race'], steps: interleaver.done };
}

/** A store each of whose calls waits for its turn. */
function stepwise(store: JobStore, interleaver: Interleaver): JobStore {
  return new Proxy(store, {
    get: (target, key) => {
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== 'function') return value;
      if (!CALLS.has(key)) return value.bind(target);
      return async (...args: unknown[]) => {
        await interleaver.turnOf(String(key));
        return Reflect.apply(value, target, args);
      };
    },
  });
}
