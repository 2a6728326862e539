/** `npm start [-- FOLDER]`: measures every file of a folder, one job a file, and writes a report. */

import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { Container } from 'inversify';
import { asyncModule, type IAsyncService, makeJob, parallel, serial, start } from 'millrace';
import prettyBytes from 'pretty-bytes';
import prettyMs from 'pretty-ms';
import { openStore } from '../store.js';
import { FileReports, FOLDER, fileReports } from './file-reports.js';
import { FolderReports, folderReports } from './folder-reports.js';
import { showProgress } from './progress.js';

const USAGE = 'Usage: npm start [-- FOLDER]\nMeasures every file of FOLDER (by default the project itself: its sources, tests and docs).';
const NOT_READ = new Set(['node_modules', '.git', 'dist', '.report']);

process.exitCode = await main();

/** @returns the exit code: 0 when every file was read or skipped, 1 when one failed, 2 for bad usage */
async function main(): Promise<number> {
  const folder = folderArgument();
  if (folder === undefined) return 2;
  const paths = await filesOf(folder);
  const { store, close } = await openStore('millrace-folder-report');
  const container = new Container();
  container.bind(FOLDER).toConstantValue(folder);
  container.load(asyncModule({ store, tasks: [FileReports, FolderReports], quotas: { default: 1, files: 4 } }));
  const async = await start(container);
  try {
    return await report(async, paths);
  } finally {
    await async.stop();
    await close();
  }
}

async function report(async: IAsyncService, paths: readonly string[]): Promise<number> {
  const ends = countEnds(async);
  const stopProgress = showProgress(async.events.of(fileReports.measure), paths.length);

  const files = await async.queueJob(parallel(...paths.map((path) => makeJob(fileReports.measure, path))).with({ quotas: [] }));
  const jobs = await files.waitForResult();
  stopProgress();
  const reporting = await async.queueJob(
    serial(makeJob(folderReports.merge, paths, files.id), makeJob(folderReports.write, paths, files.id)),
  );
  const told = await reporting.addCallbacks({ success: folderReports.succeeded, failure: folderReports.failed });
  const [merged, written] = await reporting.waitForResult();
  const total = await merged.waitForResult();
  await written.waitForResult();

  assert.equal(jobs.length, paths.length, 'one job a file');
  assert.equal(total.rows.length + total.failures.length, paths.length, 'every file is in the report');
  for (const { path, message } of total.failures) console.log(`failed: ${path}: ${message}`);
  console.log(await told.waitForResult());
  const skipped = total.rows.filter((row) => 'skipped' in row).length;
  console.log(
    `${paths.length} files, ${prettyBytes(total.bytes)}, ${total.lines} lines, ${total.words} words; ${skipped} skipped, ${total.failures.length} failed`,
  );
  console.log(asTable(ends).toString());
  return total.failures.length === 0 ? 0 : 1;
}

/** How many jobs of a task ended in one way, and when the last of them did, in milliseconds since the beginning. */
interface Ends {
  count: number;
  lastMs: number;
}

function countEnds(async: IAsyncService): ReadonlyMap<string, Ends> {
  const beganAt = performance.now();
  const ends = new Map<string, Ends>();
  async.events.all.subscribe(({ job, outcome }) => {
    const key = `${job.taskName} ${outcome.status}`;
    ends.set(key, { count: (ends.get(key)?.count ?? 0) + 1, lastMs: performance.now() - beganAt });
  });
  return ends;
}

function asTable(ends: ReadonlyMap<string, Ends>): Table.Table {
  const table = new Table({
    head: ['task', 'outcome', 'jobs', 'after'],
    colAligns: ['left', 'left', 'right', 'right'],
    style: { head: [], border: [], compact: true },
  });
  const inOrder = [...ends].sort(([, one], [, other]) => one.lastMs - other.lastMs);
  for (const [key, { count, lastMs }] of inOrder) table.push([...key.split(' '), count, prettyMs(lastMs)]);
  const all = [...ends.values()];
  table.push(['all', '', all.reduce((sum, { count }) => sum + count, 0), prettyMs(Math.max(0, ...all.map(({ lastMs }) => lastMs)))]);
  return table;
}

function folderArgument(): string | undefined {
  try {
    const { values, positionals } = parseArgs({ allowPositionals: true, options: { help: { type: 'boolean', short: 'h' } } });
    if (values.help) return void console.log(USAGE);
    if (positionals.length > 1) return refuse(`one folder at a time, not ${positionals.length}`);
    const folder = resolve(positionals[0] ?? join(dirname(fileURLToPath(import.meta.url)), '..', '..'));
    if (!existsSync(folder)) return refuse(`there is no folder ${folder}`);
    return statSync(folder).isDirectory() ? folder : refuse(`${folder} is not a folder`);
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

function refuse(why: string): undefined {
  console.error(`${why}\n${USAGE}`);
}

async function filesOf(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() || entry.isSymbolicLink())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .filter((path) => !path.split(sep).some((part) => NOT_READ.has(part)))
    .sort();
}

/* Of a folder with two texts, a picture, and a link to nowhere it prints:
1 of 4 files
2 of 4 files
3 of 4 files
4 of 4 files
failed: dangling: ENOENT: no such file or directory, open '/tmp/folder/dangling'
the report is in .report
4 files, 14 B, 2 lines, 3 words; 1 skipped, 1 failed
┌─────────────────────────┬───────────┬──────┬───────┐
│ task                    │ outcome   │ jobs │ after │
├─────────────────────────┼───────────┼──────┼───────┤
│ FileReports.measure     │ failed    │    1 │  11ms │
│ FileReports.measure     │ completed │    3 │  16ms │
│ parallel                │ completed │    1 │  17ms │
│ FolderReports.merge     │ completed │    1 │  20ms │
│ FolderReports.write     │ completed │    1 │  25ms │
│ serial                  │ completed │    1 │  25ms │
│ FolderReports.succeeded │ completed │    1 │  26ms │
│ all                     │           │    9 │  26ms │
└─────────────────────────┴───────────┴──────┴───────┘
*/
