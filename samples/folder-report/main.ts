/** `npm start [-- FOLDER]`: measures every file of a folder, one job a file, and writes a report. */

import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { Container } from 'inversify';
import { asyncModule, type IAsyncService, type Job, makeJob, memoryStore, parallel, serial, start } from 'millrace';
import prettyBytes from 'pretty-bytes';
import prettyMs from 'pretty-ms';
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
  const container = new Container();
  container.bind(FOLDER).toConstantValue(folder);
  container.load(asyncModule({ store: memoryStore(), tasks: [FileReports, FolderReports], quotas: { default: 1, files: 4 } }));
  const async = await start(container);
  try {
    return await report(async, paths);
  } finally {
    await async.stop();
  }
}

async function report(async: IAsyncService, paths: readonly string[]): Promise<number> {
  const beganAt = performance.now();
  const ended = new Map<string, number>();
  async.events.all.subscribe(({ job, outcome }) => {
    const key = `${job.taskName} ${outcome.status}`;
    ended.set(key, (ended.get(key) ?? 0) + 1);
  });
  const stopProgress = showProgress(async.events.of(fileReports.measure), paths.length);

  const files = await async.queueJob(parallel(...paths.map((path) => makeJob(fileReports.measure, path))).with({ quotas: [] }));
  const jobs = await files.waitForResult();
  stopProgress();
  const reporting = await async.queueJob(serial(makeJob(folderReports.merge, files.id), makeJob(folderReports.write, files.id)));
  const told = await reporting.addCallbacks({ success: folderReports.succeeded, failure: folderReports.failed });
  const [merged, written] = await reporting.waitForResult();
  const total = await merged.waitForResult();
  await written.waitForResult();

  assert.equal(jobs.length, paths.length, 'one job a file');
  assert.equal(total.rows.length + total.failures.length, paths.length, 'every file is in the report');
  show(ended, jobs);
  const skipped = total.rows.filter((row) => 'skipped' in row).length;
  console.log(
    `${paths.length} files, ${prettyBytes(total.bytes)}, ${total.lines} lines, ${total.words} words; ${skipped} skipped, ${total.failures.length} failed`,
  );
  console.log(`${await told.waitForResult()}; it took ${prettyMs(performance.now() - beganAt)}`);
  return total.failures.length === 0 ? 0 : 1;
}

function show(ended: ReadonlyMap<string, number>, jobs: readonly Job<unknown>[]): void {
  for (const { error } of jobs) if (error !== undefined) console.log(`failed: ${error.message}`);
  const table = new Table({ head: ['task', 'outcome', 'jobs'], colAligns: ['left', 'left', 'right'], style: { head: [], border: [] } });
  for (const [key, count] of [...ended].sort()) table.push([...key.split(' '), count]);
  console.log(table.toString());
}

function folderArgument(): string | undefined {
  try {
    const { values, positionals } = parseArgs({ allowPositionals: true, options: { help: { type: 'boolean', short: 'h' } } });
    if (values.help) return void console.log(USAGE);
    if (positionals.length > 1) return refuse(`one folder at a time, not ${positionals.length}`);
    const folder = resolve(positionals[0] ?? join(dirname(fileURLToPath(import.meta.url)), '..', '..'));
    if (!existsSync(folder)) return refuse(`there is no folder ${folder}`);
    return statSync(folder).isDirectory() ? folder : refuse(`${folder} is no folder`);
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
