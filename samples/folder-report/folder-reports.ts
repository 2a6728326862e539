/** The jobs on the whole folder: they merge the reports, write them to a file, and print the outcome. */

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inject, injectable } from 'inversify';
import { IAsyncService, type Job, type StoredError, Task, tasks } from 'millrace';
import type { FileReport } from './file-reports.js';

/** Where the report goes. */
export const REPORT_FOLDER = '.report';

export interface FolderReport {
  readonly files: number;
  readonly bytes: number;
  readonly lines: number;
  readonly words: number;
  readonly rows: readonly FileReport[];
  readonly failures: readonly { readonly path: string; readonly message: string }[];
}

@injectable()
export class FolderReports {
  constructor(@inject(IAsyncService) private readonly async: IAsyncService) {}

  /** Takes the batch of the files, whose jobs have all ended in the order of the paths, and adds up their results. */
  @Task()
  async merge(paths: readonly string[], batchId: string): Promise<FolderReport> {
    const batch = await this.async.getJob(batchId);
    const jobs = ((await batch?.waitForResult()) ?? []) as readonly Job<FileReport>[];
    const rows = jobs.flatMap(({ result }) => (result === undefined ? [] : [result])).sort((a, b) => (a.path < b.path ? -1 : 1));
    const failures = jobs.flatMap(({ error }, index) =>
      error === undefined ? [] : [{ path: paths[index] ?? '', message: error.message }],
    );
    const sum = (of: 'bytes' | 'lines' | 'words'): number => rows.reduce((total, row) => total + ('skipped' in row ? 0 : row[of]), 0);
    return { files: jobs.length, bytes: sum('bytes'), lines: sum('lines'), words: sum('words'), rows, failures };
  }

  /** Takes the batch again, since a serial batch hands nothing on from step to step. */
  @Task()
  async write(paths: readonly string[], batchId: string): Promise<string> {
    const report = await this.merge(paths, batchId);
    const path = join(REPORT_FOLDER, 'report.json');
    await mkdir(REPORT_FOLDER, { recursive: true });
    await writeFile(path, `${JSON.stringify(report, undefined, 2)}\n`);
    await writeFile(join(REPORT_FOLDER, 'report.md'), asMarkdown(report));
    return path;
  }

  @Task({ quotas: [] })
  async succeeded(_jobs: readonly Job<unknown>[]): Promise<string> {
    return `the report is in ${REPORT_FOLDER}`;
  }

  @Task({ quotas: [] })
  async failed(error: StoredError): Promise<string> {
    return `there is no report: ${error.message}`;
  }
}

export const folderReports = tasks(FolderReports);

function asMarkdown({ files, bytes, lines, words, rows, failures }: FolderReport): string {
  return [
    `# ${files} files, ${bytes} bytes, ${lines} lines, ${words} words`,
    '',
    '| file | bytes | lines | words | SHA-256 |',
    '|---|---|---|---|---|',
    ...rows.map((row) =>
      'skipped' in row
        ? `| ${cell(row.path)} | skipped: ${row.skipped} | | | |`
        : `| ${cell(row.path)} | ${row.bytes} | ${row.lines} | ${row.words} | ${row.sha256} |`,
    ),
    ...failures.map(({ path, message }) => `| ${cell(path)} | failed: ${cell(message)} | | | |`),
    '',
  ].join('\n');
}

/** A name as it can stand in a table: it may hold a bar, or the end of a line. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ');
}
