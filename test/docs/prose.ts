/** The sentences that people read: pages, comments and text in programs. */

import { SyntaxKind } from 'typescript/unstable/ast';
import { createScanner } from 'typescript/unstable/ast/scanner';

export interface Sentence {
  readonly line: number;
  readonly text: string;
}

/** Stands for code in backticks and for the values in a template. */
const CODE = '…';

/** Begins a new sentence on the same line. */
const PARAGRAPH = '\u2029';

/** Sentences have two words or more: one word is a name. */
const PROSE = /[a-z]+[^a-z]*\s[^a-z]*[a-z]/i;

/** A line of Markdown that begins a block of its own, and so a sentence. */
const BLOCK = /^\s*(?:#|>|[-*+] |\d+\. )/;

/** Comments in several lines that each begin with two slashes. */
const LINES = /^ *\/\/.*(?:\n *\/\/.*)+/gm;

const COMMENTS: ReadonlySet<SyntaxKind> = new Set([SyntaxKind.SingleLineCommentTrivia, SyntaxKind.MultiLineCommentTrivia]);
const STRINGS: ReadonlySet<SyntaxKind> = new Set([SyntaxKind.StringLiteral, SyntaxKind.NoSubstitutionTemplateLiteral]);

/** A slash after one of these divides; after all others it begins a regular expression. */
const VALUE_ENDS: ReadonlySet<SyntaxKind> = new Set([
  SyntaxKind.Identifier,
  SyntaxKind.NumericLiteral,
  SyntaxKind.CloseParenToken,
  SyntaxKind.CloseBracketToken,
  SyntaxKind.CloseBraceToken,
]);

/** The sentences of a Markdown page; each cell of a table is on its own. */
export function sentencesOfPage(page: string): readonly Sentence[] {
  const prose = page
    .replace(/^---\n[\s\S]*?^---$|^ *```[\s\S]*?^ *```|<!--[\s\S]*?-->/gm, newlinesOf)
    .replace(/`[^`]*`/g, asCode)
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replaceAll('**', '');
  return blocksOf(prose).flatMap(({ line, text }) => sentencesOf(text, line));
}

/** The sentences of the comments, strings and templates of a TypeScript file. */
export function sentencesOfProgram(program: string): readonly Sentence[] {
  return textsOf(program.replace(LINES, asBlock)).flatMap(({ line, text }) => sentencesOf(text, line));
}

function blocksOf(page: string): readonly Sentence[] {
  const blocks: Sentence[] = [];
  let open = false;
  for (const [index, text] of page.split('\n').entries()) {
    const isRow = /^\s*\|/.test(text);
    const before = blocks.at(-1);
    if (isRow) blocks.push(...text.split('|').map((cell) => ({ line: index + 1, text: cell })));
    else if (open && before !== undefined && text.trim() !== '' && !BLOCK.test(text)) {
      blocks[blocks.length - 1] = { line: before.line, text: `${before.text}\n${text}` };
    } else blocks.push({ line: index + 1, text: text.replace(BLOCK, '') });
    open = !isRow && text.trim() !== '' && !/^\s*#/.test(text);
  }
  return blocks;
}

interface Template {
  readonly line: number;
  text: string;
  /** The braces that are open in its present value. */
  braces: number;
}

/** Comments without their asterisks, strings without their quotes, templates without their values. */
function textsOf(program: string): readonly Sentence[] {
  const scanner = createScanner(false, undefined, program);
  const texts: Sentence[] = [];
  /** The templates around a token, innermost last. */
  const templates: Template[] = [];
  let line = 1;
  let before = SyntaxKind.Unknown;
  for (let token = scanner.scan(); token !== SyntaxKind.EndOfFile; token = scanner.scan()) {
    const template = templates.at(-1);
    if (token === SyntaxKind.SlashToken && !VALUE_ENDS.has(before)) token = scanner.reScanSlashToken();
    if (token === SyntaxKind.CloseBraceToken && template?.braces === 0) token = scanner.reScanTemplateToken(false);
    if (COMMENTS.has(token)) texts.push({ line, text: ofComment(scanner.getTokenText()) });
    else if (STRINGS.has(token)) texts.push({ line, text: scanner.getTokenValue() });
    else if (token === SyntaxKind.TemplateHead) templates.push({ line, text: scanner.getTokenValue(), braces: 0 });
    else if (template !== undefined) goOn(template, token, scanner.getTokenValue());
    if (token === SyntaxKind.TemplateTail) texts.push(...templates.splice(-1));
    line += newlinesOf(scanner.getTokenText()).length;
    if (token > SyntaxKind.NonTextFileMarkerTrivia) before = token;
  }
  return texts;
}

function goOn(template: Template, token: SyntaxKind, value: string): void {
  if (token === SyntaxKind.OpenBraceToken) template.braces += 1;
  if (token === SyntaxKind.CloseBraceToken) template.braces -= 1;
  if (token === SyntaxKind.TemplateMiddle || token === SyntaxKind.TemplateTail) template.text += CODE + value;
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
