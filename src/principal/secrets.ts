/** The keys by which jobs are sealed and their arguments encrypted, as an application gives them. */

import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import { types } from 'node:util';
import { checkOptions, didYouMean, is, type Rules } from '../check.js';
import { OptionError } from '../errors.js';

export interface SecretsOptions {
  /**
   * Secrets of at least 32 random bytes, by name, such as `{ 2031: process.env.JOBS_SECRET }`. A job that was sealed or encrypted with one
   * can run while that secret is here; once the secret is removed, the job is refused.
   */
  readonly keys: Readonly<Record<string, string | Uint8Array>>;
  /**
   * The name of the key by which new jobs are sealed. Without one nothing is sealed yet, which is for a roll-out, with `acceptUnsealed`.
   * @default none
   */
  readonly current?: string | undefined;
  /** Milliseconds after the time at which a job is due in which it may be run. @default 2_592_000_000 */
  readonly sealMs?: number | undefined;
  /** Whether jobs without a seal are run, such as those of before there were secrets. @default false */
  readonly acceptUnsealed?: boolean | undefined;
}

/** Two keys that are made of one secret. @internal */
export interface KeyPair {
  readonly sealing: KeyObject;
  readonly encrypting: KeyObject;
}

/** The secrets, checked; nothing of them can be read from it. */
export interface Secrets {
  /** @internal Declarations that users load must not need the types of `node:crypto`. */
  readonly keys: ReadonlyMap<string, KeyPair>;
  readonly current: string | undefined;
  readonly sealMs: number;
  readonly acceptUnsealed: boolean;
}

export const SECRETS_DEFAULTS = Object.freeze({ sealMs: 2_592_000_000, acceptUnsealed: false } as const satisfies Partial<SecretsOptions>);

const OWNER = '`secrets` of `asyncModule`';
const MIN_BYTES = 32;
/** It is stored with each job. */
const MAX_NAME_BYTES = 100;

const RULES: Rules<SecretsOptions> = { keys: is.anything, current: is.anything, sealMs: is.durationMs, acceptUnsealed: is.boolean };

/** Never shows the given value if it may be a secret. @throws OptionError */
export function checkSecrets(options: SecretsOptions): Secrets {
  if (!is.object.holds(options)) throw new OptionError(`${OWNER} must be an object with \`keys\`, but is not`);
  checkOptions<SecretsOptions>(OWNER, options, RULES);
  if (!is.object.holds(options.keys) || types.isUint8Array(options.keys) || Object.keys(options.keys).length === 0)
    throw new OptionError(`\`keys\` of ${OWNER} must be an object with at least one secret, by name, but is not`);
  const keys = new Map(Object.entries(options.keys).map(([name, secret]) => [checkName(name), keyPairOf(name, secret)]));
  const { current, sealMs = SECRETS_DEFAULTS.sealMs, acceptUnsealed = SECRETS_DEFAULTS.acceptUnsealed } = options;
  if (current === undefined && !acceptUnsealed)
    throw new OptionError(`${OWNER} needs \`current\`, the name of the key that seals; only with \`acceptUnsealed\` there may be none yet`);
  if (current !== undefined && !keys.has(current)) throw unknownCurrent(String(current), [...keys.keys()]);
  return Object.freeze({ keys, current, sealMs, acceptUnsealed });
}

/** The wrong name is not shown, since it may be the secret itself. */
function unknownCurrent(current: string, names: readonly string[]): OptionError {
  const known = names.map((name) => `\`${name}\``).join(', ');
  return new OptionError(`\`current\` of ${OWNER} must be the name of one of its \`keys\`, ${known}${didYouMean(current, names)}`);
}

function checkName(name: string): string {
  if (name !== '' && name.isWellFormed() && Buffer.byteLength(name) <= MAX_NAME_BYTES) return name;
  throw new OptionError(`\`keys\` of ${OWNER} has a name that is empty, not well-formed, or longer than ${MAX_NAME_BYTES} bytes`);
}

function keyPairOf(name: string, secret: unknown): KeyPair {
  if (typeof secret !== 'string' && !types.isUint8Array(secret))
    throw new OptionError(
      `\`keys.${name}\` of ${OWNER} must be a string or a Uint8Array, but is ${secret === null ? 'null' : typeof secret}`,
    );
  const bytes = typeof secret === 'string' ? Buffer.from(secret, 'utf8') : secret;
  if (bytes.byteLength < MIN_BYTES)
    throw new OptionError(
      `\`keys.${name}\` of ${OWNER} must have at least ${MIN_BYTES} bytes, but has ${bytes.byteLength}; take random ones: \`openssl rand -base64 32\``,
    );
  return { sealing: derived(bytes, 'millrace seal'), encrypting: derived(bytes, 'millrace encryption') };
}

function derived(secret: Uint8Array, purpose: string): KeyObject {
  return createSecretKey(Buffer.from(hkdfSync('sha256', secret, 'millrace', purpose, 32)));
}
