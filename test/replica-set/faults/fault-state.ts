/** The faults that are set: what the connections and the executor look at before they serve a command. */

import { FailCommand } from './fail-command.js';
import type { HeldBack, StandInFaults } from './stand-in-faults.js';

/** A command that is held back, as the executor sees it. */
export interface Hold extends HeldBack {
  readonly command: string;
  arrive(): void;
  /** Resolves when the test lets it be applied. */
  readonly released: Promise<void>;
  hasApplied(): void;
}

export class FaultState {
  readonly failCommand = new FailCommand();
  readonly counts = new Map<string, number>();
  oldSnapshots = false;
  intercept: StandInFaults['intercept'];
  #losses = new Map<string, number>();
  #held: Hold[] = [];
  #thawed: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined;

  count(command: string): void {
    this.counts.set(command, (this.counts.get(command) ?? 0) + 1);
  }

  loseAnswer(command: string, times: number): void {
    this.#losses.set(command, (this.#losses.get(command) ?? 0) + times);
  }

  /** Whether the answer to this command is to be lost. */
  losesAnswer(command: string): boolean {
    const left = this.#losses.get(command) ?? 0;
    if (left === 0) return false;
    this.#losses.set(command, left - 1);
    return true;
  }

  freeze(): void {
    this.#thawed ??= withResolvers();
  }

  thaw(): void {
    this.#thawed?.resolve();
    this.#thawed = undefined;
  }

  get isFrozen(): boolean {
    return this.#thawed !== undefined;
  }

  /** Resolves when commands are served. */
  async whenThawed(): Promise<void> {
    await this.#thawed?.promise;
  }

  holdBack(command: string): HeldBack {
    const arrival = withResolvers();
    const release = withResolvers();
    const applied = withResolvers();
    const held: Hold = {
      command,
      arrived: arrival.promise,
      arrive: arrival.resolve,
      released: release.promise,
      hasApplied: applied.resolve,
      apply: () => {
        release.resolve();
        return applied.promise;
      },
    };
    this.#held.push(held);
    return held;
  }

  /** Takes the order to hold this command back, if there is one. */
  takeHold(command: string): Hold | undefined {
    const at = this.#held.findIndex((held) => held.command === command);
    return at < 0 ? undefined : this.#held.splice(at, 1)[0];
  }
}

function withResolvers(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve: () => void = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
