/** A subpath loads only modules that its users need. */

import { relative } from 'node:path';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { ROOT, SUBPATHS } from './subpaths.js';

/** The sources and the packages that an import of a subpath loads. */
async function loadedBy(subpath: string): Promise<readonly string[]> {
  const [, source = ''] = SUBPATHS.find(([name]) => name === subpath) ?? [];
  const { metafile } = await build({
    entryPoints: [source],
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    absWorkingDir: ROOT,
  });
  const inputs = Object.values(metafile.inputs).flatMap(({ imports }) => imports.map(({ path }) => path));
  return [...new Set(inputs)].map((path) => (path.startsWith('/') ? relative(ROOT, path) : path));
}

describe('an import of', () => {
  it.each(['millrace', 'millrace/mongo', 'millrace/testing'])('%s loads nothing of the store contract', async (subpath) => {
    const loaded = await loadedBy(subpath);
    expect(loaded).toContain('src/errors.ts');
    expect(loaded.filter((path) => path.includes('testing/contract') || path.startsWith('node:assert'))).toEqual([]);
  });

  it.each(['millrace', 'millrace/testing', 'millrace/testing/contract'])("%s does not load MongoDB's driver", async (subpath) => {
    expect(await loadedBy(subpath)).not.toContain('mongodb');
  });

  it('millrace/mongo loads the driver', async () => {
    expect(await loadedBy('millrace/mongo')).toContain('mongodb');
  });
});
