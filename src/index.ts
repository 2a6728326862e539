/** The public surface of Millrace. */

export { type Clock, systemClock } from './clock.js';
// ---- Putting it together
export { asyncModule, start } from './container/async-module.js';
export type { AsyncModuleOptions } from './container/module-options.js';
export type { ScheduleOptions } from './container/schedule-options.js';
export type { AgentOptions, DispatcherOptions } from './dispatch/dispatcher-options.js';
// ---- Errors
export {
  AbortedError,
  BatchFailedError,
  CircularJobError,
  ConflictError,
  ContextNotFoundError,
  DatabaseUnreachableError,
  EndlessJobsError,
  ExpiredError,
  isMillraceError,
  JobCancelledError,
  JobFailedError,
  JobNotFoundError,
  JobStateError,
  JobTypeError,
  MiddlewareError,
  MillraceError,
  NoCurrentTaskError,
  NoTransactionError,
  NotATaskError,
  NotRunningError,
  OptionError,
  QuotaError,
  RetryLater,
  SealError,
  StartError,
  StoreError,
  TaskTimeoutError,
  TooLargeError,
  TransactionError,
  UnauthorizedError,
  UncertainError,
  UnknownQuotaError,
  UnstorableError,
  WaitTimeoutError,
} from './errors.js';
export type { Missed } from './job/cron-schedule.js';
// ---- Progress and outcomes of jobs
export { type Ref, ref } from './job/document-reference.js';
export { type DocumentRequest, DocumentSource } from './job/document-source.js';
export type { FailureLogLevel } from './job/failure-log-level.js';
export type { OnFailure, Progress } from './job/job-record.js';
export type { FinalStatus, Status } from './job/job-status.js';
export type { Metadata } from './job/metadata.js';
export type { Outcome } from './job/outcome.js';
export type { Paused } from './job/pauses.js';
// ---- Principals
export { anonymous, type Principal, type PrincipalReference, system } from './job/principal.js';
export type { Rate } from './job/rates.js';
export type { CollectionName, DocumentIn, IdIn, QuotaName, QuotaSize, QuotaSizes, Quotas, Register, Session } from './job/register.js';
export {
  type Backoff,
  exponential,
  fixedDelay,
  forever,
  never,
  type RetryPolicy,
  retryCommon,
  type StoredRetry,
} from './job/retry-policy.js';
export type { StoredError } from './job/stored-error.js';
export type { UniqueFor, UniqueOptions } from './job/unique-key-options.js';
export { currentPrincipal } from './principal/actor.js';
export { Authorizer, type TaskRequest } from './principal/authorizer.js';
export { PrincipalResolver } from './principal/principal-resolver.js';
export type { SecretsOptions } from './principal/secrets.js';
export type { DeadLetter } from './service/dead-letters.js';
export type { Events, JobEvent } from './service/events.js';
export type { Explanation, Reason } from './service/explanation.js';
export { type DispatcherView, IAsyncService, type RunningJob } from './service/i-async-service.js';
export type {
  BatchDraft,
  BatchOptions,
  Callback,
  CallbackFor,
  CallbackResult,
  Callbacks,
  CallbacksResult,
  Described,
  Draft,
  Job,
  JobOptions,
  JobSnapshot,
  JobsOf,
  Queueable,
  QueueResult,
  WaitOptions,
} from './service/job.js';
// ---- Queueing jobs
export { callback, makeJob, parallel, serial } from './service/job-draft.js';
export type { JobFilter } from './service/job-filter.js';
export type { Pausable } from './service/pause-options.js';
export type { Queue, Queues } from './service/queues.js';
export type { StopOptions, StopReport } from './service/stop-options.js';
export type { UnreadableJob } from './service/unreadable-jobs.js';
export type { DispatcherEvent } from './store/dispatcher-event.js';
// ---- For those who write a store
export type * from './store/job-store.js';
export type { MemorySession } from './store/memory/memory-session.js';
export { type MemoryJobStore, type MemoryStoreOptions, memoryStore } from './store/memory/memory-store.js';
export type * from './store/store-changes.js';
export type * from './store/store-insight.js';
export type * from './store/store-messages.js';
// ---- Declaring tasks
export type { Around, AttemptView } from './task/around.js';
export type { ProgressEvent, RetryCause, RetryingEvent, StartedEvent } from './task/attempt-events.js';
export { type CurrentTask, currentTask } from './task/current-task.js';
export type { Logger } from './task/logger.js';
export { tasks } from './task/service-tasks.js';
export type {
  AnyFunction,
  ArgsOf,
  Class,
  FunctionTask,
  ResultOf,
  SignatureOf,
  TaskClass,
  TaskLike,
  TasksOf,
  Unwrapped,
} from './task/task.js';
export type { TaskClock } from './task/task-clock.js';
export { Task, type TaskDecorator } from './task/task-decorator.js';
export { type FunctionTaskOptions, task } from './task/task-function.js';
export type { KeyFunction, SetUp, TaskOptions } from './task/task-options.js';
export { type Upcasts, upcast } from './task/upcast.js';
