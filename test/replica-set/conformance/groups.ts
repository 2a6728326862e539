/** Every group of facts, in the order in which they are shown. */

import { aggregation } from './aggregation.js';
import { aggregationRefusals } from './aggregation-refusals.js';
import { changeEvents } from './change-events.js';
import { changeStreams } from './change-streams.js';
import { claiming } from './claiming.js';
import { crudBulk } from './crud-bulk.js';
import { crudCursors } from './crud-cursors.js';
import { crudDelete } from './crud-delete.js';
import { crudFind } from './crud-find.js';
import { crudFindAndModify } from './crud-find-and-modify.js';
import { crudInsert } from './crud-insert.js';
import { crudMatch } from './crud-match.js';
import { errors } from './errors.js';
import { explain } from './explain.js';
import { explainLanes } from './explain-lanes.js';
import type { Group } from './fact.js';
import { failCommandFacts } from './fail-command.js';
import { gossip } from './gossip.js';
import { handshake } from './handshake.js';
import { heldMajority } from './held-majority.js';
import { indexes } from './indexes.js';
import { namespaces } from './namespaces.js';
import { quickness } from './performance.js';
import { pipelineUpdateRefusals } from './pipeline-update-refusals.js';
import { pipelineUpdates } from './pipeline-updates.js';
import { randomWalk } from './random-walk/random-walk.js';
import { recoveringFacts } from './recovering.js';
import { resume } from './resume.js';
import { retryableWrites } from './retryable-writes.js';
import { serverClock } from './server-clock.js';
import { sessions } from './sessions.js';
import { standInFaults } from './stand-in-faults.js';
import { stepDown } from './step-down.js';
import { streamFaults } from './stream-faults.js';
import { transactionCommands } from './transaction-commands.js';
import { transactionConflicts } from './transaction-conflicts.js';
import { transactions } from './transactions.js';
import { uniqueIndexes } from './unique-indexes.js';
import { updateOperators } from './update-operators.js';
import { updateRefusals } from './update-refusals.js';
import { upserts } from './upserts.js';
import { writeConcern } from './write-concern-and-majority.js';

const PARTS: readonly Group[] = [
  ...[handshake, gossip, namespaces],
  ...[crudInsert, crudMatch, crudFind, crudCursors, crudDelete, crudBulk, crudFindAndModify],
  ...[updateOperators, upserts, updateRefusals, pipelineUpdates, pipelineUpdateRefusals, claiming],
  ...[aggregation, aggregationRefusals, indexes, uniqueIndexes, explain, explainLanes],
  ...[writeConcern, retryableWrites, transactions, transactionConflicts, transactionCommands, sessions],
  ...[changeEvents, changeStreams, resume, serverClock, errors],
  ...[failCommandFacts, recoveringFacts, stepDown, heldMajority, standInFaults, streamFaults],
  ...[randomWalk, quickness],
];

/** Parts of one name put together. */
export const GROUPS: readonly Group[] = [...new Set(PARTS.map(({ name }) => name))].map((name) => ({
  name,
  facts: PARTS.filter((part) => part.name === name).flatMap(({ facts }) => facts),
}));

/** Every fact with its source, one a line, under the name of its group. */
export function listing(groups: readonly Group[] = GROUPS): string {
  const lines = groups.flatMap(({ name, facts }) => [
    `${name} (${facts.length})`,
    ...facts.map(({ title, source }) => `  ${title}  [${source}]`),
  ]);
  return lines.join('\n');
}
