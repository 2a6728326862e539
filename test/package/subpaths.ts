/** The subpaths that `package.json` exports, each with its source. */

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '../..');

interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>;
}

/** The name that a user imports, and the index that it stands for. */
export const SUBPATHS: readonly (readonly [name: string, source: string])[] = Object.entries(manifest().exports).flatMap(
  ([path, target]) => (typeof target === 'string' ? [] : [[path.replace('.', 'millrace'), sourceOf(target.default)]]),
);

function manifest(): Manifest {
  return JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
}

function sourceOf(built: string): string {
  return join(ROOT, built.replace('./dist/', 'src/').replace(/\.js$/, '.ts'));
}
