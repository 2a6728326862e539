/** The sentences that people read: pages, comments and text in programs. */

import jsTokens from 'js-tokens';

export interface Sentence {
  readonly line: number;
  readonly text: string;
}

/** Stands for code in backticks and for the values in a template. */
const CODE = '…';

/** A sentence ends here, though the line goes on. */
const PARAGRAPH = '\u2029';

/** Sentences have two words or more: one word is a name. */
const PROSE = /[a-z]+[^a-z]*\s[^a-z]*[a-z]/i;

/** Comments in several lines that each begin with two slashes. */
const LINES = /^ *\/\/.*(?:\n *\/\/.*)+/gm;

/** The sentences of a Markdown page: headings, items of lists and cells of tables are on their own. */
export function sentencesOfPage(page: string): readonly Sentence[] {
  const prose = page
    .replace(/^---\n[\s\S]*?^---$|^ *```[\s\S]*?^ *```|<!--[\s\S]*?-->/gm, newlinesOf)
    .replace(/`[^`]*`/g, asCode)
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replaceAll('**', '')
    .replace(/^ *(?:>|[-*+]|\d+\.) /gm, PARAGRAPH)
    .replace(/^#.*/gm, `${PARAGRAPH}$&${PARAGRAPH}`)
    .replace(/^ *\|.*/gm, (row) => row.replaceAll('|', PARAGRAPH));
  return sentencesOf(prose, 1);
}

/** The sentences of the comments, strings and templates of a TypeScript file. */
export function sentencesOfProgram(program: string): readonly Sentence[] {
  return textsOf(program.replace(LINES, asBlock)).flatMap(({ line, text }) => sentencesOf(text, line));
}

/** Comments without their asterisks, strings without their quotes, templates without their values. */
function textsOf(program: string): readonly Sentence[] {
  const texts: Sentence[] = [];
  /** The templates around a token, innermost last. */
  const templates: { readonly line: number; text: string }[] = [];
  let line = 1;
  for (const { type, value } of jsTokens(program)) {
    if (type === 'MultiLineComment' || type === 'SingleLineComment') texts.push({ line, text: ofComment(value) });
    if (type === 'StringLiteral' || type === 'NoSubstitutionTemplate') texts.push({ line, text: unescaped(value.slice(1, -1)) });
    if (type === 'TemplateHead') templates.push({ line, text: '' });
    const template = templates.at(-1);
    if (template !== undefined && type.startsWith('Template')) template.text += ofTemplate(value);
    if (type === 'TemplateTail') texts.push(...templates.splice(-1));
    if (value.includes('\n')) line += newlinesOf(value).length;
  }
  return texts;
}

/** A part of a template, with a sign for the value after it. */
function ofTemplate(part: string): string {
  return unescaped(part.replace(/^[`}]|`$/g, '').replace(/\$\{$/, CODE));
}

function unescaped(text: string): string {
  return text.replaceAll('\\n', PARAGRAPH).replace(/\\(?=['"`])/g, '');
}

/** Two slashes or more on each line, as one comment of the same lines. */
function asBlock(lines: string): string {
  return `/*${lines.replaceAll('*/', '* /').replace(/^ *\/\/+/gm, ' *')}*/`;
}

/** A comment's prose; each tag of JSDoc begins a paragraph of its own. */
function ofComment(comment: string): string {
  return comment
    .replace(/^\/\/|^\/\*+|\*+\/$/g, '')
    .replace(/^ *\* ?/gm, '')
    .replace(/ *@(?:param \S+(?: -)?|[a-z]+)/g, PARAGRAPH)
    .replace(/\{@link (\w+)\}/g, CODE);
}

/** A text cut at empty lines and after full stops, question marks and exclamation marks. */
function sentencesOf(text: string, firstLine: number): readonly Sentence[] {
  const sentences: Sentence[] = [];
  let line = firstLine;
  for (const part of text.replace(/`[^`]*`/g, asCode).split(/(?<=[.!?][*_)"'\]]*)(?=\s)|(?=\n *\n)|\u2029/)) {
    const shown = part.replace(/^\s+/, '');
    const start = line + newlinesOf(part.slice(0, part.length - shown.length)).length;
    if (PROSE.test(part)) sentences.push({ line: start, text: shown.replace(/\s+/g, ' ').replace(/^[^\w…]+|\s+$/g, '') });
    line += newlinesOf(part).length;
  }
  return sentences;
}

function asCode(code: string): string {
  return CODE + newlinesOf(code);
}

function newlinesOf(text: string): string {
  return text.replace(/[^\n]/g, '');
}
