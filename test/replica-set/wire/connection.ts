/** One client connection: reads commands, has them executed one after another, and answers. */

import type { Socket } from 'node:net';
import type { Document } from 'mongodb';
import { execute } from '../commands/execute.js';
import { DropConnection } from '../faults/drop-connection.js';
import type { Server } from '../server.js';
import type { Doc } from '../values/value.js';
import { type Frame, FrameReader, frame } from './framing.js';
import { MalformedMessage, MESSAGE_PREFIX, OP_MSG, readMessage } from './op-msg.js';
import { OP_QUERY, OP_REPLY, REPLY_PREFIX, readQuery } from './op-query.js';

/** The client's description of itself in its handshake. */
export interface ConnectionState {
  readonly id: number;
  readonly member: number;
  appName: string | undefined;
  isClosed: boolean;
}

interface Request {
  readonly body: Doc;
  readonly wantsAnswer: boolean;
  readonly answer: (doc: Doc) => Buffer;
}

export class Connection {
  readonly #socket: Socket;
  readonly #server: Server;
  readonly #state: ConnectionState;
  readonly #reader = new FrameReader();
  #last: Promise<void> = Promise.resolve();

  constructor(socket: Socket, server: Server, { id, member }: { readonly id: number; readonly member: number }) {
    this.#socket = socket;
    this.#server = server;
    this.#state = { id, member, appName: undefined, isClosed: false };
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#closed());
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Commands that only wait to read stop waiting; writes are finished, as on the server. */
  #closed(): void {
    this.#state.isClosed = true;
    this.#server.waiting.check();
  }

  #receive(chunk: Buffer): void {
    try {
      for (const each of this.#reader.take(chunk)) {
        const request = read(each);
        this.#last = this.#last.then(() => this.#serve(request));
      }
    } catch (error) {
      if (!(error instanceof MalformedMessage)) throw error;
      this.#socket.destroy();
    }
  }

  async #serve(request: Request): Promise<void> {
    const { faults } = this.#server;
    const [name = ''] = Object.keys(request.body);
    const interception = faults.intercept?.(request.body as Document, this.#state.appName);
    if (faults.isFrozen) await faults.whenThawed();
    faults.count(name);
    const hold = faults.takeHold(name);
    if (hold !== undefined) {
      hold.arrive();
      await hold.released;
    }
    if (interception instanceof Promise) await interception;
    if (interception === 'close') return void this.#socket.destroy();
    if (interception === 'refuse') return this.#refuse(request);
    const losesAnswer = faults.losesAnswer(name) || interception === 'lose answer';
    await this.#execute(request, losesAnswer);
    hold?.hasApplied();
  }

  #refuse({ answer }: Request): void {
    this.#socket.write(answer({ ok: 0, errmsg: 'refused by the test', code: 50, codeName: 'MaxTimeMSExpired' }));
  }

  async #execute({ body, wantsAnswer, answer }: Request, losesAnswer: boolean): Promise<void> {
    try {
      const doc = await execute(this.#server, body, this.#state);
      if (this.#server.faults.isFrozen) await this.#server.faults.whenThawed();
      if (losesAnswer) this.#socket.destroy();
      else if (wantsAnswer && !this.#socket.destroyed) this.#socket.write(answer(doc));
    } catch (error) {
      if (!(error instanceof DropConnection)) console.error('The stand-in failed:', error);
      this.#socket.destroy();
    }
  }
}

function read({ requestId, opCode, payload }: Frame): Request {
  if (opCode === OP_MSG) {
    const { body, wantsAnswer } = readMessage(payload);
    return { body, wantsAnswer, answer: (doc) => frame({ opCode: OP_MSG, responseTo: requestId, prefix: MESSAGE_PREFIX, doc }) };
  }
  if (opCode !== OP_QUERY) throw new MalformedMessage(`opcode ${opCode}`);
  const { body } = readQuery(payload);
  return { body, wantsAnswer: true, answer: (doc) => frame({ opCode: OP_REPLY, responseTo: requestId, prefix: REPLY_PREFIX, doc }) };
}
