/** A driver that is not installed is an error of Millrace, which says what to install. */

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StoreError } from '../../../src/index.js';
import { DeferredStore } from '../../../src/store/mongo/deferred-store.js';
import { checkDriver, withDriver } from '../../../src/store/mongo/installed-driver.js';

const ROOT = resolve(import.meta.dirname, '../../..');
const SAID = '`millrace/mongo` needs the package `mongodb`, which is not installed: `npm install mongodb` (7 or later)';
const missing = (name: string): Error =>
  Object.assign(new Error(`Cannot find package '${name}' imported from x.js`), { code: 'ERR_MODULE_NOT_FOUND' });

describe('a driver that is missing', () => {
  it('is told when `millrace/mongo` is loaded, except from a bundle, of which it may be a part', () => {
    const resolve = (name: string): never => {
      throw missing(name);
    };
    const load = (url: string) => (): void => checkDriver({ url, resolve });
    expect(load('file:///app/node_modules/millrace/dist/store/mongo/installed-driver.js')).toThrow(StoreError);
    expect(load('file:///app/node_modules/millrace/dist/store/mongo/installed-driver.js')).toThrow(SAID);
    expect(load('file:///app/bundle.js')).not.toThrow();
    expect(() => checkDriver({ url: 'file:///millrace/dist/store/mongo/installed-driver.js' })).not.toThrow();
  });

  it('is told when the store is loaded; what else fails then is told as it is', async () => {
    const load = (error: Error): Promise<never> => withDriver(() => Promise.reject(error));
    await expect(load(missing('mongodb'))).rejects.toThrow(SAID);
    await expect(load(Object.assign(missing('mongodb'), { code: 'MODULE_NOT_FOUND' }))).rejects.toBeInstanceOf(StoreError);
    for (const other of [missing('bson'), new Error("a 'mongodb' of its own")]) await expect(load(other)).rejects.toBe(other);
  });

  it('keeps no store from being loaded once it is there', async () => {
    let tries = 0;
    const store = new DeferredStore(async () => {
      tries++;
      throw missing('mongodb');
    });
    for (let start = 0; start < 2; start++) await expect(store.start({} as never)).rejects.toThrow('Cannot find package');
    await store.stop();
    expect(tries).toBe(2);
  });

  it('leaves a store unusable until it is started, with an error that says so', async () => {
    const store = new DeferredStore(() => Promise.reject(missing('mongodb')));
    expect(() => store.quotas).toThrow('await `start(container)` first');
    await expect(store.find({})).rejects.toThrow('await `start(container)` first');
  });
});

describe('the package as it is built, without the driver', () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-driver-'));
  const modules = join(folder, 'node_modules');
  const run = (code: string): string => {
    writeFileSync(join(folder, 'program.mjs'), code);
    return execFileSync(process.execPath, ['program.mjs'], { cwd: folder, encoding: 'utf8' });
  };

  beforeAll(() => {
    for (const name of readdirSync(join(ROOT, 'node_modules'))) {
      if (name === 'mongodb' || name.startsWith('.')) continue;
      mkdirSync(dirname(join(modules, name)), { recursive: true });
      symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
    }
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    const own = join(folder, 'node_modules/millrace');
    execFileSync(process.execPath, [tsc, '-p', join(ROOT, 'tsconfig.build.json'), '--outDir', join(own, 'dist')]);
    writeFileSync(
      join(own, 'package.json'),
      JSON.stringify({ type: 'module', exports: { '.': './dist/index.js', './mongo': './dist/store/mongo/index.js' } }),
    );
  }, 60_000);
  afterAll(() => rmSync(folder, { recursive: true }));

  it('says on an import of `millrace/mongo` what is to be installed', () => {
    expect(run("import('millrace/mongo').catch(({ code, message }) => console.log(code, message))")).toBe(`MILLRACE_STORE ${SAID}\n`);
  });

  it('can be used with `memoryStore()`', () => {
    expect(run("import { memoryStore } from 'millrace'; console.log(typeof memoryStore())")).toBe('object\n');
  });
});
