/** The prose of the project is plain English, as far as patterns can tell. */

import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { ROOT, textOf } from './pages.js';
import { type Sentence, sentencesOfPage, sentencesOfProgram } from './prose.js';

interface Rule {
  readonly name: string;
  readonly breaks: RegExp;
  readonly say: string;
}

const RULES: readonly Rule[] = [
  {
    name: 'a clause as the subject',
    breaks: /^(?:What|Who|Whose|Whom|Whatever|Whoever|Whichever)\b.*[^?]$/,
    say: 'name the thing: "Once the promise resolves, the write is durable"',
  },
  {
    name: 'a clause in place of a person',
    breaks: /\b(?:of|for|by|to|with|from|than|but|as|at|on|against|may) (?:who|whoever|whom|whatever)\b(?! (?:it|they|we) )/i,
    say: 'name the person or thing: "the process that stops"',
  },
  {
    name: '"is no X"',
    breaks:
      /(?<!\bthere )\b(?:is|are|was|were) no (?!longer|more|less|fewer|later|earlier|other|room|need|way|reason|sign|such|one|doubt)[a-z]+/i,
    say: '"is not an X"',
  },
  {
    name: 'an idiom',
    breaks: /\b(?:for ever|in vain|of no account|at hand|befalls?|befallen|befell|(?:told|tells?|telling) of|mends?|mended|mending)\b/i,
    say: 'the usual technical word',
  },
  { name: 'a placeholder', breaks: /\bso (?:many|long|much)\b(?! as| that)/i, say: 'the number, the time, the amount' },
  { name: 'a person as he or she', breaks: /\b(?:he|his|him|himself|she|her|hers|herself)\b/i, say: '"they", or the thing itself' },
];

/** All pages and programs; only the history of the project stays as it was. */
const FILES = execFileSync('git', ['ls-files', '*.ts', '*.md', ':!docs/history', ':!test/docs/plain-english.test.ts'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '');

const SENTENCES = FILES.flatMap((file) => sentencesIn(file).map(({ line, text }) => ({ at: `${file}:${line}`, text })));

describe('plain English', () => {
  it.each(RULES)('has no $name: say $say', ({ breaks }) => {
    expect(SENTENCES.flatMap(({ at, text }) => (breaks.test(text) ? [`${at} ${text}`] : []))).toEqual([]);
  });
});

describe('sentences', () => {
  it.each([
    ['| a cell. | another cell |', ['a cell.', 'another cell']],
    [
      '# A heading\nA line that\ngoes on. **Is it a question?** It is.',
      ['A heading', 'A line that goes on.', 'Is it a question?', 'It is.'],
    ],
    ['* an item\n* a second `one.two()` item', ['an item', 'a second … item']],
    ['```\nsome code\n```\n[some text](some/page.md)', ['some text']],
  ])('are found in the page %j', (page, sentences) => {
    expect(sentencesOfPage(page).map(({ text }) => text)).toEqual(sentences);
  });

  it.each([
    ['/** One sentence\n * of two lines. @returns another one */', ['1 One sentence of two lines.', '2 another one']],
    ["// `code` is\n//   left out\nconst a = 'no-prose', b = \"it's prose\";", ['1 … is left out', "3 it's prose"]],
    ['`a ${b(`an inner ${{ c }} one`)} end`', ['1 an inner … one', '1 a … end']],
    ["const text = 'it\\'s one\\nand another';", ["1 it's one", '1 and another']],
    ["text.split(/'/); a / b; ['a string', c] / d", ['1 a string']],
  ])('are found in the program %j', (program, sentences) => {
    expect(sentencesOfProgram(program).map(({ line, text }) => `${line} ${text}`)).toEqual(sentences);
  });
});

function sentencesIn(file: string): readonly Sentence[] {
  return file.endsWith('.md') ? sentencesOfPage(textOf(file)) : sentencesOfProgram(textOf(file));
}
