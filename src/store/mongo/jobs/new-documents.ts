/** The documents of new trees: which trees belong together, and the fields that follow from that. */

import type { Timestamp } from 'mongodb';
import { firstState, type JobTree, type QueuedJob } from '../../../job/job-record.js';
import type { JobDocument } from '../schema/documents.js';
import type { QueuedPart } from './job-codec.js';

/** A job as it is put in. */
export function firstDocument(part: QueuedPart, at: { readonly order: Timestamp; readonly now: Date }, isBlocked: boolean): JobDocument {
  const first: JobDocument = { ...part, ...firstState(part, at, isBlocked), isOpen: true };
  return first.status === 'pending' ? { ...first, pendingSignal: part.lane } : first;
}

/** The fields that a callback keeps when it has become one of its two sides. */
const KEPT = [
  'branches',
  'retryOf',
  'queuedAt',
  'additions',
  'hasCallbacks',
  'hasFollowers',
] as const satisfies readonly (keyof JobDocument)[];

/** A callback as the one of its two sides that is needed, and all that is below that. */
export function resolvedCallback(callback: JobDocument, side: readonly QueuedPart[], now: Date): readonly JobDocument[] {
  const { order, root } = callback;
  // The tree that it is in, which it may have come to later.
  const parts = root === undefined ? side : side.map((part) => ({ ...part, root }));
  const kept = Object.fromEntries(KEPT.flatMap((key) => (key in callback ? [[key, callback[key]]] : [])));
  const [first, ...below] = parts.map((part, place) => firstDocument(part, { order, now }, place > 0));
  return first === undefined ? [] : [{ ...first, ...kept }, ...below];
}

/** If the job is queued in a session of the application, the change stream notifies this process, too. */
export function markStaged(job: JobDocument, isOwn: boolean): JobDocument {
  return isOwn ? job : { ...job, isStaged: true };
}

/** Callbacks of jobs, and steps of batches, that are put in by the same call are parts of their trees. */
export function joinTrees(trees: readonly JobTree[]): readonly JobTree[] {
  const grown: [QueuedJob, ...QueuedJob[]][] = [];
  const placeOf = new Map<string, number>();
  for (const tree of trees) {
    const [root] = tree;
    const place = placeOf.get(root.parent ?? '') ?? grown.length;
    if (place === grown.length) grown.push([...tree]);
    else grown[place]?.push(...numbered(tree, grown[place] ?? []));
    for (const { id } of tree) placeOf.set(id, place);
  }
  return grown;
}

/** A step that is added has the place after those that are there. */
function numbered([root, ...below]: JobTree, there: readonly QueuedJob[]): JobTree {
  if (root.role !== 'step') return [root, ...below];
  return [{ ...root, position: there.filter(({ parent, role }) => parent === root.parent && role === 'step').length }, ...below];
}

/** One signal is enough for all jobs that come to a lane together. */
export function signalOncePerLane(documents: readonly JobDocument[]): readonly JobDocument[] {
  const lanes = new Set<string>();
  return documents.map((document) => {
    const { pendingSignal, ...silent } = document;
    if (pendingSignal !== undefined && lanes.has(pendingSignal)) return silent;
    if (pendingSignal !== undefined) lanes.add(pendingSignal);
    return document;
  });
}

/** How many trees from here on are of one job that concerns no other. */
export function countStandalone(trees: readonly JobTree[], from: number): number {
  let next = from;
  while (next < trees.length && isAlone(trees[next])) next++;
  return next - from;
}

function isAlone(tree: JobTree | undefined): boolean {
  return tree?.length === 1 && tree[0].parent === undefined && tree[0].retryOf === undefined;
}
