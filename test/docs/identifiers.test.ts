/** Values that code compares are identifiers, never sentences. */

import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';

const SRC = resolve(import.meta.dirname, '../../src');
/** A string that is compared, or a literal in a type. */
const COMPARED = /(?:===|!==|\bcase|(?<!\|)\||readonly \w+\??:) '([^'\n]*)'/g;

it('compares nothing with a sentence, and has no sentence as the value of a type', () => {
  const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  const compared = files.flatMap((file) =>
    [...readFileSync(join(SRC, file), 'utf8').matchAll(COMPARED)].map(([, text = '']) => `${file}: ${text}`),
  );
  expect(compared.length).toBeGreaterThan(200);
  expect(compared.filter((entry) => /: .*\s/.test(entry))).toEqual([]);
});
