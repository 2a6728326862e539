/** The scenario that every fault meets: something of everything, queued in two processes that both work. */

import { type Draft, type IAsyncService, isMillraceError, type Job, makeJob, parallel, serial } from '../../../../src/index.js';
import { Bodies } from './bodies.js';
import type { Stage } from './stage.js';
import { tasksOf, unknown } from './tasks.js';

const RETRY_MS = 1_000;
const CANCEL_AFTER_MS = 3_000;

/** The expected outcome of each. */
export const EXPECTED: Readonly<Record<string, string>> = {
  plain: 'completed 1',
  'one 1': 'completed 11',
  'one 2': 'completed 12',
  'one 3': 'completed 13',
  'light 1': 'completed 21',
  'light 2': 'completed 22',
  heavy: 'completed 23',
  flaky: 'completed 31',
  fails: 'failed no paper',
  returns: 'completed 41',
  serial: 'completed 51,52,53',
  parallel: 'completed 186',
  later: 'completed 71',
  hang: 'cancelled enough',
  unknown: 'failed ExpiredError',
  'late callback': 'completed 82',
};

/** Something was answered with an error, and asked again. */
export interface Refused {
  readonly name: string;
  readonly error: unknown;
  /** It may have been done all the same. */
  readonly isUncertain: boolean;
}

export class Scenario {
  readonly bodies: Bodies;
  /** The outcomes that waiting calls got, by name. */
  readonly outcomes: Record<string, string> = {};
  readonly refused: Refused[] = [];
  readonly #tasks;

  constructor(private readonly stage: Stage) {
    this.bodies = new Bodies(stage.clock);
    this.#tasks = tasksOf(this.bodies);
  }

  get tasks() {
    return Object.values(this.#tasks);
  }

  async play(a: IAsyncService, b: IAsyncService): Promise<void> {
    const { plain, one, pair, flaky, fails, messageOf, returns, step, sum, hang } = this.#tasks;
    const called = (name: string, value: number) => makeJob(plain, value).with({ name });
    const inTurn = (value: number) => makeJob(one, value).with({ quotas: ['default'] });
    const beginBy = new Date(this.stage.clock.now() + 5_000);
    await Promise.all([
      this.#withLateCallback(a, b, makeJob(plain, 1).withCallbacks({ success: called('success', 2) })),
      this.#ended('one 1', a, () => makeJob(one, 11)),
      this.#ended('one 2', b, () => makeJob(one, 12)),
      this.#ended('one 3', a, () => makeJob(one, 13)),
      this.#ended('light 1', a, () => makeJob(pair, 21, 1).with({ quotas: { pair: 1 } })),
      this.#ended('light 2', b, () => makeJob(pair, 22, 1).with({ quotas: { pair: 1 } })),
      this.#ended('heavy', a, () => makeJob(pair, 23, 2).with({ quotas: { pair: 2 } })),
      this.#ended('flaky', b, () => makeJob(flaky, 31)),
      this.#ended('fails', a, () => makeJob(fails, 'no paper').withCallbacks({ failure: messageOf })),
      this.#ended('returns', b, () => makeJob(returns, 41)),
      this.#ended('serial', a, () => serial(inTurn(51), makeJob(plain, 52), inTurn(53)).with({ quotas: [] })),
      this.#ended('parallel', b, (batch) =>
        parallel(makeJob(step, 61, batch), makeJob(step, 62, batch), makeJob(step, 63, batch))
          .postprocess(sum)
          .with({ quotas: { pair: 1 } }),
      ),
      this.#ended('later', a, () => makeJob(plain, 71).with({ delayMs: 2_000 })),
      this.#cancelled(a, b, () => makeJob(hang)),
      this.#ended('unknown', b, () => makeJob(unknown).with({ beginBy })),
    ]);
  }

  async #ended(name: string, service: IAsyncService, draft: (label: string) => Draft<unknown>): Promise<Job<unknown>> {
    return this.#wait(name, await this.#queued(name, service, draft));
  }

  async #withLateCallback(a: IAsyncService, b: IAsyncService, draft: Draft<unknown>): Promise<void> {
    const { id } = await this.#ended('plain', a, () => draft);
    const late = await this.#asked('late callback', async (name) => {
      const job = await b.getJob(id);
      return job?.addCallbacks({ success: makeJob(this.#tasks.plain, 82).with({ name }) });
    });
    if (late !== undefined) await this.#wait('late callback', late);
  }

  async #cancelled(a: IAsyncService, b: IAsyncService, draft: () => Draft<unknown>): Promise<void> {
    const job = await this.#queued('hang', a, draft);
    await this.stage.wait(CANCEL_AFTER_MS);
    await this.#asked('cancellation', async () => (await b.getJob(job.id))?.cancel('enough'));
    await this.#wait('hang', job);
  }

  #queued(name: string, service: IAsyncService, draft: (label: string) => Draft<unknown>): Promise<Job<unknown>> {
    return this.#asked(name, (label) => service.queueJob(draft(label).with({ name: label })));
  }

  async #wait(name: string, job: Job<unknown>): Promise<Job<unknown>> {
    await this.#asked(`wait for ${name}`, () => job.waitForOutcome());
    this.outcomes[name] = shown(job);
    return job;
  }

  /** Asks until there is an answer, each time under another name. */
  async #asked<T>(name: string, ask: (label: string) => Promise<T>): Promise<T> {
    for (let time = 1; ; time++) {
      const label = time === 1 ? name : `${name} (${time})`;
      try {
        return await ask(label);
      } catch (error) {
        this.refused.push({ name: label, error, isUncertain: isMillraceError(error) && error.name === 'UncertainError' });
        await this.stage.wait(RETRY_MS);
      }
    }
  }
}

function shown({ outcome }: Job<unknown>): string {
  if (outcome === undefined) return 'open';
  if (outcome.status === 'completed') return `completed ${textOf(outcome.result)}`;
  if (outcome.status === 'cancelled') return `cancelled ${outcome.reason}`;
  return `failed ${outcome.error.name === 'Error' ? outcome.error.message : outcome.error.name}`;
}

/** The results of a batch's jobs, or the result itself. */
function textOf(result: unknown): string {
  return Array.isArray(result) ? result.map((child) => String(child.result)).join() : String(result);
}
