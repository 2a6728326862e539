import { describe, expect, it } from 'vitest';
import { ConnectionMonitor } from '../../src/dispatch/connection-monitor.js';

function connection() {
  const told: unknown[] = [];
  return { told, connection: new ConnectionMonitor({ onLost: (error) => told.push(error), onBack: () => told.push('back') }) };
}

describe('contact with the store', () => {
  it('is told to be lost once, and to be back once', () => {
    const { told, connection: it } = connection();
    it.failed('heartbeat', 'no route');
    it.failed('heartbeat', 'still none');
    it.worked('heartbeat');
    it.worked('heartbeat');
    expect(told).toEqual(['no route', 'back']);
  });

  it('is back when everything that failed works again', () => {
    const { told, connection: it } = connection();
    it.failed('claim', 'no route');
    it.failed('heartbeat', 'no route');
    it.worked('heartbeat');
    expect(told).toEqual(['no route']);
    it.worked('claim');
    expect(told).toEqual(['no route', 'back']);
  });

  it('is back with the first success, where what failed is not tried again', () => {
    const { told, connection: it } = connection();
    it.failed('claim', 'no route');
    it.forget();
    it.worked('heartbeat');
    expect(told).toEqual(['no route', 'back']);
  });
});
