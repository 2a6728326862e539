/** The worker's program in one file, so that a process is there in a fraction of the time that compiling its sources takes. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** Modules that the driver loads only where they are installed. */
const OPTIONAL = ['mongodb-client-encryption', 'kerberos', 'snappy', '@mongodb-js/zstd', '@aws-sdk/*', 'gcp-metadata', 'socks', 'aws4'];
/** The driver is CommonJS, and asks for what is Node's. */
const REQUIRE = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

export interface Program {
  readonly file: string;
  remove(): Promise<void>;
}

export async function bundleWorker(): Promise<Program> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-worker-'));
  const file = join(folder, 'worker.mjs');
  await build({
    entryPoints: [fileURLToPath(new URL('./worker.ts', import.meta.url))],
    outfile: file,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    banner: { js: REQUIRE },
    external: OPTIONAL,
    sourcemap: 'inline',
  });
  return { file, remove: () => rm(folder, { recursive: true }) };
}
