/** The part of the port that explains why a job waits; it only reads. */

import type { Rate } from '../job/rates.js';

/** Shows why jobs wait, at about one moment; only reads. */
export interface Insight {
  /** The living dispatchers. */
  dispatchers(): Promise<readonly DispatcherStatus[]>;
  /** Those of the quotas that are there. */
  quotas(names: readonly string[]): Promise<readonly QuotaStatus[]>;
  /** How many pending jobs of its queue come before a pending job, for any reason; counted up to a limit. */
  countAhead(id: string, limit: number): Promise<number>;
  /**
   * The keys of the lanes in which jobs wait to be claimed; also those whose time has come a while ago, and that nobody has made pending.
   */
  lanes(): Promise<readonly string[]>;
  /** The jobs that wait in a lane, counted up to a limit. */
  waiting(lane: string, limit: number): Promise<WaitingJobs>;
}

export interface WaitingJobs {
  readonly count: number;
  /** For how long the first of them has waited, by the time of the store, since it was queued or due. */
  readonly waitedMs: number;
}

/** The part of a queue that a dispatcher runs. */
export interface AgentInfo {
  readonly queue: string;
  readonly taskVersions: readonly string[];
  readonly concurrency: number;
}

export interface DispatcherStatus {
  readonly dispatcher: string;
  /** As it said with its first heartbeat, if it did. */
  readonly agents: readonly AgentInfo[];
  /** The jobs whose code it runs. */
  readonly running: readonly { readonly queue: string; readonly taskVersion: string }[];
}

export interface QuotaStatus {
  readonly name: string;
  readonly size: number;
  readonly holders: readonly QuotaHolder[];
  readonly rate: Rate | undefined;
  /** Under its rate: when another job may begin, where none may now. */
  readonly nextStart: Date | undefined;
}

/**
 * A holder of places: a running job, an open batch, a job that goes on with its places, or a dispatcher that keeps them for its next jobs.
 */
export interface QuotaHolder {
  readonly places: number;
  readonly job?: { readonly id: string; readonly taskName: string } | undefined;
  readonly since?: Date | undefined;
  readonly dispatcher?: string | undefined;
}
