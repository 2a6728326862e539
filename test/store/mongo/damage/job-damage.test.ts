/** A damaged job becomes a sound record of a job that has ended, whatever is damaged. */

import { type Document, ObjectId, Timestamp } from 'mongodb';
import { describe, expect, it } from 'vitest';
import { Payload } from '../../../../src/job/payload.js';
import { errorOf } from '../../../../src/store/mongo/jobs/job-codec.js';
import { damageOfJob, failedOver } from '../../../../src/store/mongo/jobs/job-damage.js';
import { encodeObject, toBytes } from '../../../../src/store/mongo/schema/payload-codec.js';
import { JOB_FIELDS, VALUES } from './seeds.js';

const [id, parent] = [new ObjectId(), new ObjectId()];
const now = new Date(1e12);

const task: Document = {
  _id: id,
  kind: 'task',
  taskName: 'add',
  queue: 'mail',
  args: toBytes(Payload.of([1], 'arguments')),
  callbackInput: 'none',
  places: { default: 1 },
  priority: 0,
  interruptionPolicy: { limit: 10, delayMs: 0 },
  queuedBy: 'p',
  lane: '["mail","add",["default:1"]]',
  order: new Timestamp({ t: 1, i: 1 }),
  queuedAt: now,
  attempts: 0,
  failures: 0,
  interruptions: 0,
  isOpen: true,
  status: 'pending',
};
const step: Document = { ...task, parent, role: 'step', position: 1, root: parent, replacesChild: true };
const outcome = { kind: 'completed', value: toBytes(Payload.of(1, 'result')) };
const ended: Document = { ...step, isOpen: undefined, status: 'completed', outcome, endedAt: now, settledToken: 't', notifyProcess: 'p' };

const JOBS: Readonly<Record<string, Document>> = {
  pending: task,
  scheduled: {
    ...task,
    status: 'scheduled',
    dueAt: now,
    retry: encodeObject({ attempts: 3 }),
    unique: { key: 'k', for: 'waiting' },
    uniqueKey: 'k',
  },
  running: {
    ...step,
    status: 'active',
    owner: 'd',
    token: 't',
    startedAt: now,
    attempts: 1,
    lastError: encodeObject({ name: 'Error', message: 'x' }),
  },
  blocked: { ...step, status: 'blocked', pendingBeginBy: now, beginBy: now },
  'an open batch': {
    ...step,
    kind: 'serial',
    lane: '["mail",["serial"],["default:1"]]',
    steps: 2,
    status: 'active',
    waitsFor: 'steps',
    reservation: 't',
  },
  'with callbacks': { ...task, status: 'callbacks', hasCallbacks: true, root: id, outcome, endedAt: now },
  ended,
};

describe.each(Object.entries(JOBS))('a job that is %s', (_title, job) => {
  it('is sound as it is', () => {
    expect(damageOfJob(job)).toBeUndefined();
  });

  it('is over, and sound, whichever field is damaged and whatever stands in it', () => {
    for (const field of JOB_FIELDS)
      for (const [name, value] of VALUES) {
        const damaged = Object.fromEntries(Object.entries({ ...job, [field]: value() }).filter(([, part]) => part !== undefined));
        const damage = damageOfJob(damaged);
        if (damage === undefined) continue;
        const after = failedOver(damaged, damage, { now, by: 'p', keepMs: 1 });
        expect([field, name, damageOfJob(after)]).toEqual([field, name, undefined]);
        expect(['callbacks', 'completed', 'failed']).toContain(after.status);
      }
  });
});

it('names the damaged field, its rule and its value', () => {
  const damaged = { ...task, attempts: 'x' };
  const damage = damageOfJob(damaged) ?? '';
  expect(damage).toBe('`attempts` must be an integer of at least 0, but is the string "x"');
  const { outcome: failed } = failedOver(damaged, damage, { now, by: 'p', keepMs: 1 });
  expect(errorOf(failed?.error)).toMatchObject({
    code: 'MILLRACE_STORE',
    message: `the record of job ${id.toHexString()} (add) is damaged: ${damage}; queue the job again`,
  });
});

it('finds metadata damaged that Millrace has not written', () => {
  for (const metadata of [{ $set: 'x' }, { tenant: { id: 'x' } }, { tenant: null }, { tenant: Number.NaN }])
    expect(damageOfJob({ ...task, metadata: encodeObject(metadata) })).toMatch(/^`metadata` must be metadata, but is/);
  expect(damageOfJob({ ...task, metadata: encodeObject({ tenant: 'x', level: 1, isTrial: true }) })).toBeUndefined();
});

it('keeps the outcome of a job that had ended', () => {
  const damaged = { ...JOBS['ended'], priority: 'x' };
  expect(failedOver(damaged, 'x', { now, by: 'p', keepMs: 1 })).toMatchObject({ status: 'completed', outcome });
});
