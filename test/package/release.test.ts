/** The problems that keep a version from being released. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { problemsOf, type Release } from '../../.ci/release/problems.js';
import { ROOT } from './subpaths.js';

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** A release in order: the package's own manifest, with a changelog and a tarball that fit it. */
const manifest = { ...JSON.parse(read('package.json')), version: '1.2.3' };
const files = [
  ...['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md'],
  ...['', 'store/mongo/', 'testing/', 'testing/contract/'].flatMap((room) => [`dist/${room}index.js`, `dist/${room}index.d.ts`]),
];
const good: Release = {
  manifest,
  changelog: '# Changelog\n\n## [1.2.3] - 2031-02-03\n\n## [1.2.2] - 2031-01-01\n',
  status: '',
  tarball: { bytes: 400_000, files },
  mayBeUnreleased: false,
};

describe('a release', () => {
  it('in order has no problems', () => {
    expect(problemsOf(good)).toEqual([]);
  });

  it.each<[string, Partial<Release>, RegExp]>([
    ['another version than the changelog', { changelog: '## [1.2.2] - 2031-01-01\n' }, /version 1\.2\.3, but the first section .* 1\.2\.2/],
    ['no section in the changelog', { changelog: '# Changelog\n' }, /first section of CHANGELOG\.md is absent/],
    ['no date', { changelog: '## [1.2.3] - Unreleased\n' }, /has no date: write `## \[1\.2\.3\] - YYYY-MM-DD`/],
    ['a work tree with changes', { status: ' M src/index.ts' }, /not clean: commit or remove\n M src\/index\.ts/],
    ['a large tarball', { tarball: { bytes: 1_000_000, files } }, /has 1000000 bytes/],
    ['no licence in the tarball', { tarball: { bytes: 1, files: without('LICENSE') } }, /lacks LICENSE/],
    ['no built entry', { tarball: { bytes: 1, files: without('dist/testing/index.d.ts') } }, /lacks dist\/testing\/index\.d\.ts/],
    ['a source map', { tarball: { bytes: 1, files: [...files, 'dist/index.js.map'] } }, /holds dist\/index\.js\.map/],
    ['a test', { tarball: { bytes: 1, files: [...files, 'test/setup.ts'] } }, /holds test\/setup\.ts/],
    ['no licence in package.json', { manifest: { ...manifest, license: '' } }, /has no `license`/],
    ['another licence', { manifest: { ...manifest, license: 'ISC' } }, /names the licence ISC, but LICENSE is MIT/],
    ['no repository', { manifest: { ...manifest, repository: undefined } }, /has no `repository`/],
  ])('with %s is stopped, by one sentence', (_mistake, change, sentence) => {
    expect(problemsOf({ ...good, ...change })).toEqual([expect.stringMatching(sentence)]);
  });

  it('in preparation may have a section without a date', () => {
    expect(problemsOf({ ...good, changelog: '## [1.2.3] - Unreleased\n', mayBeUnreleased: true })).toEqual([]);
  });
});

describe('this package', () => {
  it('is described in the changelog, has its licence, and needs only a date', () => {
    const own: Release = {
      ...good,
      manifest: { ...manifest, version: JSON.parse(read('package.json')).version },
      changelog: read('CHANGELOG.md'),
    };
    expect(problemsOf({ ...own, mayBeUnreleased: true })).toEqual([]);
    expect(read('LICENSE')).toMatch(/^MIT License\n/);
  });
});

function without(name: string): readonly string[] {
  return files.filter((file) => file !== name);
}
