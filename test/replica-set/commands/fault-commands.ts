/** Commands by which a test makes a real server fail too: `configureFailPoint`, `replSetStepDown`; and `appendOplogNote`. */

import { ServerError } from '../server-error.js';
import { wholeNumber } from '../values/numbers.js';
import type { Command } from './command.js';
import { optionalBoolean, optionalNumber } from './fields.js';

const configureFailPoint: Command = {
  kind: 'any',
  options: ['mode', 'data'],
  onlyAdmin: true,
  run: ({ server, body }) => {
    if (body['configureFailPoint'] !== 'failCommand')
      throw new ServerError('NotImplemented', `the stand-in knows no fail point ${String(body['configureFailPoint'])}`);
    return { count: wholeNumber(server.faults.failCommand.configure(body['mode'], body['data'])) };
  },
};

const replSetStepDown: Command = {
  kind: 'any',
  options: ['secondaryCatchUpPeriodSecs', 'force'],
  onlyAdmin: true,
  run: ({ server, body, member }) => {
    if (!server.topology.isPrimary(member)) throw new ServerError('NotWritablePrimary', "not primary so can't step down");
    const seconds = optionalNumber(body, 'replSetStepDown') ?? 60;
    const catchUp = optionalNumber(body, 'secondaryCatchUpPeriodSecs') ?? (optionalBoolean(body, 'force') ? 0 : 10);
    if (seconds < 1) throw new ServerError('BadValue', 'stepdown period must be a positive integer');
    if (catchUp > seconds) throw new ServerError('BadValue', 'stepdown period must be longer than secondaryCatchUpPeriodSecs');
    if (server.topology.hosts.length === 1 && !optionalBoolean(body, 'force')) {
      throw new ServerError(
        262,
        'No electable secondaries caught up as of now. Please use the replSetStepDown command with the argument {force: true} to force node to step down.',
      );
    }
    server.stepDown(seconds * 1000);
    return {};
  },
};

const appendOplogNote: Command = {
  kind: 'write',
  options: ['data', 'maxClusterTime'],
  onlyAdmin: true,
  run: ({ server }) => {
    server.history.tick();
    return {};
  },
};

export const FAULT_COMMANDS: Readonly<Record<string, Command>> = { configureFailPoint, replSetStepDown, appendOplogNote };
