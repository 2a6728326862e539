/** The commands that the clients of a test have under way: time moves only when there are none. */

import type { MongoClient } from 'mongodb';
import { firstValueFrom } from 'rxjs';
import { nextTurn } from '../../../../src/clock.js';

/** Those that wait for events as long as somebody listens, and those of `quiet` itself. */
const NO_WORK: ReadonlySet<string> = new Set(['getMore', 'ping']);

const PING_MS = 1_000;

/** This number of turns of the event loop without an event counts as quiet. */
const QUIET_TURNS = 12;
/** The same while commands are kept from being answered, so that none ends. */
const HELD_TURNS = 40;

/** More events than this at one moment of time are a loop. */
const RESTLESS = 400;

export class Traffic {
  /** At how many moments there was no rest. */
  restless = 0;
  #seen = 0;
  #underWay = 0;
  #without = 0;
  readonly #clients: MongoClient[] = [];

  /** @param isHeld - whether commands may be under way for as long as time stands still */
  constructor(private readonly isHeld: () => boolean) {}

  watch(client: MongoClient): void {
    this.#clients.push(client);
    const counts =
      (by: number) =>
      ({ commandName }: { readonly commandName: string }): void => {
        if (commandName === 'ping') return;
        this.#seen++;
        if (!NO_WORK.has(commandName)) this.#underWay += by;
      };
    client.on('commandStarted', counts(1)).on('commandSucceeded', counts(-1)).on('commandFailed', counts(-1));
    this.#watchPool(client);
  }

  /**
   * Resolves when everybody has a primary, nothing is under way, and nothing was for some turns; time is not kept from moving by those who
   * never rest.
   */
  async quiet(): Promise<void> {
    await this.#rested();
    while (!this.isHeld() && (!(await this.#haveFoundPrimary()) || this.#isBusy)) await this.#rested();
  }

  /** In the driver's own time, which no test moves; it may wait without end for a closed connection to take a command. */
  async #haveFoundPrimary(): Promise<boolean> {
    const found = await Promise.allSettled(
      this.#clients.map((client) => client.db().command({ ping: 1 }, { signal: AbortSignal.timeout(PING_MS) })),
    );
    return found.every(({ status }) => status === 'fulfilled');
  }

  async #rested(): Promise<void> {
    const begun = this.#seen;
    for (let turns = 0; turns < (this.isHeld() ? HELD_TURNS : QUIET_TURNS); turns++) {
      const before = this.#seen;
      await firstValueFrom(nextTurn());
      if (this.#seen - begun > RESTLESS) return void this.restless++;
      if (this.#seen > before || (this.#isBusy && !this.isHeld())) turns = -1;
    }
  }

  get #isBusy(): boolean {
    return this.#underWay > 0 || this.#without > 0;
  }

  /** From the loss of a connection until the driver has found the server again, commands may wait that have not been started. */
  #watchPool(client: MongoClient): void {
    let isReady = true;
    const turn = (ready: boolean) => (): void => {
      this.#seen++;
      if (ready !== isReady) this.#without += ready ? -1 : 1;
      isReady = ready;
    };
    client.on('connectionPoolCleared', turn(false)).on('connectionPoolReady', turn(true));
    client.on('connectionCheckOutStarted', () => this.#seen++).on('connectionCheckedOut', () => this.#seen++);
  }
}
