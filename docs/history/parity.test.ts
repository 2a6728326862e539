/** The table of what the forerunners do: every handle has a row, and every test that it names is there. */

import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

interface Row {
  readonly handle: string;
  readonly verdict: string;
  readonly text: string;
  readonly tests: string;
}

const root = new URL('../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');

const rows = read('docs/history/parity.md')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| handle') && !line.startsWith('| ---'))
  .map((line): Row => {
    const [handle = '', verdict = '', text = '', tests = '', ...more] = line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim());
    if (more.length > 0) throw new Error(`a row has a cell too many: ${line}`);
    return { handle, verdict, text, tests };
  });

/** How many handles of each letter there are, numbered from 1. */
const COUNTS = {
  Q: 15,
  J: 17,
  A: 8,
  R: 6,
  C: 12,
  D: 6,
  S: 10,
  U: 12,
  G: 12,
  P: 17,
  H: 10,
  B: 5,
  X: 4,
  N: 9,
  L: 8,
  O: 6,
  E: 8,
  Z: 8,
  I: 4,
  K: 7,
  V: 8,
  W: 4,
  SS: 50,
  KW: 50,
} as const;

/** Those whose numbers have gaps, or letters. */
const OTHERS =
  'FS-01 FS-02 FS-03 FS-04 FS-06 FS-10 FS-11 FS-12 FS-13 FS-14 FS-15 FS-17 FS-18 FS-19 FS-20 FS-21 FS-22 FS-23 FS-24 FS-25 FS-30 FS-32 FS-33 FS-34 FS-35 FS-37 FS-38 FS-39 FS-40 FS-41a FS-41b FS-42 FS-43 FS-45 FS-46 FS-48 FS-49 FS-50 FS-51 FS-52 FS-53 FS-55 FS-56 FS-57 FS-58 FS-60 FS-61 FS-62 FS-64 FS-66 FS-70 FS-71 FS-73 FS-75 FS-80 FS-82 FS-85 FS-86 FS-91 FS-92 T-01 T-02 T-03 T-04 T-02a T-04a T-04b T-05 T-06 T-07 T-08 T-09 T-10 T-11 T-12 T-13 T-14 T-15 T-16 T-17 M-01 M-02 M-03 M-04 M-05 M-06 M-07 M-08 M-20 M-21 M-22 M-23 M-24 M-25 M-26 M-27 M-28 M-29 M-30'.split(
    ' ',
  );

const handles = [
  ...Object.entries(COUNTS).flatMap(([letter, count]) =>
    Array.from({ length: count }, (_, index) => `${letter}-${String(index + 1).padStart(2, '0')}`),
  ),
  ...OTHERS,
];

const VERDICTS = ['here', 'translated', 'better', 'left out', 'not yet'];

describe('docs/history/parity.md', () => {
  it('has one row for every handle', () => {
    const numbered = rows.map(({ handle }) => handle).filter((handle) => /^[A-Z]+-\d/.test(handle));
    expect(numbered.toSorted()).toEqual(handles.toSorted());
  });

  it('says of each what has become of it', () => {
    expect(rows.filter(({ verdict, text }) => !VERDICTS.includes(verdict) || text === '')).toEqual([]);
  });

  it('names a test for all that is there', () => {
    const unproved = rows.filter(({ verdict, tests }) => tests === '–' && verdict !== 'left out' && verdict !== 'not yet');
    expect(unproved).toEqual([]);
  });

  it('names only tests that there are', () => {
    const missing = rows.flatMap(({ handle, tests }) =>
      tests === '–'
        ? []
        : tests
            .split('<br>')
            .filter((test) => !isThere(test))
            .map((test) => `${handle}: ${test}`),
    );
    expect(missing).toEqual([]);
  });
});

/** Whether `file: title` names a test, by the title as it is written there. */
function isThere(test: string): boolean {
  const [file = '', ...title] = test.split(': ');
  if (!existsSync(new URL(file, root))) return false;
  const source = read(file);
  const text = title.join(': ');
  return ["'", '`', '"'].some((quote) => source.includes(`${quote}${text.replaceAll(quote, `\\${quote}`)}${quote}`));
}
