/** Every snippet of every page compiles, all of them in one program. */

import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as inversify from 'inversify';
import { describe, expect, it } from 'vitest';
import * as millrace from '../../src/index.js';
import * as mongo from '../../src/store/mongo/index.js';
import * as testing from '../../src/testing/index.js';

const ROOT = resolve(import.meta.dirname, '../..');
const PACKAGES = { millrace, 'millrace/mongo': mongo, 'millrace/testing': testing, inversify };
const OPTIONS = { noEmit: true, noUnusedLocals: false, noUnusedParameters: false, experimentalDecorators: true };

interface Snippet {
  readonly page: string;
  readonly language: string;
  /** The number of the line above it. */
  readonly line: number;
  readonly code: string;
}

const pages = [
  ...readdirSync(ROOT),
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' }).map((name) => join('docs', name)),
].filter((name) => name.endsWith('.md'));
const snippets = pages.flatMap((page) => snippetsOf(page, readFileSync(join(ROOT, page), 'utf8')));

function snippetsOf(page: string, text: string): readonly Snippet[] {
  return [...text.matchAll(/^ *```(\w+)\n([\s\S]*?)^ *```/gm)].map((match) => {
    const [, language = '', code = ''] = match;
    return { page, language, code, line: text.slice(0, match.index).split('\n').length };
  });
}

/**
 * The snippet as a module, in which each line has the number that it has on its page. One without imports gets those of the names that it
 * uses.
 */
function moduleOf({ line, code }: Snippet): string {
  const head = /^import /m.test(code)
    ? 'export {};'
    : Object.entries(PACKAGES)
        .map(([name, exported]) => importOf(name, exported, code))
        .join(' ');
  return `${head}${'\n'.repeat(line)}${code}`;
}

function importOf(name: string, exported: object, code: string): string {
  const used = Object.keys(exported).filter(
    (word) => new RegExp(`(?<![.\\w'])${word}\\b(?!:)`).test(code) && !new RegExp(`(const|class|function) ${word}\\b`).test(code),
  );
  return `import { ${used.join(', ')} } from '${name}';`;
}

function compile(folder: string): Promise<string> {
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  return new Promise((done) => {
    execFile(process.execPath, [tsc, '-p', folder, '--pretty', 'false'], { cwd: folder }, (_error, stdout) => done(stdout));
  });
}

/** The compiler's errors in snippets, by page and line. */
async function mistakesIn(those: readonly Snippet[]): Promise<readonly string[]> {
  const folder = mkdtempSync(join(ROOT, 'test/docs/snippets-'));
  try {
    cpSync(join(ROOT, 'test/docs/known'), folder, { recursive: true });
    for (const snippet of those) writeFileSync(join(folder, `${snippet.page.replaceAll('/', '_')}.${snippet.line}.ts`), moduleOf(snippet));
    const options = { ...OPTIONS, rootDir: ROOT };
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ extends: '../../../tsconfig.json', compilerOptions: options, include: ['*.ts'], exclude: [] }),
    );
    const said = (await compile(folder)).trim();
    return said === '' ? [] : said.split('\n').map((line) => line.replace(/^(\S+\.md)\.\d+\.ts\((\d+),/, '$1:$2 ('));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('the snippets of all pages', () => {
  it('compile', { timeout: 60_000 }, async () => {
    const typed = snippets.filter(({ language }) => ['ts', 'typescript', 'tsx'].includes(language));
    expect(typed.length).toBeGreaterThan(1);
    expect(await mistakesIn(typed)).toEqual([]);
  });

  it('are read, where they are JSON', () => {
    for (const { language, code, page, line } of snippets)
      if (language === 'json') expect(() => JSON.parse(code), `${page}:${line}`).not.toThrow();
  });

  it('are told by page and line where they do not compile', { timeout: 60_000 }, async () => {
    const broken = [
      { page: 'docs/a.md', language: 'ts', line: 7, code: 'await async.queueJob(documents.creat);\n' },
      { page: 'b.md', language: 'ts', line: 3, code: "import { nothing } from 'millrace';\n" },
    ];
    const mistakes = (await mistakesIn(broken)).join('\n');
    expect(mistakes).toMatch(/^docs_a\.md:8 .*Property 'creat' does not exist/m);
    expect(mistakes).toMatch(/^b\.md:4 .*has no exported member 'nothing'/m);
  });
});
