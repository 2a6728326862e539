/** The docs say what the code says. */

import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PAGES as GENERATED } from '../../docs/generate.js';
import * as millrace from '../../src/index.js';
import { ADDRESS, PAGES, programsOf, ROOT, textOf } from './pages.js';

describe('docs', () => {
  it.each([...GENERATED])('has %s as the code gives it', (path, page) => {
    expect(readFileSync(path, 'utf8')).toBe(page());
  });

  it('explains every error, and none that is not there', () => {
    const documented = [...textOf('docs/errors.md').matchAll(/^\| `(\w+)` +\| `(\w+)` +\|/gm)].map(([, name, code]) => `${name} ${code}`);
    const thrown = [...textOf('src/errors.ts').matchAll(/class (\w+) extends MillraceError \{\n {2}readonly code = '(\w+)'/g)];
    expect(documented.sort()).toEqual(thrown.map(([, name, code]) => `${name} ${code}`).sort());
    for (const [, name] of thrown) expect(Object.keys(millrace)).toContain(name);
  });

  it('links only to existing pages', () => {
    for (const page of PAGES) {
      for (const [, link = ''] of textOf(page).matchAll(/\]\(([^)#]+)/g)) {
        const target = ADDRESS.test(link) ? join(ROOT, link.replace(ADDRESS, '')) : join(ROOT, dirname(page), link);
        if (ADDRESS.test(link) || !/^https?:/.test(link)) expect(existsSync(target), `${page} links to ${link}`).toBe(true);
      }
    }
  });

  it('links only to existing headings', () => {
    for (const page of PAGES) {
      for (const [, link = '', heading] of textOf(page).matchAll(/\]\((?!https?:)([^)#]*)#([^)]+)\)/g)) {
        const headings = [...textOf(link === '' ? page : join(dirname(page), link)).matchAll(/^#+ (.*)$/gm)].map(([, text = '']) =>
          anchorOf(text),
        );
        expect(headings, `${page} links to ${link}#${heading}`).toContain(heading);
      }
    }
  });
});

describe('the README', () => {
  it('has at most 150 lines', () => {
    expect(textOf('README.md').split('\n').length).toBeLessThanOrEqual(151);
  });

  it('has links that also work on the page of the package', () => {
    const relative = [...textOf('README.md').matchAll(/\]\((?!https:|#)([^)]+)/g)].map(([, link]) => link);
    expect(relative).toEqual([]);
  });

  it.each(programsOf('README.md'))('has a program %# that prints what its comments say', { timeout: 60_000 }, (program) => {
    const folder = mkdtempSync(join(ROOT, 'test/docs/readme-'));
    try {
      const file = join(folder, 'program.ts');
      writeFileSync(file, program);
      const printed = execFileSync(process.execPath, [join(ROOT, 'node_modules/tsx/dist/cli.mjs'), file], { cwd: ROOT, encoding: 'utf8' });
      const promised = [...program.matchAll(/console\.log\(.*\); \/\/ (.*)/g)].map(([, text]) => text);
      expect(printed.trim().split('\n')).toEqual(promised);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

/** As GitHub names a heading in links. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');
}
