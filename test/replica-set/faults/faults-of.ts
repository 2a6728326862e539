/** The faults of a running stand-in, as its tests use them. */

import type { Server } from '../server.js';
import type { Listener } from '../wire/listener.js';
import type { StandInFaults } from './stand-in-faults.js';

export function faultsOf(server: Server, listeners: readonly Listener[]): StandInFaults {
  const { faults, history, clock } = server;
  return {
    holdMajority: () => history.holdMajority(),
    releaseMajority: () => {
      history.releaseMajority();
      server.waiting.check();
    },
    stepDown: () => {
      server.failOver();
      for (const listener of listeners) listener.closeConnections();
    },
    loseAnswer: (command, times = 1) => faults.loseAnswer(command, times),
    holdBack: (command) => faults.holdBack(command),
    freeze: () => faults.freeze(),
    thaw: () => faults.thaw(),
    cutOplog: () => server.oplog.cut(history.applied),
    changeEvents: server.changeEvents,
    get clockOffsetMs() {
      return clock.offsetMs;
    },
    set clockOffsetMs(offset: number) {
      clock.offsetMs = offset;
    },
    get oldSnapshots() {
      return faults.oldSnapshots;
    },
    set oldSnapshots(isOn: boolean) {
      faults.oldSnapshots = isOn;
    },
    get intercept() {
      return faults.intercept;
    },
    set intercept(intercept: StandInFaults['intercept']) {
      faults.intercept = intercept;
    },
    sweepTtl: () => {
      const deleted = server.ttl.sweep();
      server.waiting.check();
      return deleted;
    },
    commandCounts: () => Object.fromEntries(faults.counts),
    resetCommandCounts: () => faults.counts.clear(),
    openConnections: () => listeners.reduce((sum, { connections }) => sum + connections.size, 0),
  };
}
