/** The wire protocol where the driver can't reach: split, joined, and malformed messages. */

import { connect, type Socket } from 'node:net';
import { BSON } from 'mongodb';
import { expect, it, onTestFinished } from 'vitest';
import { startStandIn } from './stand-in.js';
import { FrameReader, frame } from './wire/framing.js';
import { MalformedMessage, MESSAGE_PREFIX, OP_MSG, readMessage } from './wire/op-msg.js';

const ping = (responseTo = 0): Buffer => frame({ opCode: OP_MSG, responseTo, prefix: MESSAGE_PREFIX, doc: { ping: 1, $db: 'admin' } });

const cut = (bytes: Buffer, size: number): Buffer[] =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));

it.each([1, 3, 15, 16, 17, 40, 1000])('finds the messages of a stream that comes in pieces of %i bytes', (size) => {
  const reader = new FrameReader();
  const stream = Buffer.concat([ping(), ping(), ping()]);
  const frames = cut(stream, size).flatMap((piece) => [...reader.take(piece)]);
  expect(frames.map(({ payload }) => Object.keys(readMessage(payload).body))).toEqual(Array(3).fill(['ping', '$db']));
});

it('reads a document sequence as a field of the command', () => {
  const documents = [BSON.serialize({ a: 1 }), BSON.serialize({ a: 2 })];
  const name = Buffer.from('documents\0');
  const sequence = Buffer.concat([Buffer.alloc(4), name, ...documents]);
  sequence.writeInt32LE(sequence.length, 0);
  const body = Buffer.from(BSON.serialize({ insert: 'things', $db: 'test' }));
  const payload = Buffer.concat([Buffer.alloc(4), Buffer.from([1]), sequence, Buffer.from([0]), body]);
  expect(BSON.deserialize(BSON.serialize(readMessage(payload).body))).toEqual({
    insert: 'things',
    $db: 'test',
    documents: [{ a: 1 }, { a: 2 }],
  });
});

it.each([
  ['no body', Buffer.alloc(4)],
  ['an unknown required flag', Buffer.concat([Buffer.from([4, 0, 0, 0, 0]), Buffer.from(BSON.serialize({ ping: 1 }))])],
  ['a section longer than the message', Buffer.from([0, 0, 0, 0, 0, 255, 0, 0, 0])],
])('refuses a message with %s', (_, payload) => {
  expect(() => readMessage(payload)).toThrow(MalformedMessage);
});

it('closes a connection that sends nonsense, and serves the others', async () => {
  const standIn = await startStandIn();
  onTestFinished(() => standIn.stop());
  const [good, bad] = await Promise.all([dial(standIn.uri), dial(standIn.uri)]);
  const closed = new Promise<void>((resolve) => bad.once('close', () => resolve()));
  bad.write(Buffer.alloc(64, 0x7f));
  await closed;
  const answer = new Promise<Buffer>((resolve) => good.once('data', resolve));
  good.write(ping());
  expect((await answer).includes('operationTime')).toBe(true);
  good.destroy();
});

function dial(uri: string): Promise<Socket> {
  const socket = connect(Number(new URL(uri).port), '127.0.0.1');
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once('connect', () => resolve(socket));
  });
}
