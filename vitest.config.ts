import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const from = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  resolve: {
    alias: {
      'millrace/mongo': from('./src/store/mongo/index.ts'),
      'millrace/testing': from('./src/testing/index.ts'),
      millrace: from('./src/index.ts'),
    },
  },
  test: {
    include: ['test/**/*.test.ts', 'samples/**/*.test.ts'],
    globalSetup: ['./test/replica-set/global-setup.ts'],
    setupFiles: ['./test/setup.ts'],
    testTimeout: 20_000,
    maxWorkers: 2,
  },
});
