/** The commands that clients send, and the documents that these write, as the driver's events report them. */

import type { CommandStartedEvent, CommandSucceededEvent, Document, MongoClient } from 'mongodb';

/** Asked for by the driver itself, or for as long as somebody listens. */
const NOT_COUNTED = new Set(['hello', 'ismaster', 'ping', 'endSessions', 'getMore']);

export class CommandsSent {
  #sent: CommandStartedEvent[] = [];
  #documents = 0;
  #underWay = 0;
  #heard = 0;

  /** Counts what is sent by a client that was made with `monitorCommands`. */
  watch(client: MongoClient): void {
    client.on('commandStarted', (event) => this.#started(event));
    client.on('commandSucceeded', (event) => this.#succeeded(event));
    client.on('commandFailed', ({ commandName }) => this.#ended(commandName));
  }

  get count(): number {
    return this.#sent.length;
  }

  get names(): readonly string[] {
    return this.#sent.map(({ commandName }) => commandName);
  }

  get commands(): readonly Document[] {
    return this.#sent.map(({ command }) => command);
  }

  /** Inserted, changed or removed; one that stayed as it was is none. */
  get documents(): number {
    return this.#documents;
  }

  get isUnderWay(): boolean {
    return this.#underWay > 0;
  }

  /** How often a stream was answered, of all time. */
  get heard(): number {
    return this.#heard;
  }

  reset(): void {
    this.#sent = [];
    this.#documents = 0;
  }

  #started(event: CommandStartedEvent): void {
    if (NOT_COUNTED.has(event.commandName)) return;
    this.#underWay++;
    this.#sent.push(event);
  }

  #succeeded({ commandName, reply }: CommandSucceededEvent): void {
    if (commandName === 'getMore') this.#heard++;
    this.#documents += writtenBy(commandName, reply as Document);
    this.#ended(commandName);
  }

  #ended(commandName: string): void {
    if (!NOT_COUNTED.has(commandName)) this.#underWay--;
  }
}

function writtenBy(command: string, { n, nModified, upserted, lastErrorObject }: Document): number {
  if (command === 'insert' || command === 'delete') return Number(n ?? 0);
  if (command === 'update') return Number(nModified ?? 0) + ((upserted ?? []) as readonly unknown[]).length;
  return command === 'findAndModify' ? Number(lastErrorObject?.n ?? 0) : 0;
}
