/** Work is done as the user who asked for it: who that is, wherever a job comes from, and with which roles. */

import { setTimeout as after } from 'node:timers/promises';
import { of } from 'rxjs';
import { describe, expect, it } from 'vitest';
import {
  anonymous,
  callback,
  currentPrincipal,
  currentTask,
  fixedDelay,
  type IAsyncService,
  type Job,
  makeJob,
  type PrincipalReference,
  parallel,
  serial,
  system,
  Task,
  task,
  tasks,
} from '../../src/index.js';
import { onBothStores } from '../support/both-stores.js';
import { Log } from '../support/deferred.js';
import { ANN, BOB, containerOf, GUEST_ANN, Users } from './users.js';

/** Says who it runs for, in a word. */
function who(): string {
  const { realm, id } = currentPrincipal();
  const { principal } = currentTask();
  if (principal.realm !== realm || principal.id !== id) throw new Error('two answers to who it is');
  return `${realm}/${id} [${principal.roles}]`;
}

const whoami = task('whoami', { quotas: [] }, who);
const whoAfter = task('whoAfter', { quotas: [] }, (_value: unknown, ..._rest: string[]) => who());
const edit = task('edit', { quotas: [], requires: ['editor'] }, who);

class Nested {
  constructor(private readonly async: () => IAsyncService) {}

  @Task({ quotas: [] })
  async queues(): Promise<string> {
    return (await this.async().queueJob(whoami)).id;
  }

  @Task({ quotas: [] })
  async returns() {
    return serial(makeJob(whoami), makeJob(whoami)).postprocess(whoAfter);
  }

  @Task({ quotas: [] })
  async becomes(other: PrincipalReference): Promise<string> {
    return this.async().runAs(other, async () => (await this.async().queueJob(whoami)).id);
  }

  @Task({ quotas: [] })
  async returnsAs(principal: PrincipalReference) {
    return makeJob(whoami).with({ principal });
  }
}
const nested = tasks(Nested);

onBothStores((stage) => {
  async function started(options: { readonly log?: Log; readonly authorizer?: Parameters<typeof containerOf>[0]['authorizer'] } = {}) {
    const users = new Users();
    const container = containerOf({ users, ...(options.authorizer === undefined ? {} : { authorizer: options.authorizer }) });
    let service: IAsyncService | undefined;
    container.bind(Nested).toDynamicValue(() => new Nested(() => service as IAsyncService));
    const process = await stage.start({
      container,
      tasks: [whoami, whoAfter, edit, Nested],
      ...(options.log === undefined ? {} : { logger: options.log }),
    });
    service = process.async;
    const outcomeOf = async (job: Job<unknown>) => {
      await process.drain();
      return job.waitForOutcome();
    };
    const resultOf = async (id: string): Promise<unknown> => {
      await process.drain();
      return (await process.async.getJob(id))?.result;
    };
    const { async, drain, advance } = process;
    return { async, drain, advance, users, outcomeOf, resultOf };
  }

  describe('a job', () => {
    it('runs as the principal that queued it, with the roles at the time of the run', async () => {
      const { async, users, outcomeOf } = await started();
      const job = await async.runAs(ANN, () => async.queueJob(makeJob(whoami).with({ delayMs: 1 })));
      expect(job.snapshot.principal).toEqual(ANN);
      users.give(ANN, 'reader');
      const [now] = await Promise.all([async.runAs(ANN, () => async.queueJob(whoami))]);
      expect(await outcomeOf(now)).toEqual({ status: 'completed', result: 'staff/ann [reader]' });
      expect(users.asked).toContain('staff/ann');
    });

    it('of a user of the same id in another realm runs as that user', async () => {
      const { async, outcomeOf } = await started();
      const job = await async.runAs(GUEST_ANN, () => async.queueJob(whoami));
      expect(await outcomeOf(job)).toMatchObject({ result: 'guests/ann [guest]' });
    });

    it('that is queued outside of every `runAs` is anonymous', async () => {
      const { async, outcomeOf } = await started();
      const job = await async.queueJob(whoami);
      expect(job.snapshot.principal).toEqual(anonymous);
      expect(await outcomeOf(job)).toMatchObject({ result: 'millrace/anonymous []' });
      expect((await async.getJob(job.id))?.snapshot.principal).toEqual(anonymous);
    });

    it('of a principal that is gone fails before anything of its task has run', async () => {
      const { async, users, outcomeOf } = await started();
      let hasRun = false;
      const job = await async.runAs(BOB, () => async.queueJob(nested.queues));
      const other = task('other', { quotas: [], setUp: () => (hasRun = true), retry: fixedDelay({ delayMs: 0 }) }, () => (hasRun = true));
      users.remove(BOB);
      expect(await outcomeOf(job)).toMatchObject({
        status: 'failed',
        error: { code: 'MILLRACE_UNAUTHORIZED', message: expect.stringContaining('bob of staff is gone or disabled') },
      });
      const second = await stage.start({ container: containerOf({ users }), tasks: [other] });
      const refused = await second.async.runAs(BOB, () => second.async.queueJob(other));
      await second.drain();
      expect(await refused.waitForOutcome()).toMatchObject({ error: { code: 'MILLRACE_UNAUTHORIZED' } });
      expect([hasRun, (await refused.refresh()).attempts]).toEqual([false, 1]);
    });

    it('is never run as another user than it was asked for', async () => {
      const users = new Users();
      users.resolve = () => ({ ...ANN, roles: ['editor'] });
      const { async, drain } = await stage.start({ container: containerOf({ users }), tasks: [whoami] });
      const job = await async.runAs(BOB, () => async.queueJob(whoami));
      await drain();
      expect(await job.waitForOutcome()).toMatchObject({
        error: {
          code: 'MILLRACE_UNAUTHORIZED',
          message: 'the PrincipalResolver was asked for bob of staff, but answered with ann of staff',
        },
      });
    });

    it('is tried again later while nobody can say who its principal is', async () => {
      const log = new Log();
      const { async, users, advance, outcomeOf } = await started({ log });
      const resolve = users.resolve.bind(users);
      let failures = 2;
      users.resolve = async (reference) => {
        if (failures-- > 0) throw new Error('the directory is down');
        return resolve(reference);
      };
      const job = await async.runAs(ANN, () => async.queueJob(whoami));
      await advance(30_000);
      expect(await outcomeOf(job)).toMatchObject({ result: 'staff/ann [editor]' });
      expect(log.of('warn')).toEqual(
        [1, 2].map(() => expect.stringMatching(/tried again in 10000 ms, since .* could not be resolved: the directory is down$/)),
      );
    });
  });

  describe('what comes of a job', () => {
    it('runs as its principal: steps, postprocess, callbacks, jobs that it queues, drafts that it returns', async () => {
      const { async, drain, outcomeOf, resultOf } = await started();
      const ran = await async.runAs(ANN, async () => ({
        batch: await async.queueJob(
          parallel(makeJob(whoami), makeJob(whoami).withCallback(whoAfter))
            .postprocess(whoAfter)
            .withCallbacks({
              success: callback(whoAfter, 'rest'),
            }),
        ),
        queues: await async.queueJob(nested.queues),
        returns: await async.queueJob(nested.returns),
      }));
      expect(await outcomeOf(ran.returns)).toMatchObject({ result: 'staff/ann [editor]' });
      expect(await resultOf(String(await ran.queues.waitForResult()))).toBe('staff/ann [editor]');
      await drain();
      const jobs = await async.getJobs({ statuses: ['completed'] });
      expect(jobs.map(({ snapshot }) => snapshot.principal)).toEqual(jobs.map(() => ANN));
      const results = jobs.filter(({ taskName }) => taskName.startsWith('who')).map(({ result }) => result);
      expect(results).toEqual(results.map(() => 'staff/ann [editor]'));
      expect(results).toHaveLength(9);
    });

    it('that is added to it runs as the principal that adds it, or as that of the job if none is named', async () => {
      const { async, outcomeOf } = await started();
      const job = await async.runAs(ANN, () => async.queueJob(whoami));
      const byBob = await async.runAs(BOB, () => job.addCallback(whoAfter));
      const byNobody = await job.addCallback(whoAfter);
      expect(await outcomeOf(byBob)).toMatchObject({ result: 'staff/bob []' });
      expect(await outcomeOf(byNobody)).toMatchObject({ result: 'staff/ann [editor]' });
      const batch = await async.runAs(ANN, () => async.queueJob(parallel(makeJob(whoami).with({ delayMs: 60_000 }))));
      const [added] = await async.runAs(BOB, () => async.extendBatch(batch, makeJob(whoami)));
      expect(await outcomeOf(added)).toMatchObject({ result: 'staff/bob []' });
      await batch.cancel();
    });

    it('runs as its principal when it is retried by somebody else', async () => {
      const { async, users, outcomeOf } = await started();
      users.give(ANN);
      const job = await async.runAs(ANN, () => async.queueJob(edit));
      expect(await outcomeOf(job)).toMatchObject({ error: { code: 'MILLRACE_UNAUTHORIZED' } });
      users.give(ANN, 'editor');
      expect(await outcomeOf(await async.runAs(BOB, () => job.retry()))).toMatchObject({ result: 'staff/ann [editor]' });
    });
  });

  it('a schedule fires on behalf of the system, which may run everything, or of the principal that its draft names', async () => {
    const seen: string[] = [];
    const note = task('note', { quotas: [], requires: ['editor'] }, () => seen.push(who()));
    const { advance } = await stage.start({
      container: containerOf({ users: new Users() }),
      tasks: [note],
      schedules: [
        { every: '* * * * *', job: makeJob(note), name: 'one' },
        { every: '* * * * *', job: makeJob(note).with({ principal: ANN }), name: 'two' },
      ],
    });
    await advance(60_000);
    expect(new Set(seen)).toEqual(new Set(['millrace/system []', 'staff/ann [editor]']));
  });

  describe('no principal gains privileges', () => {
    it('within `runAs`, in a task, by a draft, or by a draft that a task returns', async () => {
      const { async, outcomeOf } = await started();
      const refusal = { code: 'MILLRACE_UNAUTHORIZED', message: expect.stringContaining('bob of staff may not act as ann of staff') };
      await async.runAs(BOB, async () => {
        expect(() => async.runAs(ANN, () => {})).toThrow(expect.objectContaining(refusal));
        await expect(async.queueJob(makeJob(whoami).with({ principal: ANN }))).rejects.toMatchObject(refusal);
        await expect(async.queueJob(serial(makeJob(whoami), makeJob(whoami).with({ principal: ANN })))).rejects.toMatchObject(refusal);
        const callbacks = { success: callback(whoAfter).with({ principal: ANN }) };
        await expect(async.queueJob(makeJob(whoami).withCallbacks(callbacks))).rejects.toMatchObject(refusal);
        await expect(async.queueJobs([makeJob(whoami), makeJob(whoami).with({ principal: ANN })])).rejects.toMatchObject(refusal);
        expect(await outcomeOf(await async.queueJob(nested.becomes, ANN))).toMatchObject({ status: 'failed', error: refusal });
        expect(await outcomeOf(await async.queueJob(nested.returnsAs, ANN))).toMatchObject({ status: 'failed', error: refusal });
      });
      expect(await async.getJobs({ task: whoami })).toEqual([]);
    });

    it('but it may act as itself, and as `anonymous`', async () => {
      const { async, outcomeOf, resultOf } = await started();
      await async.runAs(BOB, async () => {
        expect(await outcomeOf(await async.runAs(BOB, () => async.queueJob(whoami)))).toMatchObject({ result: 'staff/bob []' });
        const becomes = await async.queueJob(nested.becomes, { ...anonymous });
        expect(await resultOf(String((await outcomeOf(becomes)).status === 'completed' && becomes.result))).toBe('millrace/anonymous []');
      });
    });

    it('unless the Authorizer allows it, or the principal is the system', async () => {
      const authorizer = { authorize: () => true, mayActAs: (actor: PrincipalReference) => actor.id === 'bob' };
      const { async, outcomeOf } = await started({ authorizer });
      const asAnn = makeJob(whoami).with({ principal: ANN });
      expect(await outcomeOf(await async.runAs(BOB, () => async.queueJob(asAnn)))).toMatchObject({ result: 'staff/ann [editor]' });
      await expect(async.runAs(GUEST_ANN, () => async.queueJob(asAnn))).rejects.toMatchObject({ code: 'MILLRACE_UNAUTHORIZED' });
      const bySystem = await async.runAs(system, () => async.queueJob(nested.returnsAs, ANN));
      expect(await outcomeOf(bySystem)).toMatchObject({ result: 'staff/ann [editor]' });
    });
  });

  describe('what a task requires', () => {
    it('is asked at queueing, where roles are known, of all that is queued', async () => {
      const { async } = await started();
      const refusal = { code: 'MILLRACE_UNAUTHORIZED', message: 'bob of staff may not run edit, which requires `editor`' };
      await async.runAs({ ...BOB, roles: ['reader'] }, async () => {
        await expect(async.queueJob(edit)).rejects.toMatchObject(refusal);
        await expect(async.queueSerialJobs(makeJob(whoami), makeJob(edit))).rejects.toMatchObject(refusal);
        await expect(async.queueJob(parallel(makeJob(whoami)).withCallback(makeJob(edit)))).rejects.toMatchObject(refusal);
        const job = await async.queueJob(whoami);
        await expect(job.addCallback(makeJob(edit))).rejects.toMatchObject(refusal);
      });
      await async.runAs({ ...ANN, roles: ['editor'] }, () => async.queueJob(edit));
    });

    it('is asked at run time, with the roles at that time, and none of its code runs', async () => {
      const { async, users, outcomeOf } = await started();
      const queued = await async.runAs({ ...ANN, roles: ['editor'] }, () =>
        Promise.all([async.queueJob(edit), async.queueJob(makeJob(edit).with({ delayMs: 1 }))]),
      );
      users.give(ANN, 'reader');
      expect(await outcomeOf(queued[0])).toMatchObject({
        error: { code: 'MILLRACE_UNAUTHORIZED', message: 'ann of staff may not run edit, which requires `editor`' },
      });
      users.give(ANN, 'reader', 'editor');
      const again = await async.runAs(ANN, () => async.queueJob(edit));
      expect(await outcomeOf(again)).toMatchObject({ result: 'staff/ann [reader,editor]' });
    });

    it('is decided by the Authorizer, for every task, if one is bound; order is kept until it answers', async () => {
      const asked: string[] = [];
      const authorizer = {
        authorize: async ({
          principal,
          taskName,
          requires,
        }: {
          principal: { id: string };
          taskName: string;
          requires: readonly string[];
        }) => {
          asked.push(`${principal.id} ${taskName} [${requires}]`);
          await after(asked.length === 1 ? 5 : 0);
          return taskName !== 'edit';
        },
      };
      const { async, outcomeOf } = await started({ authorizer });
      await async.runAs({ ...ANN, roles: [] }, async () => {
        const [first, second, third] = [async.queueJob(whoami), async.queueJob(edit), async.queueJob(whoami)];
        const outside = async.queueJobs([makeJob(whoami)]);
        await expect(second).rejects.toMatchObject({ message: 'ann of staff may not run edit: the Authorizer does not allow it' });
        const ids = [(await first).id, (await third).id, (await outside)[0].id];
        expect([...ids].sort()).toEqual(ids);
        expect(await outcomeOf(await third)).toMatchObject({ status: 'completed' });
      });
      expect(asked.slice(0, 3)).toEqual(['ann whoami []', 'ann edit [editor]', 'ann whoami []']);
    });
  });

  it('an event tells on whose behalf its job ran', async () => {
    const { async, outcomeOf } = await started();
    const told: PrincipalReference[] = [];
    async.events.success.subscribe(({ job }) => told.push(job.snapshot.principal));
    await outcomeOf(await async.runAs(ANN, () => async.queueJob(whoami)));
    expect(told).toEqual([ANN]);
  });

  it('follows the code of a task through promises, timers and streams, into its clean-ups and set-ups', async () => {
    const seen: string[] = [];
    const noting = () => seen.push(who());
    const everywhere = task('everywhere', { quotas: [], setUp: () => noting }, async () => {
      currentTask().onEnd(() => seen.push(who()));
      await Promise.resolve();
      seen.push(who());
      await after(1);
      seen.push(who());
      of(1).subscribe(() => seen.push(who()));
      await new Promise((resolve) => process.nextTick(resolve));
      return of(1, 2);
    });
    const { async, drain } = await stage.start({ container: containerOf({ users: new Users() }), tasks: [everywhere] });
    const job = await async.runAs(ANN, () => async.queueJob(everywhere));
    await drain();
    await job.waitForResult();
    expect(seen).toEqual(Array.from({ length: 5 }, () => 'staff/ann [editor]'));
    expect(currentPrincipal()).toEqual(anonymous);
  });
});
