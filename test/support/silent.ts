/** A logger that says nothing. */

import type { Logger } from '../../src/index.js';

export const silent: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
