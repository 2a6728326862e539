/** Commands about the server itself: the handshake, its version, its parameters, and the set it is in. */

import { toTimestamp } from '../oplog/op-time.js';
import type { Parameters } from '../server.js';
import { ServerError } from '../server-error.js';
import { SESSION_TIMEOUT_MINUTES } from '../sessions/sessions.js';
import { SET_NAME } from '../topology/topology.js';
import { numberOf, wholeNumber } from '../values/numbers.js';
import { MAX_DOCUMENT_BYTES } from '../values/size.js';
import { type Doc, fieldsOf, isDoc, type Maybe } from '../values/value.js';
import { MAX_MESSAGE_BYTES } from '../wire/framing.js';
import type { Call, Command } from './command.js';
import { GENERIC_FIELDS } from './command.js';

const HELLO_OPTIONS = [
  'helloOk',
  'client',
  'compression',
  'topologyVersion',
  'maxAwaitTimeMS',
  'saslSupportedMechs',
  'speculativeAuthenticate',
  'loadBalanced',
  'backpressure',
  'forShell',
  'hostInfo',
];

export const VERSION = '7.0.0';
const MAX_WIRE_VERSION = 21;

function hello(primaryField: 'isWritablePrimary' | 'ismaster'): Command {
  return {
    kind: 'any',
    options: HELLO_OPTIONS,
    run: ({ server, body, member, client }) => {
      const application = isDoc(body['client']) ? body['client']['application'] : undefined;
      const name = isDoc(application) ? application['name'] : undefined;
      if (typeof name === 'string') client.appName = name;
      const { isWritablePrimary, ...rest } = server.topology.hello(member);
      return {
        [primaryField]: isWritablePrimary ?? false,
        helloOk: true,
        ...rest,
        maxBsonObjectSize: wholeNumber(MAX_DOCUMENT_BYTES),
        maxMessageSizeBytes: wholeNumber(MAX_MESSAGE_BYTES),
        maxWriteBatchSize: wholeNumber(100_000),
        localTime: server.now(),
        logicalSessionTimeoutMinutes: wholeNumber(SESSION_TIMEOUT_MINUTES),
        connectionId: wholeNumber(client.id),
        minWireVersion: wholeNumber(0),
        maxWireVersion: wholeNumber(MAX_WIRE_VERSION),
        readOnly: false,
        lastWrite: lastWrite(server),
      };
    },
  };
}

function lastWrite(server: Call['server']): Doc {
  const { history, topology } = server;
  const opTime = (time: number): Doc => ({ ts: toTimestamp(time), t: topology.termValue });
  return {
    opTime: opTime(history.applied),
    lastWriteDate: server.now(),
    majorityOpTime: opTime(history.majority),
    majorityWriteDate: server.now(),
  };
}

const ping: Command = { kind: 'any', options: [], run: () => ({}) };

const buildInfo: Command = {
  kind: 'any',
  options: [],
  run: () => ({
    version: VERSION,
    versionArray: VERSION.split('.').map(Number).concat(0),
    bits: 64,
    debug: false,
    maxBsonObjectSize: MAX_DOCUMENT_BYTES,
    modules: ['stand-in'],
  }),
};

const connectionStatus: Command = {
  kind: 'any',
  options: ['showPrivileges'],
  run: () => ({ authInfo: { authenticatedUsers: [], authenticatedUserRoles: [] } }),
};

const serverStatus: Command = {
  kind: 'any',
  options: [],
  run: ({ server }) => ({
    version: VERSION,
    process: 'mongod',
    localTime: server.now(),
    repl: { setName: SET_NAME },
    metrics: { cursor: { open: { total: wholeNumber(server.cursors.size) } } },
  }),
};

const replSetGetStatus: Command = {
  kind: 'any',
  options: [],
  onlyAdmin: true,
  run: ({ server, member }) => {
    const { history, topology } = server;
    const members = topology.hosts.map((name, _id) => ({
      _id,
      name,
      health: 1,
      state: topology.isPrimary(_id) ? 1 : 2,
      stateStr: topology.isPrimary(_id) ? 'PRIMARY' : 'SECONDARY',
      self: _id === member,
    }));
    return {
      set: SET_NAME,
      date: server.now(),
      myState: topology.isPrimary(member) ? 1 : 2,
      term: topology.termValue,
      optimes: {
        lastCommittedOpTime: { ts: toTimestamp(history.majority), t: topology.termValue },
        appliedOpTime: { ts: toTimestamp(history.applied), t: topology.termValue },
      },
      members,
    };
  },
};

const replSetGetConfig: Command = {
  kind: 'any',
  options: [],
  onlyAdmin: true,
  run: ({ server }) => ({
    config: {
      _id: SET_NAME,
      version: 1,
      term: server.topology.termValue,
      members: server.topology.hosts.map((host, _id) => ({ _id, host })),
      settings: {},
    },
  }),
};

function isParameter(name: string, all: Parameters): name is keyof Parameters {
  return Object.hasOwn(all, name);
}

const setParameter: Command = {
  kind: 'any',
  options: ['transactionLifetimeLimitSeconds', 'ttlMonitorSleepSecs', 'ttlMonitorEnabled'],
  onlyAdmin: true,
  run: ({ server, body }) => {
    let was: Maybe;
    for (const [name, value] of fieldsOf(body)) {
      if (name === 'setParameter' || GENERIC_FIELDS.has(name) || !isParameter(name, server.parameters)) continue;
      was = server.parameters[name];
      const next = typeof value === 'boolean' ? value : numberOf(value);
      if (typeof next !== typeof was) throw new ServerError('BadValue', `Invalid value for parameter ${name}: ${String(value)}`);
      Object.assign(server.parameters, { [name]: next });
    }
    server.scheduleTtl();
    return was === undefined ? {} : { was: typeof was === 'number' ? wholeNumber(was) : was };
  },
};

const getParameter: Command = {
  kind: 'any',
  options: [
    'transactionLifetimeLimitSeconds',
    'ttlMonitorSleepSecs',
    'ttlMonitorEnabled',
    'featureCompatibilityVersion',
    'enableTestCommands',
  ],
  onlyAdmin: true,
  run: ({ server, body }): Doc => {
    const all: Doc = { ...server.parameters, featureCompatibilityVersion: { version: '7.0' }, enableTestCommands: true };
    if (body['getParameter'] === '*') return all;
    const asked = Object.keys(body).filter((name) => Object.hasOwn(all, name));
    if (asked.length === 0) throw new ServerError('InvalidOptions', 'no option found to get');
    return Object.fromEntries(asked.map((name) => [name, all[name]]));
  },
};

export const SERVER_COMMANDS: Readonly<Record<string, Command>> = {
  hello: hello('isWritablePrimary'),
  isMaster: hello('ismaster'),
  ismaster: hello('ismaster'),
  ping,
  buildInfo,
  buildinfo: buildInfo,
  connectionStatus,
  serverStatus,
  replSetGetStatus,
  replSetGetConfig,
  setParameter,
  getParameter,
};
