/** The table of attacks: every test that it names is there, and every test of an attack is named. */

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

const named = [...read('docs/security.md').matchAll(/^\| .* \| (.*) \|$/gm)].map(([, test = '']) => test).filter((test) => test !== 'test');
const titles = [...read('test/principal/attacks.test.ts').matchAll(/(?:\bit|\]|'memory')\)?\(\s*'([^']+)'/g)].map(([, title]) => title);

it('docs/security.md names the tests of attacks that there are, and all of them', () => {
  expect(titles.length).toBeGreaterThan(25);
  expect(named.toSorted()).toEqual(titles.toSorted());
});
