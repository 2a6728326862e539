/** The options for secrets are checked at once, and secrets are shown nowhere. */

import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { asyncModule, memoryStore, OptionError, task } from '../../src/index.js';
import { checkSecrets, type SecretsOptions } from '../../src/principal/secrets.js';
import { setup } from '../support/bundle.js';
import { failureOf } from '../support/deferred.js';

const GOOD = 'correct horse battery staple, and more';

function messageFor(secrets: unknown): string {
  try {
    asyncModule({ store: memoryStore(), secrets: secrets as SecretsOptions });
    return 'accepted';
  } catch (error) {
    expect(error).toBeInstanceOf(OptionError);
    return (error as Error).message;
  }
}

describe('secrets', () => {
  it.each([
    [{ keys: { k1: GOOD }, current: 'k2' }, 'must be the name of one of its `keys`, `k1`; did you mean `k1`?'],
    [{ keys: { k1: GOOD } }, 'needs `current`'],
    [{ keys: {}, current: 'k1' }, 'at least one secret'],
    [{ keys: { k1: 'short' }, current: 'k1' }, '`keys.k1` of `secrets` of `asyncModule` must have at least 32 bytes, but has 5'],
    [{ keys: { k1: new Uint8Array(31) }, current: 'k1' }, 'but has 31'],
    [{ keys: { k1: 7 }, current: 'k1' }, 'must be a string or a Uint8Array, but is number'],
    [{ keys: { k1: undefined }, current: 'k1' }, 'but is undefined'],
    [{ keys: { '': GOOD }, current: '' }, 'a name that is empty'],
    [{ keys: { k1: GOOD }, curent: 'k1' }, 'no option `curent`; did you mean `current`?'],
    [{ keys: { k1: GOOD }, current: 'k1', sealMs: -1 }, '`sealMs`'],
    [{ keys: { k1: GOOD }, current: 'k1', acceptUnsealed: 'yes' }, '`acceptUnsealed`'],
  ])('are checked: %j', (secrets, message) => {
    expect(messageFor(secrets)).toContain(message);
  });

  it.each([
    [GOOD],
    [{ keys: GOOD }],
    [{ keys: { k1: GOOD }, current: GOOD }],
    [{ keys: [GOOD], current: '1' }],
    [{ keys: Buffer.from(GOOD) }],
  ])('are shown in no message, however they are given', (secrets) => {
    expect(messageFor(secrets)).not.toMatch(/accepted|horse/);
  });

  it('cannot be read from the stored keys', () => {
    const secrets = checkSecrets({ keys: { k1: GOOD, k2: Buffer.from(GOOD) }, current: 'k1' });
    const shown = inspect(secrets, { depth: 9, showHidden: true }) + JSON.stringify(secrets);
    for (const encoding of ['utf8', 'hex', 'base64'] as const)
      expect(shown).not.toContain(Buffer.from(GOOD).toString(encoding).slice(0, 12));
  });

  it('are needed by a task that encrypts, at the start', async () => {
    const hidden = task('hidden', { encrypt: [0] }, (_value: string) => {});
    const keys = { k1: GOOD };
    expect(await failureOf(setup({ tasks: [hidden] }))).toMatchObject({
      code: 'MILLRACE_START',
      message: expect.stringContaining('hidden has `encrypt`'),
    });
    expect(await failureOf(setup({ tasks: [hidden], secrets: { keys, acceptUnsealed: true } }))).toMatchObject({ code: 'MILLRACE_START' });
    const { async } = await setup();
    expect(await failureOf(async.queueJob(hidden, 'x'))).toMatchObject({
      code: 'MILLRACE_OPTION',
      message: expect.stringContaining('`secrets`'),
    });
  });

  it.each([[[]], [[-1]], [['0']], ['all']])('encrypt no arguments at %j', (encrypt) => {
    expect(() => task('hidden', { encrypt: encrypt as never }, () => {})).toThrow(
      '`encrypt` of the task hidden must be a boolean, or an array',
    );
  });
});
