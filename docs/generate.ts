/** `npm run docs`: writes the pages that are made from the code. */

import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { errorsPage } from './pages/errors-page.js';
import { identifiersPage } from './pages/identifiers-page.js';
import { statesPage } from './pages/states-page.js';

/** The file of each page, and the function that makes it. */
export const PAGES: ReadonlyMap<string, () => string> = new Map(
  Object.entries({ 'states.md': statesPage, 'errors.md': errorsPage, 'identifiers.md': identifiersPage }).map(([name, page]) => [
    fileURLToPath(new URL(name, import.meta.url)),
    page,
  ]),
);

if (process.argv[1] === fileURLToPath(import.meta.url)) for (const [path, page] of PAGES) writeFileSync(path, page());
