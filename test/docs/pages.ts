/** The pages that users read: README, and those of `docs`. */

import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '../..');

/** The address of the repository, under which README links to pages: it is read on the page of the package as well. */
export const ADDRESS = /^https:\/\/github\.com\/millrace\/millrace\/(?:blob|tree)\/main\//;

const DOCS = readdirSync(join(ROOT, 'docs'), { recursive: true }).map((name) => `docs/${String(name)}`);

export const PAGES: readonly string[] = [
  'README.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  ...DOCS.filter((name) => name.endsWith('.md')),
];

export function textOf(page: string): string {
  return readFileSync(join(ROOT, page), 'utf8');
}

/** The blocks of a page that print something, and say what. */
export function programsOf(page: string): readonly string[] {
  const blocks = [...textOf(page).matchAll(/^```ts\n([\s\S]*?)^```/gm)].map(([, code = '']) => code);
  return blocks.filter((code) => /console\.log\(.*\); \/\/ /.test(code));
}
