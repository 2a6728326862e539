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
  expect(choice).toEqual({ kind: 'stand-in' });
  expect(describeChoice(choice)).toBe('MongoDB tests run on the stand-in (no MONGODB_URI, no mongod on this machine)');
});

it('refuses the stand-in where a real one is demanded, and says what to set', () => {
  expect(() => chooseReplicaSet({ ...nothing, MILLRACE_MONGODB: 'real' })).toThrow(/set MONGODB_URI/);
});
