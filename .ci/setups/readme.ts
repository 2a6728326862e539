/** The parts of README that a reader copies, as the files and commands that they become. */

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

const README = readFileSync(resolve(import.meta.dirname, '../../README.md'), 'utf8');

/** The first block of a language that contains some text. */
function block(language: string, text: string): string {
  const blocks = [...README.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(([, code = '']) => code);
  return found(
    blocks.find((code) => code.includes(text)),
    `a block of ${language} with \`${text}\``,
  );
}

/** The piece of code in the row of a tool that contains some text. */
export function cell(tool: string, text: string): string {
  const row = found(
    README.split('\n').find((line) => line.startsWith(`| ${tool} |`)),
    `a row for ${tool}`,
  );
  const pieces = [...row.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);
  return found(
    pieces.find((code) => code.includes(text)),
    `\`${text}\` for ${tool}`,
  );
}

export const installation = (): readonly string[] => block('sh', 'npm install').trim().split('\n');
export const tsconfig = (): string => block('json', 'compilerOptions');
export const firstProgram = (): string => block('ts', "task('greet'");
export const classProgram = (): string => block('ts', 'tasks(Documents)');
export const nestModule = (): string => block('ts', '@nestjs/common');

/** The class of README's program in a file of its own, without the rest of the program. */
export function documentsFile(): string {
  const [, body = ''] = /^(@injectable\(\)[\s\S]*?tasks\(Documents\);)/m.exec(classProgram()) ?? [];
  return [
    "import { injectable } from 'inversify';",
    "import { Task, tasks } from 'millrace';",
    body.replace('class Documents', 'export class Documents').replace('const documents', 'export const documents'),
    '',
  ].join('\n');
}

/** The lines that a program of README promises to print. */
export function promised(program: string): string {
  return [...program.matchAll(/console\.log\(.*\); \/\/ (.*)/g)].map(([, text]) => `${text}\n`).join('');
}

function found(value: string | undefined, what: string): string {
  if (value === undefined) throw new Error(`README has not got ${what}: change it, or the set-up that reads it`);
  return value;
}
