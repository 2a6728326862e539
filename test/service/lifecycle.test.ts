import { Container, inject, injectable } from 'inversify';
import { describe, expect, it } from 'vitest';
import {
  asyncModule,
  IAsyncService,
  makeJob,
  memoryStore,
  NotRunningError,
  StartError,
  start,
  Task,
  task,
  tasks,
} from '../../src/index.js';
import { setup } from '../support/bundle.js';
import { failureOf } from '../support/deferred.js';

const work = task('work', { quotas: [] }, (value: number) => value);

describe('a service', () => {
  it('that is stopped twice at once leaves those alone that share its store', async () => {
    const store = memoryStore();
    const [one, other] = [await setup({ tasks: [work], store }), await setup({ tasks: [work], store })];
    await Promise.all([one.stop(), one.async.stop()]);
    const job = await other.async.queueJob(work, 1);
    expect(await job.waitForResult()).toBe(1);
  });

  it('is started once', async () => {
    const container = new Container();
    container.load(asyncModule({ store: memoryStore(), tasks: [work] }));
    const [first, second] = await Promise.allSettled([start(container), start(container)]);
    expect(first?.status).toBe('fulfilled');
    expect(second?.status === 'rejected' && second.reason).toBeInstanceOf(NotRunningError);
    await container.get(IAsyncService).stop();
  });

  it('shares a store without sharing ids', async () => {
    const store = memoryStore();
    const [one, other] = [await setup({ tasks: [work], store }), await setup({ tasks: [work], store })];
    expect((await one.async.queueJob(work, 1)).id).not.toBe((await other.async.queueJob(work, 2)).id);
  });

  it('leaves quotas as they are that its configuration does not name', async () => {
    const store = memoryStore();
    await setup({ store, quotas: { default: 5 } });
    await setup({ store, dispatcher: false, quotas: { more: 2 } });
    expect([...store.quotas]).toEqual([
      ['default', 5],
      ['more', 2],
    ]);
  });

  it('that makes a quota larger lets those run who wait for it', async () => {
    const store = memoryStore();
    const hang = task('hang', { quotas: ['q'] }, () => new Promise<never>(() => {}));
    const { async, drain } = await setup({ store, tasks: [hang], quotas: { q: 1 }, dispatcher: { stopMs: 0 } });
    const jobs = [await async.queueJob(hang), await async.queueJob(hang)] as const;
    await drain();
    expect((await jobs[1].refresh()).status).toBe('pending');
    await setup({ store, dispatcher: false, quotas: { q: 2 } });
    await drain();
    expect((await jobs[1].refresh()).status).toBe('active');
  });
});

describe('a listener that is made before the service has started', () => {
  const seen: unknown[] = [];

  @injectable()
  class Audit {
    constructor(@inject(IAsyncService) async: IAsyncService) {
      async.events.all.subscribe({ next: ({ outcome }) => seen.push(outcome.status), complete: () => seen.push('complete') });
    }
  }

  @injectable()
  class Service {
    constructor(@inject(Audit) readonly audit: Audit) {}

    @Task({ quotas: [] })
    go(): number {
      return 1;
    }
  }

  it('hears of everything from the start on', async () => {
    const container = new Container();
    container.bind(Audit).toSelf().inSingletonScope();
    const { async, stop } = await setup({ tasks: [Service], container });
    await (await async.queueJob(tasks(Service).go)).waitForResult();
    expect(seen).toEqual(['completed']);
    await stop();
    expect(seen).toEqual(['completed', 'complete']);
  });
});

describe('a start', () => {
  it('is refused where a class that is a task has no `run`', async () => {
    @injectable()
    class NoRun {}
    Task()(NoRun as never);
    await expect(setup({ tasks: [NoRun as never] })).rejects.toThrow('NoRun has no method `run`');
  });

  it('is refused where the application has bound something else in place of a service', async () => {
    @injectable()
    class Service {
      @Task()
      go(): void {}
    }
    const container = new Container();
    container.bind(Service).toConstantValue({} as Service);
    await expect(setup({ container, tasks: [Service] })).rejects.toThrow('Service has no method `go`');
  });

  describe('checks the quotas that registered tasks name', () => {
    const report = task('report', { quotas: ['reprots'] }, () => {});

    it('and refuses an unknown one, with the nearest name', async () => {
      await expect(setup({ tasks: [report, work], quotas: { reports: 4 } })).rejects.toThrow(
        'the task report names the quota `reprots`, which is not configured; did you mean `reports`?',
      );
    });

    it('all of them, together with schedules that could not be queued', async () => {
      const heavy = task('heavy', { quotas: { gpu: 2 } }, () => {});
      const schedules = [{ every: '0 3 * * *', job: makeJob(work, 1).with({ quotas: ['nights'] }) }];
      const error = await setup({ tasks: [report, heavy, work], schedules }).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(StartError);
      for (const name of ['reprots', 'gpu', 'nights']) expect(String(error)).toContain(`the quota \`${name}\``);
    });

    it('and accepts one that another process has configured in the same store', async () => {
      const store = memoryStore();
      await setup({ store, quotas: { reprots: 1 } });
      await setup({ store, tasks: [report], dispatcher: false });
    });

    it('and accepts one that is too small for now, since an operator may have resized it', async () => {
      await setup({ tasks: [task('wide', { quotas: { wide: 2 } }, () => {})], quotas: { wide: 1 } });
    });
  });

  it.each(['serial', 'parallel', 'choice'])('is refused with a task of the name `%s`', async (name) => {
    await expect(setup({ tasks: [task(name, () => {})] })).rejects.toThrow('kind of batch or callback');
  });
});

describe('a lease that is renewed after it was over', () => {
  it('lets its dispatcher look for the work that it could not claim meanwhile', async () => {
    const store = memoryStore();
    const { async, clock } = await setup({ tasks: [work], store, dispatcher: false });
    await store.heartbeat('slow', 1_000);
    await clock.advance(2_000, async () => {});
    await async.queueJob(work, 1);
    expect(await store.claim({ dispatcher: 'slow', queue: '', taskVersions: new Set(['work']), limit: 1 })).toEqual([]);
    let rung = 0;
    store.changes({ work: '' }).subscribe(() => rung++);
    await store.heartbeat('slow', 1_000);
    expect(rung).toBe(1);
    expect(await store.claim({ dispatcher: 'slow', queue: '', taskVersions: new Set(['work']), limit: 1 })).toHaveLength(1);
  });
});

describe('`@Task` without parentheses', () => {
  it.each<[string, () => unknown]>([
    ['on a class', () => (Task as (target: unknown) => unknown)(class A {})],
    ['on a method', () => (Task as (target: unknown, name: string) => unknown)(class A {}.prototype, 'go')],
    ['on a method, with standard decorators', () => (Task as (target: unknown) => unknown)(() => {})],
  ])('%s says so', (_where, decorate) => {
    expect(decorate).toThrow('`@Task` needs parentheses');
  });
});

describe('a service at the end of a block that began with `await using`', () => {
  it('has stopped', async () => {
    const { async, stop } = await setup({ tasks: [] });
    {
      await using own = async;
      expect(own.dispatcher).toBeDefined();
    }
    const late = makeJob(task('late', () => 1));
    expect(await failureOf(async.queueJob(late))).toMatchObject({ code: 'MILLRACE_NOT_RUNNING' });
    await stop();
  });
});

describe('a service that is stopped before it has started', () => {
  it('does not start', async () => {
    const container = new Container();
    container.load(asyncModule({ store: memoryStore(), tasks: [work] }));
    const starting = start(container);
    await container.get(IAsyncService).stop();
    await expect(starting).rejects.toThrow(NotRunningError);
  });
});

describe('a job that ended while the service stopped', () => {
  it('can still be waited for', async () => {
    const { async, drain, stop } = await setup({ tasks: [work] });
    const job = await async.queueJob(work, 1);
    await drain();
    await stop();
    expect(await job.waitForResult()).toBe(1);
  });
});

describe('a constructor parameter that nobody can inject', () => {
  it('is a problem among the others', async () => {
    @injectable()
    class NeedsMore {
      constructor(readonly more: object) {}

      @Task()
      go(): void {}
    }
    const error = await setup({ tasks: [NeedsMore, undefined as never] }).catch((thrown: unknown) => thrown);
    expect(String(error)).toContain('NeedsMore cannot be resolved');
    expect(String(error)).toContain('`tasks[1]`');
  });
});

describe('`queueJobs`', () => {
  it.each<[string, unknown]>([
    ['a hole', Object.assign(new Array(3), { 0: makeJob(work, 1), 2: makeJob(work, 2) })],
    ['no array', makeJob(work, 1)],
    ['nothing', undefined],
  ])('refuses %s, and queues nothing', async (_what, drafts) => {
    const { async, store } = await setup({ tasks: [work] });
    await expect(async.queueJobs(drafts as never)).rejects.toThrow(/drafts/);
    expect(await store.count({})).toBe(0);
  });
});

describe('a callback and its own callback that come too late in one round', () => {
  it('are counted once each, so that the wait for running ones goes on', async () => {
    const store = memoryStore();
    const { async, clock } = await setup({ tasks: [work], store, dispatcher: false });
    const late = (ms: number) => makeJob(work, ms).with({ beginBy: new Date(clock.now() + ms) });
    const job = await async.queueJob(
      makeJob(work, 0)
        .withCallback(late(101).withCallback(late(100)))
        .withCallback(makeJob(work, 1)),
    );
    await store.heartbeat('d', 1_000_000);
    const claim = { dispatcher: 'd', queue: '', taskVersions: new Set(['work']), limit: 1 };
    const [run] = await store.claim(claim);
    await store.settle([{ id: job.id, token: run?.attempt.token ?? '', outcome: { status: 'cancelled', reason: undefined } }]);
    await clock.advance(200, async () => {});
    await store.recover('d');
    expect((await job.refresh()).status).toBe('callbacks');
  });
});
