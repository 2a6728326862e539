/** Processes are killed, replaced, frozen and thawed while thousands of jobs run: nothing is lost, and nothing is done twice. */

import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { seededRandom } from '../../src/testing/index.js';
import { describe as described, disrupt, drawDisruptions } from './disruptions.js';
import { count, Inquest } from './inquest.js';
import { drawPlan, type Planned, seen } from './plan.js';
import { type Scene, setTheScene } from './scene.js';

const SEED = Number(process.env['MILLRACE_SEED'] ?? Math.floor(Math.random() * 1e9));
const JOBS = Number(process.env['MILLRACE_CRASH_JOBS'] ?? 2_000);
/** How many processes work at once, and how many jobs there are to one disruption. */
const PLACES = 3;
const JOBS_A_DISRUPTION = 125;
/** The number of jobs queued at once, while less than three times this number wait. */
const PORTION = 50;
/** Longer than everything takes that others must wait for before they go on. */
const STALLED_MS = 60_000;
const WAIT_MS = 900_000;

/** Queues everything bit by bit, and gives what became of it. */
async function runAll({ async, journal }: Scene, plan: readonly Planned[]): Promise<readonly string[]> {
  const outcomes: Promise<string>[] = [];
  let queued = 0;
  for (let from = 0; from < plan.length; from += PORTION) {
    const portion = plan.slice(from, from + PORTION);
    const jobs = await async.queueJobs(portion.map(({ draft }) => draft));
    for (const job of jobs)
      outcomes.push(job.waitForOutcome({ timeoutMs: WAIT_MS }).then(seen, (error: Error) => `${job.id} ${error.message}`));
    queued += portion.reduce((sum, { ends }) => sum + ends.length, 0);
    while (queued - journal.ended > 3 * PORTION) await sleep(20);
  }
  return Promise.all(outcomes);
}

/** Fails when no job has ended for a long time. */
async function untilStalled({ collection, journal }: Scene, isOver: () => boolean): Promise<void> {
  let ended = -1;
  while (!isOver() && journal.ended > ended) {
    ended = journal.ended;
    for (let waited = 0; waited < STALLED_MS && !isOver(); waited += 500) await sleep(500);
  }
  if (isOver()) return;
  const waiting = [
    { $match: { isOpen: true } },
    { $group: { _id: { lane: '$lane', status: '$status', owner: '$owner' }, jobs: { $sum: 1 } } },
  ];
  const left = {
    jobs: await collection('jobs').aggregate(waiting).toArray(),
    quotas: await collection('quotas').find().toArray(),
    dispatchers: await collection('dispatchers').find().toArray(),
  };
  throw new Error(`no job has ended for ${STALLED_MS} ms: ${JSON.stringify(left, null, 1)}`);
}

/** Disrupts the crew as drawn, each time when the drawn number of jobs have ended. */
async function disruptAll({ crew, journal }: Scene, random: () => number, isOver: () => boolean): Promise<readonly string[]> {
  const under: Promise<void>[] = [];
  const done: string[] = [];
  for (const disruption of drawDisruptions(random, { count: Math.ceil(JOBS / JOBS_A_DISRUPTION), places: PLACES, jobs: JOBS })) {
    while (journal.ended < disruption.at && !isOver()) await sleep(5);
    if (isOver()) break;
    done.push(described(disruption));
    under.push(disrupt(crew, disruption));
  }
  await Promise.all(under);
  return done;
}

/** Leases are lost by those who are frozen, and some jobs are there to fail. */
const EXPECTED_COMPLAINT = /lost its lease|job \w+ \(\w+\) ((has )?failed|ignored its signal and was given up)/;

it(
  `loses nothing and does nothing twice, whoever dies or sleeps meanwhile (seed ${SEED})`,
  async () => {
    console.log(`crashes: MILLRACE_SEED=${SEED}`);
    const began = performance.now();
    const passed = (): string => `${((performance.now() - began) / 1_000).toFixed(1)} s`;
    const scene = await setTheScene();
    const { crew, journal, collection } = scene;
    await Promise.all(Array.from({ length: PLACES }, (_, place) => crew.start(place)));
    const random = seededRandom(SEED);
    const plan = drawPlan(scene.tasks, random, JOBS);
    let isOver = false;
    const disrupting = disruptAll(scene, random, () => isOver);
    const stalled = untilStalled(scene, () => isOver);
    const outcomes = await Promise.race([runAll(scene, plan), stalled.then(() => [])]).finally(() => {
      isOver = true;
    });
    console.log(`all have ended after ${passed()}`);
    const befell = await disrupting;

    // The living processes have taken over the work of the dead ones, and then stop in good order.
    const undone = async (): Promise<unknown> => ({
      dead: await collection('dispatchers').countDocuments({ state: 'dead', expireAt: { $exists: false } }),
      owned: await collection('jobs').countDocuments({ owner: { $exists: true } }),
      open: await collection('jobs').countDocuments({ isOpen: true }),
      lives: (await collection('dispatchers').countDocuments({ state: 'alive' })) - crew.names.length,
      held: (
        await collection('quotas')
          .find({ 'holders.job': { $exists: true } })
          .toArray()
      ).map(({ holders }) => holders),
    });
    await expect.poll(undone, { timeout: 45_000, interval: 100 }).toEqual({ dead: 0, owned: 0, open: 0, lives: 0, held: [] });
    console.log(`the dead are buried after ${passed()}`);
    await crew.stop();
    await journal.upToDate();
    const inquest = Inquest.of(journal.entries, crew.onceFrozen);
    console.log(`${passed()}: ${inquest.story}; ${[...inquest.most].map(String)}\n${befell.join('\n')}`);

    expect(outcomes).toEqual(plan.map(({ expected }) => expected));
    expect(inquest.wrongs).toEqual([]);
    const expected = new Map<string, number>();
    for (const end of plan.flatMap(({ ends }) => ends)) count(expected, end);
    const tally = new Map([...inquest.tally()].filter(([what]) => !/^(inner|choice) /.test(what)));
    expect(tally).toEqual(expected);
    expect((await collection('quotas').find().toArray()).map(({ _id, holders }) => [_id, holders])).toEqual([
      ['default', []],
      ['pool', []],
    ]);
    expect(crew.complaints.filter((complaint) => !EXPECTED_COMPLAINT.test(complaint))).toEqual([]);
  },
  WAIT_MS,
);
