/** One walk: clients and their streams take turns as the seed says, some of them while others still wait. */

import type { Bench, Thing } from '../bench.js';
import { timeOf } from '../watching.js';
import type { History, Versions } from './history.js';
import { Random } from './random.js';
import { COLLECTIONS, KEYS, WalkingClient } from './walking-client.js';
import { WalkingStream } from './walking-stream.js';

const CLIENTS = 4;
const STEPS = 240;
const END = 'left/end';

export interface Walked extends History {
  readonly conflicts: number;
  readonly resumes: number;
}

type Actor = Pick<WalkingClient, 'step'>;

export async function walk(bench: Bench, seed: number): Promise<Walked> {
  const random = new Random(seed);
  const startAtOperationTime = await fill(bench);
  const clients = Array.from({ length: CLIENTS }, (_, number) => walker(bench, number, random.fork()));
  const streams = clients.map(() => new WalkingStream(bench.db, random.fork(), { startAtOperationTime }));
  for (const stream of streams) bench.after(() => stream.close());
  await takeTurns(bench, [...clients, ...clients, ...streams], random);
  const final = await versionsOf(bench);
  await bench.db.collection<Thing>('left').insertOne({ _id: 'end', by: 'end', version: 1 });
  await Promise.all(streams.map((stream) => stream.readTo(END)));
  return {
    committed: clients.map(({ committed }) => committed),
    shown: streams.map(({ shown }) => shown),
    final,
    conflicts: clients.reduce((sum, { conflicts }) => sum + conflicts, 0),
    resumes: streams.reduce((sum, { resumes }) => sum + resumes, 0),
  };
}

/**
 * Most steps are given the time of two round trips before the next begins, the others none; each actor does one at a time.
 * None is waited for to its end: a plain write may have to wait for the transaction of a client whose turn comes later.
 */
async function takeTurns(bench: Bench, actors: readonly Actor[], random: Random): Promise<void> {
  const busy = new Map<Actor, Promise<void>>();
  const failures: unknown[] = [];
  const begin = (actor: Actor): Promise<void> => {
    const step = actor.step().then(
      () => void busy.delete(actor),
      (failure) => void failures.push(failure),
    );
    busy.set(actor, step);
    return step;
  };
  for (let i = 0; i < STEPS && failures.length === 0; i += 1) {
    const idle = actors.filter((actor) => !busy.has(actor));
    if (idle.length === 0) await Promise.race(busy.values());
    else {
      const step = begin(random.pick(idle));
      if (random.chance(0.7)) await Promise.race([step, roundTrips(bench, 2)]);
    }
  }
  const clients = actors.filter((actor) => actor instanceof WalkingClient);
  await Promise.all(
    [...new Set(clients)].map(async (client) => {
      await busy.get(client);
      if (failures.length === 0) await client.finish();
    }),
  );
  await Promise.all(busy.values());
  if (failures.length > 0) throw failures[0];
}

async function roundTrips({ db }: Bench, times: number): Promise<void> {
  for (let i = 0; i < times; i += 1) await db.command({ ping: 1 });
}

function walker(bench: Bench, number: number, random: Random): WalkingClient {
  return new WalkingClient({ number, db: bench.db, session: bench.session(), random });
}

/** All documents at version 0; returns a time after which everything is to be shown. */
async function fill({ db, session }: Bench) {
  for (const name of COLLECTIONS) await db.collection<Thing>(name).insertMany(KEYS.map((_id) => ({ _id, version: 0 })));
  const own = session();
  await db.collection<Thing>('right').insertOne({ _id: 'begin' }, { session: own });
  await db.collection<Thing>('right').deleteOne({ _id: 'begin' }, { session: own });
  return timeOf(own);
}

async function versionsOf({ db }: Bench): Promise<Versions> {
  const versions: Versions = new Map();
  for (const name of COLLECTIONS)
    for await (const { _id, version } of db.collection<Thing>(name).find()) versions.set(`${name}/${_id}`, version);
  return versions;
}
