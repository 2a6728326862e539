/** Two processes on a stand-in that loses commands and answers at random; when it does no more, everything must end. */

import type { JobDocument } from '../../src/store/mongo/schema/documents.js';
import { seededRandom } from '../../src/testing/seeded-random.js';
import { RandomStrikes } from '../store/mongo/faults/random-strikes.js';
import { Stage } from '../store/mongo/faults/stage.js';
import { LOSSES } from './losses.js';
import type { Trial } from './trial.js';
import { SIZES, Work } from './work.js';

const FAULTS_MS = 60_000;
/** Long enough for a lease to end, and for some rounds. */
const PATIENCE_MS = 240_000;
const STEP_MS = 1_000;
const COPIES = 2;

export async function tryLossesOnMongo(seed: number): Promise<Trial> {
  const losses = new RandomStrikes(seededRandom(seed), LOSSES);
  const stage = await Stage.open(losses);
  try {
    const work = new Work((ms) => stage.wait(ms));
    const services = await stage.start({ tasks: work.tasks, quotas: SIZES });
    await stage.play(services[seed % 2]?.queueJobs(work.drafts(COPIES)) ?? Promise.resolve([]), 'the queueing');
    losses.begin();
    for (let passed = 0; passed < FAULTS_MS; passed += STEP_MS) await stage.advance(STEP_MS);
    losses.end();
    await stage.outlast();
    const until = stage.clock.now() + PATIENCE_MS;
    while (stage.clock.now() < until && (await hasOpen(stage))) await stage.advance(STEP_MS);
    // The effects of the last end.
    await stage.advance(STEP_MS);
    const inHand = services.flatMap(({ dispatcher }) => dispatcher?.running ?? []);
    const problems = [
      ...work.problems,
      ...(await stage.documents('jobs')).flatMap((job) => wrongIn(job, work)),
      ...inHand.map(({ taskName }) => `${taskName} is in hand`),
    ];
    await stage.stopServices();
    await stage.outlast();
    return { problems, struck: losses.struck };
  } finally {
    await stage.close();
  }
}

async function hasOpen(stage: Stage): Promise<boolean> {
  return (await stage.documents('jobs')).some(({ isOpen }) => isOpen === true);
}

function wrongIn({ taskName, kind, status, owner, attempts, token }: JobDocument, work: Work): readonly string[] {
  if (status === work.endOf(taskName)) return [];
  return [`${kind === 'task' ? taskName : kind} is ${status} after ${attempts} attempts, of ${owner} by ${token}`];
}
