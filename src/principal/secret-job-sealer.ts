/** Seals jobs, checks their seals, and hides their arguments from everybody who can read the store, with an application's secrets. */

import type { KeyObject } from 'node:crypto';
import { shown } from '../check.js';
import { OptionError, SEAL_REASONS, SealError } from '../errors.js';
import type { QueuedJob } from '../job/job-record.js';
import { type Encrypted, type JobSealer, shownJob } from '../job/job-sealer.js';
import { Payload } from '../job/payload.js';
import type { Seal } from '../job/seal.js';
import { decrypted, encrypted } from './argument-cipher.js';
import { isSealedBy, sealOf } from './job-mac.js';
import type { KeyPair, Secrets } from './secrets.js';

/** A seal is renewed if less than this part of its time would be left when the job is due again. */
const MARGIN = 0.5;

export class SecretJobSealer implements JobSealer {
  /** @param now - the time of this process */
  constructor(
    private readonly secrets: Secrets,
    private readonly now: () => number,
  ) {}

  protect(job: QueuedJob, encrypt: Encrypted = false, dueMs = 0): QueuedJob {
    const stored = this.#encrypted(job, encrypt);
    const beginMs = Math.max(this.now(), dueMs, job.beginAfter?.getTime() ?? 0);
    return this.#sealed(stored, beginMs + (job.delayMs ?? 0));
  }

  dueMs({ seal }: QueuedJob): number {
    return seal === undefined ? 0 : seal.expiresAt.getTime() - this.secrets.sealMs;
  }

  refusal(job: QueuedJob): SealError | undefined {
    const { seal } = job;
    if (seal === undefined || seal === null) return this.secrets.acceptUnsealed ? undefined : refused('missing', job);
    const pair = typeof seal === 'object' ? this.secrets.keys.get(seal.key) : undefined;
    if (pair === undefined) return unknownKey(job, seal.key);
    if (!isSealedBy(job, seal, pair.sealing)) return refused('altered', job);
    if (this.now() <= seal.expiresAt.getTime()) return undefined;
    return new SealError('expired', `${shownJob(job)} was not run in time: its seal expired at ${seal.expiresAt.toISOString()}`);
  }

  open(job: QueuedJob): QueuedJob {
    const refusal = this.refusal(job);
    if (refusal !== undefined) throw refusal;
    return job.encrypted === undefined ? job : this.#decrypted(job, job.encrypted);
  }

  transfer(from: QueuedJob, to: QueuedJob, dueMs?: number): QueuedJob {
    const { args } = this.open(from);
    const { encrypted: hidden, seal: _, ...plain } = to;
    return hidden === undefined ? this.protect(plain, false, dueMs) : this.protect({ ...plain, args }, asArguments(hidden, to), dueMs);
  }

  renewed(job: QueuedJob, delayMs: number): Seal | undefined {
    const dueMs = this.now() + delayMs;
    if (job.seal === undefined || job.seal.expiresAt.getTime() >= dueMs + this.secrets.sealMs * MARGIN) return undefined;
    return this.#sealed(job, dueMs).seal;
  }

  #sealed(job: QueuedJob, dueMs: number): QueuedJob {
    const { current: key = '', sealMs, keys } = this.secrets;
    const sealing = keys.get(key)?.sealing;
    return sealing === undefined ? job : { ...job, seal: sealOf(job, { key, sealing, expiresAt: new Date(dueMs + sealMs) }) };
  }

  #encrypted(job: QueuedJob, encrypt: Encrypted): QueuedJob {
    if (encrypt === false) return job;
    const args = job.args.read() as unknown[];
    const places = storedPlaces(encrypt, job, args.length);
    const { name, key } = this.#encrypting(job);
    for (const index of places) args[index] = encrypted(args[index], { ...job, index }, { name, key });
    return { ...job, args: Payload.of(args, 'arguments'), encrypted: places };
  }

  #encrypting({ taskName }: QueuedJob): { readonly name: string; readonly key: KeyObject } {
    const { current: name = '', keys } = this.secrets;
    const pair: KeyPair | undefined = keys.get(name);
    if (pair !== undefined) return { name, key: pair.encrypting };
    throw new OptionError(`${taskName} has \`encrypt\`, which needs a \`current\` key in \`secrets\` of \`asyncModule\``);
  }

  #decrypted(job: QueuedJob, places: readonly number[]): QueuedJob {
    const findKey = (name: string): KeyObject => {
      const pair = this.secrets.keys.get(name);
      if (pair === undefined) throw unknownKey(job, name);
      return pair.encrypting;
    };
    try {
      const args = job.args.read() as unknown[];
      for (const index of places) args[index] = decrypted(args[index], { ...job, index }, findKey);
      return { ...job, args: Payload.of(args, 'arguments') };
    } catch (error) {
      throw error instanceof SealError ? error : refused('altered', job);
    }
  }
}

function refused(reason: 'missing' | 'altered', job: QueuedJob): SealError {
  return new SealError(reason, `${shownJob(job)} ${SEAL_REASONS[reason]}`);
}

function unknownKey(job: QueuedJob, name: unknown): SealError {
  return new SealError('unknown-key', `${shownJob(job)} names ${shown(name)} as its key, which is not in \`secrets\` of this process`);
}

/** A callback gets an argument before the stored ones when it runs. */
function offsetOf({ callbackInput }: QueuedJob): number {
  return callbackInput === 'none' ? 0 : 1;
}

/** Where the arguments that are to be encrypted are stored. */
function storedPlaces(encrypt: Encrypted, job: QueuedJob, count: number): readonly number[] {
  const all = Array.from({ length: count }, (_, index) => index);
  if (typeof encrypt === 'boolean') return all;
  return all.filter((index) => encrypt.includes(index + offsetOf(job)));
}

/** Which arguments of the task are stored at these places. */
function asArguments(places: readonly number[], job: QueuedJob): readonly number[] {
  return places.map((index) => index + offsetOf(job));
}
