import { hostname } from 'node:os';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { dispatcherName, NAME_VARIABLE } from '../../src/container/dispatcher-name.js';

afterEach(() => vi.unstubAllEnvs());

describe('the name of a dispatcher', () => {
  it('is what the application says, whatever the environment says', () => {
    vi.stubEnv(NAME_VARIABLE, 'web.1');
    expect(dispatcherName('reports')).toBe('reports');
  });

  it('is else what the environment says', () => {
    vi.stubEnv(NAME_VARIABLE, 'web.1');
    expect(dispatcherName(undefined)).toBe('web.1');
  });

  it('is else the host and the process', () => {
    vi.stubEnv(NAME_VARIABLE, '');
    expect(dispatcherName(undefined)).toBe(`${hostname()}-${process.pid}`);
  });
});
