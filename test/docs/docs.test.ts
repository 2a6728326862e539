/** The docs say what the code says. */

import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PAGES } from '../../docs/generate.js';
import * as millrace from '../../src/index.js';

const ROOT = resolve(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

describe('docs', () => {
  it.each([...PAGES])('has %s as the code gives it', (path, page) => {
    expect(readFileSync(path, 'utf8')).toBe(page());
  });

  it('explains every error, and none that is not there', () => {
    const documented = [...read('docs/errors.md').matchAll(/^\| `(\w+)` +\| `(\w+)` +\|/gm)].map(([, name, code]) => `${name} ${code}`);
    const thrown = [...read('src/errors.ts').matchAll(/class (\w+) extends MillraceError \{\n {2}readonly code = '(\w+)'/g)];
    expect(documented.sort()).toEqual(thrown.map(([, name, code]) => `${name} ${code}`).sort());
    for (const [, name] of thrown) expect(Object.keys(millrace)).toContain(name);
  });

  it('links only to what is there', () => {
    const pages = ['README.md', ...readdirSync(join(ROOT, 'docs'), { recursive: true }).map((name) => `docs/${String(name)}`)];
    for (const page of pages.filter((name) => name.endsWith('.md'))) {
      for (const [, target] of read(page).matchAll(/\]\((?!https?:)([^)#]+)/g)) {
        expect(existsSync(join(ROOT, dirname(page), target ?? '')), `${page} links to ${target}`).toBe(true);
      }
    }
  });
});

describe('the README', () => {
  it('has at most 150 lines', () => {
    expect(read('README.md').split('\n').length).toBeLessThanOrEqual(151);
  });

  it('has a program that compiles, and prints what its comments say', { timeout: 60_000 }, () => {
    const program = /```ts\n([\s\S]*?)```/.exec(read('README.md'))?.[1] ?? '';
    const folder = mkdtempSync(join(ROOT, 'test/docs/readme-'));
    try {
      const file = join(folder, 'program.ts');
      writeFileSync(file, program);
      writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ extends: '../../../tsconfig.json', include: ['*.ts'], exclude: [] }));
      execFileSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', folder, '--rootDir', ROOT]);
      const printed = execFileSync(process.execPath, [join(ROOT, 'node_modules/tsx/dist/cli.mjs'), file], { cwd: ROOT, encoding: 'utf8' });
      const promised = [...program.matchAll(/console\.log\(.*\); \/\/ (.*)/g)].map(([, text]) => text);
      expect(printed.trim().split('\n')).toEqual(promised);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
