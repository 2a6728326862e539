/** `IAsyncService` in a container, and the options of the module. */

import type { Container } from 'inversify';
import {
  type Around,
  type AttemptView,
  Authorizer,
  asyncModule,
  currentPrincipal,
  currentTask,
  IAsyncService,
  type Metadata,
  makeJob,
  memoryStore,
  type Principal,
  type PrincipalReference,
  PrincipalResolver,
  type StopReport,
  type StoredError,
  start,
  type TaskClock,
} from 'millrace';
import { type Equal, holds } from './expect.js';
import { addNumbers, Documents, documents, RenderReport } from './services.js';

export async function theSymbolCarriesTheType(container: Container): Promise<void> {
  const got = container.get(IAsyncService);
  holds<Equal<typeof got, IAsyncService>>();
  const later = await container.getAsync(IAsyncService);
  holds<Equal<typeof later, IAsyncService>>();
  const started = await start(container);
  holds<Equal<typeof started, IAsyncService>>();
  container.bind(IAsyncService).toConstantValue(got);
  // @ts-expect-error: not a service
  container.bind(IAsyncService).toConstantValue('anything');
  // @ts-expect-error: there is nothing to construct
  new IAsyncService();
  const symbol: symbol = IAsyncService;
  void symbol;
}

export async function aServiceIsDisposedOf(container: Container): Promise<void> {
  await using async = await start(container);
  const disposed: Promise<void> = async[Symbol.asyncDispose]();
  await disposed;
}

export function middlewareIsAFunctionOfJobAndNext(): void {
  const around: Around = async ({ id, attempt, isTransactional, metadata }, next) => {
    const result = await next();
    holds<Equal<typeof result, unknown>>();
    holds<Equal<typeof id, string>>();
    holds<Equal<typeof attempt, number>>();
    holds<Equal<typeof isTransactional, boolean>>();
    holds<Equal<typeof metadata, Metadata>>();
  };
  asyncModule({ store: memoryStore(), around: [around, (_job, next) => next()] });
  // @ts-expect-error: a function that needs more than a job and `next`
  asyncModule({ store: memoryStore(), around: [(_job: AttemptView, _next: () => Promise<unknown>, _more: string) => {}] });
  // @ts-expect-error: not a list
  asyncModule({ store: memoryStore(), around });
}

export function eventsOfAttemptsAreTyped(async: IAsyncService): void {
  async.events.started.subscribe(({ type, job }) => {
    holds<Equal<typeof type, 'started'>>();
    holds<Equal<typeof job, AttemptView>>();
  });
  async.events.retrying.subscribe(({ because, error, delayMs }) => {
    holds<Equal<typeof because, 'failed' | 'conflict' | 'retry-later'>>();
    holds<Equal<typeof error, StoredError | undefined>>();
    holds<Equal<typeof delayMs, number>>();
  });
  // @ts-expect-error: a start has no error
  async.events.started.subscribe(({ error }) => void error);
}

export async function aStopSaysWhatItLeaves(async: IAsyncService): Promise<void> {
  const stopped: Promise<void> = async.stop();
  await stopped;
  const report = await async.stop({});
  holds<Equal<typeof report, StopReport>>();
  const { left } = await async.stop({ drain: true, timeoutMs: 20_000 });
  holds<Equal<typeof left, number>>();
  const nothing: Promise<unknown> = async.stop({});
  await nothing;
  // @ts-expect-error: no such option
  await async.stop({ drian: true });
  // @ts-expect-error: milliseconds are a number
  await async.stop({ drain: true, timeoutMs: '20s' });
}

export function moduleOptions(): void {
  asyncModule({ store: memoryStore() });
  asyncModule({
    store: memoryStore(),
    tasks: [Documents, RenderReport, addNumbers, documents.create],
    quotas: { default: 1, reports: 4 },
    dispatcher: { agents: [{ queue: '', concurrency: 10, accepts: [documents.create, RenderReport] }] },
  });
  asyncModule({ store: memoryStore(), dispatcher: { agents: [{ accepts: (taskName) => taskName.startsWith('Documents.') }] } });
  asyncModule({ store: memoryStore(), dispatcher: false, tasks: undefined, quotas: undefined, logger: undefined });
}

export function moduleOptionsAreChecked(): void {
  // @ts-expect-error: a store is needed
  asyncModule({});
  // @ts-expect-error: no such option
  asyncModule({ store: memoryStore(), task: [Documents] });
  // @ts-expect-error: an object of tasks is not a task; pass the class
  asyncModule({ store: memoryStore(), tasks: [documents] });
  // @ts-expect-error: a plain function is not a task
  asyncModule({ store: memoryStore(), tasks: [(x: number) => x] });
  // @ts-expect-error: an instance is not a class
  asyncModule({ store: memoryStore(), tasks: [new Documents()] });
  // @ts-expect-error: a size is a number
  asyncModule({ store: memoryStore(), quotas: { reports: 'four' } });
  // @ts-expect-error: `false`, or options
  asyncModule({ store: memoryStore(), dispatcher: true });
  // @ts-expect-error: names are given by a function
  asyncModule({ store: memoryStore(), dispatcher: { agents: [{ accepts: ['Documents.create'] }] } });
}

export async function theRunningTask(): Promise<void> {
  const { job, attempt, signal, clock, progress, annotate, logger, onEnd } = currentTask();
  holds<Equal<typeof signal, AbortSignal>>();
  holds<Equal<typeof attempt, number>>();
  holds<Equal<typeof clock, TaskClock>>();
  const now: number = clock.now();
  await clock.wait(now);
  // @ts-expect-error: a test moves time by `advance`, a task cannot
  clock.advance(1);
  holds<Equal<typeof job.id, string>>();
  progress(0.5);
  progress({ done: 1, total: 2, note: 'half' });
  annotate('rows', 7);
  logger.info('half');
  onEnd(async () => {});
  // @ts-expect-error: dashboards could not show it
  progress('half');
  // @ts-expect-error: a key is a string
  annotate(7, 'rows');
}

export function schedules(): void {
  asyncModule({
    store: memoryStore(),
    schedules: [{ every: '0 3 * * *', job: makeJob(addNumbers, 1, 2), timeZone: 'UTC', missed: 'all' }],
  });
  // @ts-expect-error: a schedule queues a draft
  asyncModule({ store: memoryStore(), schedules: [{ every: '0 3 * * *', job: addNumbers }] });
  // @ts-expect-error: it needs to know when
  asyncModule({ store: memoryStore(), schedules: [{ job: makeJob(addNumbers, 1, 2) }] });
}

export async function pausing(async: IAsyncService): Promise<void> {
  await async.pause('everything');
  await async.pause({ task: addNumbers });
  await async.resume({ queue: 'mail' });
  // @ts-expect-error: no such thing
  await async.pause('all');
}

export function portsCarryTheirTypes(container: Container): void {
  container.bind(PrincipalResolver).toConstantValue({ resolve: ({ realm, id }) => ({ realm, id, roles: ['editor'] }) });
  container.bind(PrincipalResolver).toConstantValue({ resolve: async () => undefined });
  container.bind(Authorizer).toConstantValue({ authorize: ({ principal, requires }) => principal.roles.length >= requires.length });
  // @ts-expect-error: nobody is resolved
  container.bind(PrincipalResolver).toConstantValue({ authorize: () => true });
  // @ts-expect-error: a principal has an id
  container.bind(PrincipalResolver).toConstantValue({ resolve: () => ({ realm: 'staff', roles: [] }) });
}

export async function onSomebodysBehalf(container: Container): Promise<void> {
  const async = container.get(IAsyncService);
  const job = await async.runAs({ realm: 'staff', id: 'ann' }, () => async.queueJob(addNumbers, 40, 2));
  holds<Equal<Awaited<ReturnType<typeof job.waitForResult>>, number>>();
  holds<Equal<typeof job.snapshot.principal, PrincipalReference>>();
  const three = async.runAs({ realm: 'staff', id: 'ann', roles: ['editor'] }, () => 3);
  holds<Equal<typeof three, number>>();
  const { principal } = currentTask();
  holds<Equal<typeof principal, Principal>>();
  holds<Equal<Principal, PrincipalReference & { readonly roles: readonly string[] }>>();
  makeJob(addNumbers, 1, 2).with({ principal: currentPrincipal() });
  // @ts-expect-error: a name is not a reference
  async.runAs('ann', () => 3);
  // @ts-expect-error: somebody of some realm
  makeJob(addNumbers, 1, 2).with({ principal: { id: 'ann' } });
}
