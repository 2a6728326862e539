/** Everything one set consists of, which its commands work on. */

import { Timestamp } from 'mongodb';
import { ChangeEventGate } from './change-streams/change-event-gate.js';
import { Cursors } from './commands/cursors.js';
import { Catalog } from './documents/catalog.js';
import { History } from './documents/history.js';
import { ttlMonitor } from './documents/ttl-monitor.js';
import { defineAllOperators } from './expressions/all-operators.js';
import { FaultState } from './faults/fault-state.js';
import { fromTimestamp, toTimestamp } from './oplog/op-time.js';
import { Oplog } from './oplog/oplog.js';
import { defineAllStages } from './pipeline/all-stages.js';
import { ServerClock, type Timer } from './server-clock.js';
import { ServerError } from './server-error.js';
import { Sessions } from './sessions/sessions.js';
import { answersBy, type Later, laterBy, type Timing } from './timing.js';
import { Topology } from './topology/topology.js';
import { Operations } from './transactions/operations.js';
import type { TransactionGround } from './transactions/transaction.js';
import { Waiting } from './transactions/waiting.js';
import type { Maybe } from './values/value.js';

defineAllOperators();
defineAllStages();

const NOOP_SECONDS = 10;
const ELECTION_MS = 10;
const MAX_CLOCK_DRIFT_SECONDS = 365 * 24 * 3600;

/** The parameters that `setParameter` may change. */
export interface Parameters {
  transactionLifetimeLimitSeconds: number;
  ttlMonitorSleepSecs: number;
  ttlMonitorEnabled: boolean;
}

export class Server implements TransactionGround {
  readonly clock = new ServerClock();
  readonly catalog = new Catalog();
  readonly sessions = new Sessions();
  readonly cursors = new Cursors();
  readonly topology = new Topology();
  readonly operations = new Operations();
  readonly faults = new FaultState();
  readonly changeEvents = new ChangeEventGate();
  readonly history: History;
  /** Answers a write as soon as it does that; at once, where absent. */
  readonly answers: Later | undefined;
  readonly waiting: Waiting;
  readonly oplog: Oplog;
  readonly ttl = ttlMonitor(this);
  readonly parameters: Parameters = {
    transactionLifetimeLimitSeconds: 60,
    ttlMonitorSleepSecs: 60,
    ttlMonitorEnabled: true,
  };

  #ttlTimer: Timer | undefined;

  /** @param oplogEntries how many changes the oplog remembers */
  constructor(oplogEntries: number, timing: Timing) {
    const after = (ms: number, act: () => void): unknown =>
      this.clock.after(ms, () => {
        act();
        this.waiting.check();
      });
    this.history = new History(this.clock, laterBy(timing, after));
    this.answers = answersBy(timing, after);
    this.waiting = new Waiting(this.clock);
    this.oplog = new Oplog(oplogEntries);
    this.changeEvents.onRelease = () => this.waiting.check();
  }

  /** Hears of a time that somebody else has seen; one far in the future is not believed. */
  hear(time: Maybe): void {
    if (!(time instanceof Timestamp))
      throw new ServerError('TypeMismatch', "BSON field '$clusterTime.clusterTime' is the wrong type, expected type 'timestamp'");
    const limit = this.clock.now() / 1000 + MAX_CLOCK_DRIFT_SECONDS;
    if (time.getHighBitsUnsigned() > limit) throw new ServerError(40446, "new cluster time is too far from this node's wall clock time");
    this.history.advanceTo(fromTimestamp(time));
  }

  /** A wait for the majority makes it catch up by the next turn of the event loop, unless a test holds it. */
  async hurryMajority(): Promise<void> {
    await this.clock.turn();
    this.history.confirm();
    this.waiting.check();
  }

  /** The no-op that an idle primary writes, so that streams see time go on. */
  writeNoop(): void {
    if (toTimestamp(this.history.applied).getHighBitsUnsigned() + NOOP_SECONDS <= this.clock.now() / 1000) this.history.tick();
  }

  /** Runs the TTL monitor at its interval from now on. */
  scheduleTtl(): void {
    this.#ttlTimer?.cancel();
    this.#ttlTimer = this.clock.after(this.parameters.ttlMonitorSleepSecs * 1000, () => {
      if (this.parameters.ttlMonitorEnabled && this.topology.primary !== undefined) this.ttl.sweep();
      this.waiting.check();
      this.scheduleTtl();
    });
  }

  /** The primary is none for a while; what runs is interrupted, and open transactions are gone. */
  stepDown(forMs: number): void {
    const { topology, clock } = this;
    const last = topology.primary ?? 0;
    topology.stepDown();
    this.#interruptAll();
    const isAlone = topology.hosts.length === 1;
    clock.after(isAlone ? forMs : ELECTION_MS, () => this.#elect((last + 1) % topology.hosts.length));
  }

  /** As after a partition: what was not majority-committed is rolled back, and another primary is there at once. */
  failOver(): void {
    const next = ((this.topology.primary ?? 0) + 1) % this.topology.hosts.length;
    this.#interruptAll();
    this.history.confirm();
    this.oplog.truncateAfter(this.history.majority);
    this.history.rollBack();
    this.cursors.closeWhere(() => true);
    this.#elect(next);
  }

  #elect(member: number): void {
    this.topology.elect(member);
    this.history.tick();
    this.waiting.check();
  }

  #interruptAll(): void {
    this.operations.interrupt(new ServerError('InterruptedDueToReplStateChange', 'operation was interrupted'));
    for (const { transaction } of this.sessions.all()) transaction?.abortIfOpen();
    this.waiting.check();
  }

  /** Nothing waits and no timer is left. */
  stop(): void {
    this.faults.thaw();
    this.waiting.stop(new ServerError('InterruptedAtShutdown', 'interrupted at shutdown'));
    this.clock.stop();
  }

  now(): Date {
    return new Date(this.clock.now());
  }
}
