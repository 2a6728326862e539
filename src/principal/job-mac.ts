/** The seal of a job: a MAC over all fields that decide which task runs, as which principal, and until when. */

import { createHmac, hash, type KeyObject, timingSafeEqual } from 'node:crypto';
import { types } from 'node:util';
import type { QueuedJob } from '../job/job-record.js';
import { isMetadata, metadataText } from '../job/metadata.js';
import { bytesOf } from '../job/payload-bytes.js';
import type { Seal } from '../job/seal.js';
import { encodeFields } from './length-prefixed.js';

/** Another list of fields is another version. */
const VERSION = 'millrace job 2';

/** Seals a job as it is stored. */
export function sealOf(job: QueuedJob, { key, sealing, expiresAt }: { key: string; sealing: KeyObject; expiresAt: Date }): Seal {
  const text = sealedText(job, key, expiresAt);
  if (text === undefined) throw new Error(`job ${job.id} has a field that cannot be sealed`);
  return Object.freeze({ key, expiresAt, mac: macOf(text, sealing).toString('base64url') });
}

/** Whether a job matches its seal. The data of a store is not trusted in any way. */
export function isSealedBy(job: QueuedJob, { key, expiresAt, mac }: Seal, sealing: KeyObject): boolean {
  const text = typeof mac === 'string' ? sealedText(job, key, expiresAt) : undefined;
  if (text === undefined) return false;
  const expected = macOf(text, sealing);
  const given = Buffer.from(mac, 'base64url');
  return given.byteLength === expected.byteLength && timingSafeEqual(given, expected);
}

function macOf(text: Uint8Array, sealing: KeyObject): Buffer {
  return createHmac('sha256', sealing).update(text).digest();
}

/** @returns `undefined` where a field is not what Millrace writes */
function sealedText(job: QueuedJob, key: string, expiresAt: Date): Buffer | undefined {
  const { id, kind, taskName, queue, principal, metadata, version, callbackInput, parent, role, beginAfter, encrypted } = job;
  const names: readonly unknown[] = [key, id, kind, taskName, queue, callbackInput];
  const others: readonly unknown[] = [principal?.realm, principal?.id, parent, role];
  if (!names.every(isString) || !others.every((field) => field === undefined || isString(field))) return undefined;
  if (principal !== undefined && (!isString(principal.realm) || !isString(principal.id))) return undefined;
  if (!(metadata === undefined || isMetadata(metadata))) return undefined;
  if (!isDate(expiresAt) || !(beginAfter === undefined || isDate(beginAfter))) return undefined;
  if (!(version === undefined || Number.isSafeInteger(version))) return undefined;
  if (!(encrypted === undefined || (Array.isArray(encrypted) && encrypted.every(Number.isSafeInteger)))) return undefined;
  return encodeFields([
    VERSION,
    key,
    String(expiresAt.getTime()),
    id,
    kind,
    taskName,
    queue,
    principal?.realm,
    principal?.id,
    metadata && metadataText(metadata),
    version?.toString(),
    callbackInput,
    parent,
    role,
    beginAfter?.getTime().toString(),
    encrypted?.join(),
    hash('sha256', bytesOf(job.args), 'buffer'),
  ]);
}

function isString(value: unknown): value is string {
  return typeof value === 'string';
}

function isDate(value: unknown): boolean {
  return types.isDate(value) && !Number.isNaN(value.getTime());
}
