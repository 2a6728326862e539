/** The driver, which an application may have forgotten to install: that is said in place of Node's own error. */

import { StoreError } from '../../errors.js';
import { storedError } from '../../job/stored-error.js';

const NOT_FOUND: ReadonlySet<unknown> = new Set(['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND']);

/** Of a bundle the driver may be a part, wherever it is then. */
const OWN_FILE = /\/store\/mongo\/installed-driver\.[jt]s$/;

/** Of this file. Each by itself, since tools that make CommonJS of modules know these two, but not `import.meta` as a whole. */
const SELF: Self = { url: import.meta.url, resolve: import.meta.resolve };

interface Self {
  readonly url?: string;
  /** Some tools leave it out. */
  readonly resolve?: (name: string) => unknown;
}

/** Looks for the driver as soon as `millrace/mongo` is loaded. @throws StoreError */
export function checkDriver({ url = '', resolve }: Self = SELF): void {
  if (typeof resolve !== 'function' || !OWN_FILE.test(url)) return;
  try {
    resolve('mongodb');
  } catch (error) {
    throw explained(error);
  }
}

/** Loads a module that needs the driver. @throws StoreError where that is missing */
export async function withDriver<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    throw explained(error);
  }
}

function explained(error: unknown): unknown {
  const { code, message } = storedError(error);
  if (!NOT_FOUND.has(code) || !/['"]mongodb['"]/.test(message)) return error;
  return new StoreError('`millrace/mongo` needs the package `mongodb`, which is not installed: `npm install mongodb` (7 or later)', {
    cause: error,
  });
}
