/** Checks a history: one order for all streams, no update lost, every transaction explained by one snapshot. */

import type { Committed, History, Name, Shown, Versions } from './history.js';

/** Everything that is wrong with this history; nothing if it could have happened under snapshot isolation. */
export function checkHistory(history: History): readonly string[] {
  const [first = []] = history.shown;
  return [...checkStreams(history), ...checkVersions(first, history.final), ...checkSnapshots(first, history)];
}

/** Each stream shows every committed change once, and all show the same order. */
function* checkStreams({ shown, committed }: History): Generator<string> {
  const [first = [], ...others] = shown.map((stream) => stream.map(textOf));
  for (const [i, other] of others.entries()) {
    const at = first.findIndex((text, k) => text !== other[k]);
    if (at >= 0 || other.length !== first.length)
      yield `Stream ${i + 1} differs from stream 0 at ${at}: ${other[at]} instead of ${first[at]}`;
  }
  if (new Set(first).size !== first.length) yield 'A change is shown twice';
  const runs = (shown[0] ?? []).map(({ id }) => id).filter((id, i, ids) => id !== ids[i - 1]);
  if (new Set(runs).size !== runs.length) yield 'The changes of one commit are not shown together';
  const writers = committed.flat().filter(({ writes }) => writes.size > 0);
  const known = new Set(writers.map(({ id }) => id));
  for (const { id } of shown[0] ?? []) if (!known.has(id)) yield `${id} is shown and was not committed`;
  const seen = new Set((shown[0] ?? []).map(({ id }) => id));
  for (const { id } of writers) if (!seen.has(id)) yield `${id} was committed and is not shown`;
}

/** The versions of a document are shown as 1, 2, 3 … up to the one that it has at the end. */
function* checkVersions(shown: readonly Shown[], final: Versions): Generator<string> {
  const last: Versions = new Map();
  for (const change of shown) {
    const before = last.get(change.name) ?? 0;
    if (change.version !== before + 1) yield `${textOf(change)} follows version ${before}`;
    last.set(change.name, change.version);
  }
  for (const [name, version] of final) {
    if ((last.get(name) ?? 0) !== version) yield `${name} ends with version ${version}, shown was ${last.get(name) ?? 0}`;
  }
}

/** Each transaction read one state between its client's last commit and its own, and nobody wrote what it wrote after that state. */
function* checkSnapshots(shown: readonly Shown[], { committed }: History): Generator<string> {
  const order = [...new Set(shown.map(({ id }) => id))];
  const place = new Map(order.map((id, i) => [id, i + 1]));
  const states = statesOf(shown, order);
  for (const transactions of committed) {
    let earliest = 0;
    for (const transaction of transactions) {
      const own = place.get(transaction.id);
      const latest = own === undefined ? states.length - 1 : own - 1;
      const candidates = states.slice(earliest, latest + 1);
      if (!candidates.some((state) => explains(state, states[latest], transaction))) yield describe(transaction, candidates);
      if (own !== undefined) earliest = own;
    }
  }
}

/** The state may be the transaction's snapshot: it has what was read, and still had at the commit what was written. */
function explains(state: Versions, atCommit: Versions | undefined, { reads, writes }: Committed): boolean {
  const read = [...reads].every(([name, version]) => (state.get(name) ?? 0) === version);
  const unwritten = [...writes.keys()].every((name) => (state.get(name) ?? 0) === (atCommit?.get(name) ?? 0));
  return read && unwritten;
}

/** The versions of all documents after no commit, after the first, after the second … */
function statesOf(shown: readonly Shown[], order: readonly string[]): readonly Versions[] {
  const states: Versions[] = [new Map()];
  for (const id of order) {
    const next = new Map(states.at(-1));
    for (const change of shown) if (change.id === id) next.set(change.name, change.version);
    states.push(next);
  }
  return states;
}

function describe({ id, client, reads, writes }: Committed, candidates: readonly Versions[]): string {
  const texts = [reads, writes].map((versions) => [...versions].map(([name, version]) => `${name}=${version}`).join(' '));
  return `${id} of client ${client} read ${texts[0]} and wrote ${texts[1]}: none of ${candidates.length} snapshots explains it`;
}

const textOf = ({ id, name, version }: { id: string; name: Name; version: number }): string => `${id} ${name}=${version}`;
