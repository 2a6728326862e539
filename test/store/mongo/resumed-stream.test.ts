/** The store's use of change streams, tested on streams that the test makes. */

import { EventEmitter } from 'node:events';
import type { ChangeStream, ChangeStreamOptions } from 'mongodb';
import { firstValueFrom } from 'rxjs';
import { expect, it } from 'vitest';
import { nextTurn } from '../../../src/clock.js';
import { ResumableStream } from '../../../src/store/mongo/driver/resumable-stream.js';
import { VirtualClock } from '../../../src/testing/index.js';

/** A stream that says nothing by itself. @param close - what comes of closing it */
function silentStream(close: () => Promise<void>): ChangeStream {
  return Object.assign(new EventEmitter(), { close }) as EventEmitter as ChangeStream;
}

const turn = (): Promise<void> => firstValueFrom(nextTurn());

it('is closed after two seconds though the driver never says so', async () => {
  const clock = new VirtualClock();
  const stream = new ResumableStream({ clock, watch: () => silentStream(() => new Promise(() => {})), onEvent: () => {} });
  stream.open();
  let isClosed = false;
  const closing = stream.close().then(() => {
    isClosed = true;
  });
  await clock.advance(1_999, turn);
  expect(isClosed).toBe(false);
  await clock.advance(1, turn);
  await closing;
  expect(clock.scheduler.actions).toEqual([]);
});

it('is closed at once when the driver says so, and leaves no timer', async () => {
  const clock = new VirtualClock();
  const stream = new ResumableStream({ clock, watch: () => silentStream(async () => {}), onEvent: () => {} });
  stream.open();
  await stream.close();
  expect(clock.scheduler.actions).toEqual([]);
});

it('is opened anew where it stood when it has been silent for twenty seconds', async () => {
  const clock = new VirtualClock();
  const places: unknown[] = [];
  const streams: ChangeStream[] = [];
  const watch = ({ resumeAfter }: ChangeStreamOptions): ChangeStream => {
    places.push(resumeAfter);
    const stream = silentStream(async () => {});
    streams.push(stream);
    return stream;
  };
  const stream = new ResumableStream({ clock, serverClock: clock, watch, onEvent: () => {} });
  stream.open();
  await clock.advance(19_999, turn);
  streams[0]?.emit('resumeTokenChanged', 'here');
  await clock.advance(20_999, turn);
  expect(places).toEqual([undefined]);
  await clock.advance(1, turn);
  expect(places).toEqual([undefined, 'here']);
  await stream.close();
});
