/** Every command the stand-in knows. */

import { ServerError } from '../server-error.js';
import { aggregate, distinct } from './aggregate.js';
import { create, drop, dropDatabase, listCollections, listDatabases, renameCollection } from './catalog-commands.js';
import type { Command } from './command.js';
import { deleteCommand } from './delete.js';
import { explain } from './explain.js';
import { FAULT_COMMANDS } from './fault-commands.js';
import { count, find, getMore, killCursors } from './find.js';
import { findAndModify } from './find-and-modify.js';
import { collMod, createIndexes, dropIndexes, listIndexes } from './index-commands.js';
import { insert } from './insert.js';
import { SERVER_COMMANDS } from './server-commands.js';
import { SESSION_COMMANDS } from './session-commands.js';
import { update } from './update.js';

const COMMANDS = new Map<string, Command>(
  Object.entries({
    ...SERVER_COMMANDS,
    ...SESSION_COMMANDS,
    ...FAULT_COMMANDS,
    insert,
    update,
    delete: deleteCommand,
    findAndModify,
    find,
    getMore,
    killCursors,
    count,
    distinct,
    aggregate,
    explain,
    create,
    drop,
    dropDatabase,
    renameCollection,
    listCollections,
    listDatabases,
    createIndexes,
    listIndexes,
    dropIndexes,
    collMod,
  }),
);

export function commandNames(): string[] {
  return [...COMMANDS.keys()].sort();
}

export function findCommand(name: string): Command {
  const command = COMMANDS.get(name);
  if (command === undefined) throw new ServerError('CommandNotFound', `no such command: '${name}'`);
  return command;
}
