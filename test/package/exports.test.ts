/** The public API by its names, as a snapshot: a change of it shows in review. */

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SUBPATHS } from './subpaths.js';

describe('the public API', () => {
  it('has the names in exports.txt, types among them; `npx vitest run test/package -u` writes it anew', async () => {
    const parts = await Promise.all(SUBPATHS.map(async ([name, source]) => [`# ${name}`, ...(await namesOf(source)), ''].join('\n')));
    await expect(parts.join('\n')).toMatchFileSnapshot('exports.txt');
  });
});

/** Values as they are loaded; types as the index lists them. */
async function namesOf(index: string): Promise<readonly string[]> {
  const values = Object.keys(await import(index));
  const types = typesOf(index).filter((name) => !values.includes(name));
  return [...values.toSorted(), ...types.toSorted().map((name) => `type ${name}`)];
}

function typesOf(index: string): readonly string[] {
  const source = readFileSync(index, 'utf8');
  const lists = [...source.matchAll(/^export (type )?\{([^}]*)\} from/gm)];
  const listed = lists.flatMap(([, all, list = '']) => exported(list, all !== undefined));
  const stars = [...source.matchAll(/^export type \* from '(.*)\.js';/gm)].map(([, file]) => join(dirname(index), `${file}.ts`));
  return [...listed, ...stars.flatMap(declared)];
}

/** The names of a list, of which `type` is said once for all or of each. */
function exported(list: string, areTypes: boolean): readonly string[] {
  const entries = list.split(',').map((entry) => entry.trim());
  return entries.filter((entry) => entry !== '' && (areTypes || entry.startsWith('type '))).map((entry) => entry.replace('type ', ''));
}

function declared(file: string): readonly string[] {
  return [...readFileSync(file, 'utf8').matchAll(/^export (?:interface|type|abstract class|class|const|function) (\w+)/gm)].map(
    ([, name = '']) => name,
  );
}
