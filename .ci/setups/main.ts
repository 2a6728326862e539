/** `npm run test:setups [-- name …]`: the packed package in an empty folder for each set-up, or for those named; exits with 1 if one fails. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Project } from './project.js';
import { SET_UPS } from './set-ups.js';

const ROOT = resolve(import.meta.dirname, '../..');
const asked = process.argv.slice(2);
const unknown = asked.filter((name) => SET_UPS[name] === undefined);
if (unknown.length > 0) throw new Error(`unknown set-up: ${unknown.join(', ')}; known are ${Object.keys(SET_UPS).join(', ')}`);

const work = mkdtempSync(join(tmpdir(), 'millrace-setups-'));
try {
  const packed = execFileSync('npm', ['pack', '--silent', '--pack-destination', work], { cwd: ROOT, encoding: 'utf8' });
  const tarball = join(work, packed.trim().split('\n').at(-1) ?? '');
  const chosen = Object.entries(SET_UPS).filter(([name]) => asked.length === 0 || asked.includes(name));
  const failed = chosen.filter(([name, setUp]) => !succeeds(name, () => setUp(new Project(join(work, name), tarball))));
  process.exitCode = failed.length === 0 ? 0 : 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}

function succeeds(name: string, setUp: () => void): boolean {
  const begun = performance.now();
  try {
    setUp();
    console.log(`${name}: runs, ${Math.round((performance.now() - begun) / 1000)} s`);
    return true;
  } catch (error) {
    console.error(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    return false;
  }
}
