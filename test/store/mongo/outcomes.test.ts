/** The outcomes of the whole deployment, when their stream fails: it goes on where it stood, or from now on where that is lost. */

import { firstValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { nextTurn } from '../../../src/clock.js';
import { task } from '../../../src/index.js';
import { VirtualClock } from '../../../src/testing/index.js';
import { Processes } from './processes.js';

const processes = await Processes.forTests('outcomes');

const add = task('add', { quotas: [] }, (x: number, y: number) => x + y);
const tasks = [add];
const RETRY_MS = 1_000;

/** One who listens on a clock that the test moves, and one who works. */
async function setup() {
  const clock = new VirtualClock();
  const listener = (await processes.start({ tasks, clock, dispatcher: false })).async;
  const worker = (await processes.start({ tasks })).async;
  const heard: string[] = [];
  listener.outcomes().subscribe(({ job }) => heard.push(job.id));
  const run = async (): Promise<string> => {
    const job = await worker.queueJob(add, 1, 2);
    await job.waitForResult();
    return job.id;
  };
  const hears = async (id: string): Promise<void> => {
    while (!heard.includes(id)) await firstValueFrom(nextTurn());
  };
  /** Runs jobs until one is heard of. */
  const hearsAgain = async (): Promise<void> => {
    for (const before = heard.length; heard.length === before; ) await run();
  };
  await hearsAgain();
  return { clock, heard, run, hears, hearsAgain };
}

/** Runs a job that the stream does not show, because of a fault. @returns the job's id */
async function missedBy(run: () => Promise<string>): Promise<string> {
  const has = refuseNextGetMore();
  await run();
  await has;
  await turns();
  return run();
}

/** Refuses the next question of a stream of outcomes for more. @returns when it has come */
function refuseNextGetMore(): Promise<void> {
  return new Promise((resolve) => {
    const { faults } = processes;
    if (faults === undefined) return;
    faults.intercept = ({ getMore, collection }) => {
      if (getMore === undefined || !String(collection).endsWith('.jobs')) return undefined;
      faults.intercept = undefined;
      resolve();
      return 'refuse';
    };
  });
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await firstValueFrom(nextTurn());
}

describe.skipIf(processes.faults === undefined)('a stream of outcomes', () => {
  it('that fails goes on where it stood', async () => {
    const { clock, run, hears, heard } = await setup();
    const missed = await missedBy(run);
    expect(heard).not.toContain(missed);
    await clock.advance(RETRY_MS, turns);
    await hears(missed);
    expect(new Set(heard).size).toBe(heard.length);
  });

  it('of which the server has lost the place goes on from now', async () => {
    const { clock, run, hearsAgain, heard } = await setup();
    const missed = await missedBy(run);
    processes.faults?.cutOplog();
    await clock.advance(RETRY_MS, turns);
    await clock.advance(RETRY_MS, turns);
    await hearsAgain();
    expect(heard).not.toContain(missed);
  });
});
