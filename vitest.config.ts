import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/support/longest-first.js';

const from = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Real processes and real time: only behind `npm run test:crash`. */
const CRASH = 'test/crash/**/*.test.ts';
const isCrash = process.env['MILLRACE_CRASH'] === '1';

export default defineConfig({
  resolve: {
    alias: {
      'millrace/mongo': from('./src/store/mongo/index.ts'),
      'millrace/testing/contract': from('./src/testing/contract/index.ts'),
      'millrace/testing': from('./src/testing/index.ts'),
      millrace: from('./src/index.ts'),
    },
  },
  test: {
    include: isCrash ? [CRASH] : ['test/**/*.test.ts', 'samples/**/*.test.ts', 'docs/**/*.test.ts'],
    exclude: ['**/node_modules/**', ...(isCrash ? [] : [CRASH])],
    globalSetup: ['./test/replica-set/global-setup.ts'],
    setupFiles: ['./test/setup.ts'],
    testTimeout: 20_000,
    maxWorkers: 2,
    // All files of a worker share the modules that are loaded; each file cleans up after itself.
    isolate: false,
    sequence: { sequencer: LongestFirst },
  },
});
