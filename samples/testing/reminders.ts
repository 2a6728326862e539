/** A service of an application, to be tested: reminders that are sent by an unreliable gateway. */

import { inject, injectable } from 'inversify';
import { currentTask, exponential, Task, tasks } from 'millrace';

/** Sends messages; now and then it does not. */
export interface Gateway {
  send(to: string, text: string, signal: AbortSignal): Promise<void>;
}
export const GATEWAY = Symbol('Gateway');

@injectable()
export class Reminders {
  constructor(@inject(GATEWAY) private readonly gateway: Gateway) {}

  @Task({ quotas: [], timeoutMs: 10_000, retry: exponential({ attempts: 4, firstMs: 60_000, jitter: 0 }) })
  async remind(to: string, text: string): Promise<string> {
    const { signal, attempt } = currentTask();
    await this.gateway.send(to, text, signal);
    return `reminded ${to} in attempt ${attempt}`;
  }

  /** Waits by the clock of the task, which a test can move. */
  @Task({ quotas: [] })
  async remindTwice(to: string, text: string): Promise<string> {
    const { signal, clock } = currentTask();
    await this.gateway.send(to, text, signal);
    await clock.wait(3_600_000);
    await this.gateway.send(to, `${text}!`, signal);
    return new Date(clock.now()).toISOString();
  }
}

export const reminders = tasks(Reminders);
