/** The samples, run as a user runs them. */

import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { findReplicaSet } from '../replica-set/find-replica-set.js';

const SAMPLES = resolve(import.meta.dirname, '../../samples');
const TSX = resolve(import.meta.dirname, '../../node_modules/tsx/dist/cli.mjs');
const folder = mkdtempSync(join(tmpdir(), 'millrace-'));
const set = await findReplicaSet();
const elsewhere = mkdtempSync(join(tmpdir(), 'millrace-'));

interface Run {
  readonly code: number;
  readonly output: string;
  readonly errors: string;
}

function run(sample: string, args: readonly string[] = [], mongodb = ''): Promise<Run> {
  const tsconfig = resolve(import.meta.dirname, '../../tsconfig.json');
  return new Promise((done) => {
    const program = [TSX, '--tsconfig', tsconfig, join(SAMPLES, sample, 'main.ts'), ...args];
    execFile(process.execPath, program, { cwd: elsewhere, env: { ...process.env, MONGODB_URI: mongodb } }, (error, output, errors) =>
      done({ code: Number(error?.code ?? 0), output, errors }),
    );
  });
}

afterAll(async () => {
  await set.stop();
  for (const made of [folder, elsewhere]) rmSync(made, { recursive: true });
});

describe('samples/documents', () => {
  it('prints what stands at its end', { timeout: 30_000 }, async () => {
    const source = readFileSync(join(SAMPLES, 'documents/main.ts'), 'utf8');
    const expected = /\/\* It prints:\n([\s\S]*)\*\//.exec(source)?.[1];
    const { code, output } = await run('documents');
    expect(output).toBe(expected);
    expect(code).toBe(0);
  });

  it('does its work on MongoDB as well', { timeout: 60_000 }, async () => {
    const { code, output, errors } = await run('documents', [], set.uri);
    expect(errors).toBe('');
    expect(output).toContain('inbox/bar is submitted\n');
    expect(output.endsWith('mail to boss@example.org: the id foo is in use\nsent\n')).toBe(true);
    expect(code).toBe(0);
  });
});

describe.each(['batches', 'retries-and-schedules', 'unique-keys', 'permissions', 'tenants', 'middleware', 'transfer'])(
  'samples/%s',
  (sample) => {
    it.each(['memory', 'MongoDB'])('prints what stands at its end, with its jobs in %s', { timeout: 60_000 }, async (where) => {
      const source = readFileSync(join(SAMPLES, sample, 'main.ts'), 'utf8');
      const expected = /\/\* It prints:\n([\s\S]*)\*\//.exec(source)?.[1];
      const { code, output, errors } = await run(sample, [], where === 'memory' ? '' : set.uri);
      expect(errors).toBe('');
      expect(output).toBe(expected);
      expect(code).toBe(0);
    });
  },
);

describe('samples/web-and-worker', () => {
  it('prints what stands at its end', { timeout: 60_000 }, async () => {
    const source = readFileSync(join(SAMPLES, 'web-and-worker/main.ts'), 'utf8');
    const expected = /\/\* It prints, .*\n([\s\S]*)\*\//.exec(source)?.[1];
    const { code, output, errors } = await run('web-and-worker', [], set.uri);
    expect(errors).toBe('');
    expect(output.split('\n').sort()).toEqual(expected?.split('\n').sort());
    expect(code).toBe(0);
  });

  it('says what it needs where there is no MongoDB', { timeout: 30_000 }, async () => {
    const { code, errors } = await run('web-and-worker');
    expect(code).toBe(2);
    expect(errors).toContain('MONGODB_URI');
  });
});

describe('samples/folder-report', () => {
  it('measures text, skips what is binary, reports what cannot be read, and says so by its exit code', { timeout: 30_000 }, async () => {
    writeFileSync(join(folder, 'empty.txt'), '');
    writeFileSync(join(folder, 'two.txt'), 'one two\nthree\n');
    writeFileSync(join(folder, 'picture.bin'), Buffer.from([1, 0, 2]));
    symlinkSync(join(folder, 'nowhere'), join(folder, 'dangling'));
    symlinkSync(elsewhere, join(folder, 'linked'));
    const { code, output } = await run('folder-report', [folder]);
    expect(code).toBe(1);
    expect(output).toContain('5 files, 14 B, 2 lines, 3 words; 1 skipped, 2 failed');
    expect(output).toContain('failed: dangling: ENOENT');
    expect(output).toContain('failed: linked: EISDIR');
    expect(output).toMatch(/FileReports\.measure\s*│ failed\s*│\s*2 │/);
    const report = JSON.parse(readFileSync(join(elsewhere, '.report/report.json'), 'utf8'));
    expect(report.rows).toContainEqual({ path: 'picture.bin', skipped: 'binary' });
    expect(report.rows).toContainEqual(expect.objectContaining({ path: 'two.txt', bytes: 14, lines: 2, words: 3 }));
    expect(report.failures.map(({ path }: { path: string }) => path).sort()).toEqual(['dangling', 'linked']);
  });

  it('measures the same with its jobs on MongoDB', { timeout: 60_000 }, async () => {
    const { code, output } = await run('folder-report', [folder], set.uri);
    expect(code).toBe(1);
    expect(output).toContain('5 files, 14 B, 2 lines, 3 words; 1 skipped, 2 failed');
  });

  it('refuses a folder that is not there, in a sentence', { timeout: 30_000 }, async () => {
    const { code, errors } = await run('folder-report', [join(folder, 'nope')]);
    expect(code).toBe(2);
    expect(errors).toContain('there is no folder');
    expect(errors).not.toContain('    at ');
  });
});
