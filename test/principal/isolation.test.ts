/** The principal of one job is never seen by another, however they interleave, and however they end. */

import { setTimeout as after, setImmediate as turn } from 'node:timers/promises';
import { firstValueFrom, from, mergeMap, timer } from 'rxjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  asyncModule,
  callback,
  currentPrincipal,
  currentTask,
  fixedDelay,
  type IAsyncService,
  makeJob,
  memoryStore,
  type Outcome,
  type PrincipalReference,
  start,
  task,
} from '../../src/index.js';
import { seededRandom } from '../../src/testing/index.js';
import { untilAborted } from '../support/deferred.js';
import { silent } from '../support/silent.js';
import { containerOf, Users } from './users.js';

const JOBS = 10_000;
const PRINCIPALS = 100;
const SLOTS = 50;

const nameOf = (one: number): PrincipalReference => ({ realm: one % 2 === 0 ? 'staff' : 'guests', id: `user-${one >> 1}` });
const WAYS = ['microtask', 'turn', 'timer', 'stream', 'resolver'] as const;
type Way = (typeof WAYS)[number];
const ENDS = ['returns', 'returns', 'throws', 'retries', 'times out', 'is cancelled', 'returns a draft', 'queues'] as const;
type Ending = (typeof ENDS)[number];

class SlowUsers extends Users {
  override async resolve({ realm, id }: PrincipalReference) {
    if (id.endsWith('7')) await turn();
    return { realm, id, roles: [`${realm}/${id}`] };
  }
}

describe(`${JOBS} jobs of ${PRINCIPALS} principals on ${SLOTS} slots`, () => {
  const strayed: string[] = [];
  const ended = new Map<string, number>();
  let checks = 0;
  let most = 0;
  let running = 0;
  let async: IAsyncService;

  /** The current principal must be the one that the job was queued for, which is its first argument. */
  function check(expected: PrincipalReference, where: string): void {
    checks++;
    const { realm, id } = currentPrincipal();
    const { principal } = currentTask();
    const seen = [`${realm}/${id}`, `${principal.realm}/${principal.id}`, principal.roles.join()];
    if (seen.some((one) => one !== `${expected.realm}/${expected.id}`))
      strayed.push(`${where}: ${seen} for ${expected.realm}/${expected.id}`);
  }

  async function go(way: Way): Promise<void> {
    if (way === 'microtask') await Promise.resolve();
    if (way === 'turn') await turn();
    if (way === 'timer') await after(1);
    if (way === 'stream') await firstValueFrom(from([1, 2]).pipe(mergeMap((ms) => timer(ms))));
    if (way === 'resolver') await new Promise((resolve) => process.nextTick(resolve));
  }

  const nested = task('nested', { quotas: [] }, async (expected: PrincipalReference) => {
    check(expected, 'nested');
    await turn();
    check(expected, 'nested, later');
  });
  const afterwards = task('afterwards', { quotas: [] }, async (_outcome: Outcome<unknown>, expected: PrincipalReference) => {
    check(expected, 'callback');
    await Promise.resolve();
    check(expected, 'callback, later');
  });
  const work = task(
    'work',
    { quotas: [], timeoutMs: 200, retry: fixedDelay({ attempts: 2, delayMs: 0 }), setUp: () => () => note() },
    async (expected: PrincipalReference, ways: readonly Way[], ending: Ending): Promise<unknown> => {
      most = Math.max(most, ++running);
      const { attempt, onEnd, job } = currentTask();
      onEnd(() => {
        running--;
        check(expected, `clean-up after ${ending}`);
      });
      for (const way of ways) {
        check(expected, `before ${way}`);
        await go(way);
        check(expected, `after ${way}`);
      }
      if (ending === 'throws') throw new RangeError('thrown');
      if (ending === 'retries' && attempt === 1) throw new SyntaxError('again');
      if (ending === 'is cancelled') await (await async.getJob(job.id))?.cancel();
      if (ending === 'times out' || ending === 'is cancelled') {
        await untilAborted().finally(() => check(expected, ending));
      }
      if (ending === 'queues') await async.queueJob(nested, expected);
      return ending === 'returns a draft' ? makeJob(nested, expected) : undefined;
    },
  );

  function note(): void {
    const { realm, id } = currentPrincipal();
    check({ realm, id }, 'tear-down');
  }

  beforeAll(async () => {
    const container = containerOf({ users: new SlowUsers() });
    const agents = [{ concurrency: SLOTS }];
    container.load(
      asyncModule({
        store: memoryStore({ keepEnded: 100_000 }),
        tasks: [work, nested, afterwards],
        logger: silent,
        dispatcher: { agents },
      }),
    );
    async = await start(container);
    async.events.all.subscribe(({ outcome: { status } }) => {
      ended.set(status, (ended.get(status) ?? 0) + 1);
      if (currentPrincipal().id !== 'anonymous') strayed.push('an event');
    });
    const random = seededRandom(11);
    const any = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
    const jobs = await Promise.all(
      Array.from({ length: JOBS }, (_, index) => {
        const principal = nameOf(Math.floor(random() * PRINCIPALS));
        const ways = Array.from({ length: 1 + Math.floor(random() * 4) }, () => any(WAYS));
        // Slots are kept for as long as a timeout takes, so few time out.
        const ending = index % 100 === 0 ? 'times out' : any(ENDS.filter((one) => one !== 'times out'));
        const draft = makeJob(work, principal, ways, ending).withCallback(callback(afterwards, principal));
        return async.runAs(principal, () => async.queueJob(draft));
      }),
    );
    for (const job of jobs) await job.waitForOutcome();
  }, 180_000);

  afterAll(() => async.stop());

  it('see none but their own, in code, clean-ups, callbacks and queued jobs', () => {
    expect(strayed.slice(0, 5)).toEqual([]);
    expect(checks).toBeGreaterThan(4 * JOBS);
    expect(currentPrincipal().id).toBe('anonymous');
  });

  it('run side by side, and end in every way', () => {
    expect(most).toBeGreaterThan(SLOTS / 2);
    expect(running).toBe(0);
    expect([...ended.keys()].sort()).toEqual(['cancelled', 'completed', 'failed']);
  });
});
