/** `npm run release:check [-- --unreleased]`: says whether the package may be published as it is; exits with 1 if not. */

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { problemsOf } from './problems.js';

interface Packed {
  readonly size: number;
  readonly files: readonly { readonly path: string }[];
}

const ROOT = resolve(import.meta.dirname, '../..');
const { values } = parseArgs({ options: { unreleased: { type: 'boolean', default: false } } });
const manifest = JSON.parse(read('package.json'));
const { size, files } = packed();

const problems = problemsOf({
  manifest,
  changelog: read('CHANGELOG.md'),
  status: run('git', 'status', '--porcelain').trim(),
  tarball: { bytes: size, files: files.map(({ path }) => path) },
  mayBeUnreleased: values.unreleased,
});
for (const problem of problems) console.error(`release: ${problem}`);
if (problems.length === 0) console.log(`release: ${manifest.version} may be published, ${files.length} files, ${size} bytes`);
process.exitCode = problems.length === 0 ? 0 : 1;

function packed(): Packed {
  run('npm', 'run', '--silent', 'build');
  const answer: readonly Packed[] | Readonly<Record<string, Packed>> = JSON.parse(
    run('npm', 'pack', '--dry-run', '--json', '--ignore-scripts'),
  );
  const [only] = Object.values(answer);
  if (only === undefined) throw new Error('`npm pack --json` names no tarball');
  return only;
}

function read(path: string): string {
  return readFileSync(resolve(ROOT, path), 'utf8');
}

function run(command: string, ...args: readonly string[]): string {
  return execFileSync(command, args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}
