/** Metadata of a job: a few short facts, such as its tenant, that code around tasks needs and that are not arguments. */

import { isPlain, type Rule } from '../check.js';
import { OptionError, TooLargeError } from '../errors.js';

/** Facts by name. One that is `undefined` is not there. */
export type Metadata = Readonly<Record<string, string | number | boolean | undefined>>;

export const NO_METADATA: Metadata = Object.freeze({});

const MAX_KEYS = 20;
const MAX_BYTES = 2_048;

/** No operator of a database, no `__proto__`, and nothing that breaks a line of a log. */
const KEY = /^[a-z][\w.:/-]{0,63}$/i;

export const METADATA_RULE: Rule = {
  must: "an object of strings, numbers and booleans, such as `{ tenant: 'acme' }`",
  holds: (value) => typeof value === 'object' && value !== null && !Array.isArray(value) && isPlain(value),
};

const KEY_RULE = 'at most 64 letters, digits and `_.:/-`, and begin with a letter';

/** Keys of metadata, such as `['tenant']`. */
export const METADATA_KEYS_RULE: Rule = {
  must: `an array of keys of metadata, which have ${KEY_RULE}`,
  holds: (value) => Array.isArray(value) && value.every(isKey),
};

/** A checked copy. @throws OptionError, TooLargeError */
export function metadataOf(owner: string, given: Metadata): Metadata {
  const facts = Object.entries(given).filter(([, value]) => value !== undefined);
  for (const [key, value] of facts) {
    if (!isKey(key)) throw new OptionError(`\`metadata\` of ${owner} has the key ${JSON.stringify(key)}, but keys must have ${KEY_RULE}`);
    if (!isFact(value))
      throw new OptionError(
        `\`metadata.${key}\` of ${owner} must be a well-formed string, a finite number or a boolean; pass larger values as arguments`,
      );
  }
  const metadata = Object.freeze(Object.fromEntries(facts));
  checkSize(owner, metadata);
  return metadata;
}

/** @throws TooLargeError */
function checkSize(owner: string, metadata: Metadata): void {
  const keys = Object.keys(metadata).length;
  const limits = `the limit is ${MAX_KEYS} keys and ${MAX_BYTES} bytes of JSON, with those that are inherited; pass larger values as arguments`;
  if (keys > MAX_KEYS) throw new TooLargeError(`\`metadata\` of ${owner} has ${keys} keys, but ${limits}`);
  const bytes = Buffer.byteLength(JSON.stringify(metadata));
  if (bytes > MAX_BYTES) throw new TooLargeError(`\`metadata\` of ${owner} takes ${bytes} bytes, but ${limits}`);
}

/** Whether a value read from a store has the form that Millrace writes. */
export function isMetadata(value: unknown): value is Metadata {
  return METADATA_RULE.holds(value) && Object.entries(value as object).every(([key, fact]) => isKey(key) && isFact(fact));
}

/** A job's own metadata, with the inherited keys of another job's; `undefined` for none. @throws TooLargeError */
export function withInherited(
  owner: string,
  own: Metadata | undefined,
  { keys = [], from = NO_METADATA }: { readonly keys?: readonly string[] | undefined; readonly from?: Metadata | undefined },
): Metadata | undefined {
  const inherited = Object.entries(from).filter(([key]) => keys.includes(key));
  if (inherited.length === 0) return own === undefined || Object.keys(own).length === 0 ? undefined : own;
  const metadata = Object.freeze({ ...Object.fromEntries(inherited), ...own });
  checkSize(owner, metadata);
  return metadata;
}

/** The same text for the same metadata, whatever the order of its keys. */
export function metadataText(metadata: Metadata): string {
  return JSON.stringify(Object.entries(metadata).sort(([one], [other]) => (one < other ? -1 : 1)));
}

function isKey(key: unknown): boolean {
  return typeof key === 'string' && KEY.test(key);
}

function isFact(value: unknown): boolean {
  return typeof value === 'boolean' || Number.isFinite(value) || (typeof value === 'string' && value.isWellFormed());
}
