/** Two dispatchers on one memory store whose calls fail at random for a while; when they do no more, everything must end. */

import { Container } from 'inversify';
import { firstValueFrom, timer } from 'rxjs';
import { nextTurn } from '../../src/clock.js';
import { asyncModule, type IAsyncService, type JobStore, memoryStore, start } from '../../src/index.js';
import { OPEN } from '../../src/job/job-status.js';
import { seededRandom, VirtualClock } from '../../src/testing/index.js';
import { silent } from '../support/silent.js';
import { failingStore } from './failing-store.js';
import { SIZES, Work } from './work.js';

const FAULTS_MS = 15_000;
/** Long enough for some rounds, and for the pauses between tries. */
const PATIENCE_MS = 240_000;
const STEP_MS = 1_000;
const COPIES = 6;
const TURNS = 8;

export interface Trial {
  /** The failures, one on each line. */
  readonly problems: readonly string[];
  readonly struck: readonly string[];
}

export async function tryLosses(seed: number): Promise<Trial> {
  const random = seededRandom(seed);
  const clock = new VirtualClock();
  const store = memoryStore();
  const struck: string[] = [];
  let isOn = false;
  const work = new Work((ms) => firstValueFrom(timer(ms, clock.scheduler)).then(() => undefined));
  const mayFreeze = seed % 4 === 0;
  const faults = { clock, random, isOn: () => isOn, mayFreeze, onStruck: (what: string) => struck.push(what) };
  const services = await Promise.all(
    [1, 2].map((number) => service(failingStore(store, faults), { clock, work, seed: seed * 2 + number })),
  );
  const advance = (ms: number): Promise<void> => clock.advance(ms, turns);
  await services[0]?.queueJobs(work.drafts(COPIES));
  isOn = true;
  await advance(FAULTS_MS);
  isOn = false;
  const until = clock.now() + PATIENCE_MS;
  while (clock.now() < until && !(await isOver(store, services))) await advance(STEP_MS);
  const problems = [...work.problems, ...(await left(store, services, work)), ...(mayFreeze ? [] : await miscounted(store, work))];
  await stop(services, clock);
  return { problems, struck };
}

interface ServiceOptions {
  readonly clock: VirtualClock;
  readonly work: Work;
  readonly seed: number;
}

async function service(store: JobStore, { clock, work, seed }: ServiceOptions): Promise<IAsyncService> {
  const container = new Container();
  container.load(asyncModule({ store, clock, tasks: work.tasks, quotas: SIZES, random: seededRandom(seed), logger: silent }));
  return start(container);
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await firstValueFrom(nextTurn());
}

async function isOver(store: JobStore, services: readonly IAsyncService[]): Promise<boolean> {
  return (await store.count({ statuses: OPEN })) === 0 && services.every(({ dispatcher }) => dispatcher?.running.length === 0);
}

async function left(store: JobStore, services: readonly IAsyncService[], work: Work): Promise<readonly string[]> {
  const wrong = (await store.find({})).filter(({ job, state }) => state.status !== work.endOf(job.taskName));
  const uses = await store.insight.quotas(Object.keys(SIZES));
  return [
    ...wrong.map(({ job, state }) => `${job.taskName || job.kind} is ${state.status} after ${state.attempts} attempts, of ${state.owner}`),
    ...services.flatMap(({ dispatcher }) => (dispatcher?.running ?? []).map(({ taskName }) => `${taskName} is in hand`)),
    ...uses.flatMap(({ name, holders }) => (holders.length === 0 ? [] : [`places of ${name} are held: ${JSON.stringify(holders)}`])),
  ];
}

/** While no lease is lost, every attempt that counts has run, and none was interrupted. */
async function miscounted(store: JobStore, work: Work): Promise<readonly string[]> {
  const tasks = (await store.find({})).filter(({ job }) => job.kind === 'task');
  return tasks.flatMap(({ job, state: { attempts, interruptions } }) => {
    const runs = work.runsOf(job.id);
    // A transaction may fail before its code runs.
    const isRight = interruptions === 0 && (work.isTransactional(job.taskName) ? runs <= attempts : runs === attempts);
    return isRight ? [] : [`${job.taskName} ran ${runs} times in ${attempts} attempts, of which ${interruptions} were interrupted`];
  });
}

async function stop(services: readonly IAsyncService[], clock: VirtualClock): Promise<void> {
  let hasStopped = false;
  const stopping = Promise.all(services.map((one) => one.stop())).finally(() => {
    hasStopped = true;
  });
  while (!hasStopped) await clock.advance(STEP_MS, turns);
  await stopping;
}
