/** Which replica set is found, by the environment. */

import { expect, it } from 'vitest';
import { chooseReplicaSet, describeChoice } from './replica-set-choice.js';

const nothing = { PATH: '/nowhere' };

it('takes MONGODB_URI before anything else', () => {
  const uri = 'mongodb://elsewhere/';
  expect(chooseReplicaSet({ ...nothing, MONGODB_URI: uri, MONGOMS_SYSTEM_BINARY: '/bin/mongod' })).toEqual({ kind: 'given', uri });
});

it('takes the mongod that is named, and downloads one only if told to', () => {
  expect(chooseReplicaSet({ ...nothing, MONGOMS_SYSTEM_BINARY: '/bin/mongod' })).toEqual({ kind: 'mongod', binary: '/bin/mongod' });
  expect(chooseReplicaSet({ ...nothing, MONGOMS_DOWNLOAD: '1' })).toEqual({ kind: 'mongod', binary: undefined });
});

it('takes the stand-in where there is nothing else, and says so', () => {
  const choice = chooseReplicaSet(nothing);
  expect(choice).toEqual({ kind: 'stand-in', timing: { kind: 'late', seed: 1 } });
  expect(describeChoice(choice)).toBe(
    'MongoDB tests run on the stand-in (no MONGODB_URI, no mongod on this machine), which is late, by MILLRACE_STAND_IN_SEED=1',
  );
});

it('takes a prompt stand-in where that is asked for', () => {
  const choice = chooseReplicaSet({ ...nothing, MILLRACE_STAND_IN: 'prompt' });
  expect(describeChoice(choice)).toMatch(/, which is prompt$/);
});

it('takes a late stand-in with the seed that is named, and says by which seed it is late', () => {
  const choice = chooseReplicaSet({ ...nothing, MILLRACE_STAND_IN: 'late', MILLRACE_STAND_IN_SEED: '7' });
  expect(choice).toEqual({ kind: 'stand-in', timing: { kind: 'late', seed: 7 } });
  expect(describeChoice(choice)).toMatch(/late, by MILLRACE_STAND_IN_SEED=7$/);
});

it.each([{ MILLRACE_STAND_IN: 'soon' }, { MILLRACE_STAND_IN: 'late', MILLRACE_STAND_IN_SEED: 'x' }])('refuses %j', (env) => {
  expect(() => chooseReplicaSet({ ...nothing, ...env })).toThrow(/^MILLRACE_STAND_IN(_SEED)? must be/);
});

it('refuses the stand-in where a real one is demanded, and says what to set', () => {
  expect(() => chooseReplicaSet({ ...nothing, MILLRACE_MONGODB: 'real' })).toThrow(/set MONGODB_URI/);
});
