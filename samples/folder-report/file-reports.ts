/** The jobs on single files: they measure the size and the content. */

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inject, injectable } from 'inversify';
import { Task, tasks } from 'millrace';

export const FOLDER = Symbol('FOLDER');

/** The report on one file. */
export type FileReport =
  | { readonly path: string; readonly skipped: 'binary' }
  | { readonly path: string; readonly bytes: number; readonly sha256: string; readonly lines: number; readonly words: number };

@injectable()
export class FileReports {
  constructor(@inject(FOLDER) private readonly folder: string) {}

  @Task({ quotas: ['files'], failureLogLevel: 'none' })
  async measure(path: string): Promise<FileReport> {
    const content = await readFile(join(this.folder, path));
    if (content.includes(0)) return { path, skipped: 'binary' };
    const text = content.toString('utf8');
    return {
      path,
      bytes: content.byteLength,
      sha256: createHash('sha256').update(content).digest('hex'),
      lines: text.split('\n').length - (text.endsWith('\n') || text === '' ? 1 : 0),
      words: text.split(/\s+/).filter((word) => word !== '').length,
    };
  }
}

export const fileReports = tasks(FileReports);
