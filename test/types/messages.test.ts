/** The compiler's messages for common mistakes: they are short and name what is wrong. */

import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';

const PROGRAM = join(import.meta.dirname, 'messages');
const MAX_LINES = 10;
const MAX_WIDTH = 230;

/** The first lines of each message, by the comment above the mistake. */
const MESSAGES: Readonly<Record<string, readonly string[]>> = {
  'misspells a method': ["Property 'creat' does not exist on type 'TasksOf<Documents>'. Did you mean 'create'?"],
  'uses a private method': ["Property 'secret' does not exist on type 'TasksOf<Documents>'."],
  'gives a wrong argument': ["Argument of type 'number' is not assignable to parameter of type 'string'."],
  'gives a wrong argument to queueJob': ["Argument of type 'number' is not assignable to parameter of type 'string'."],
  'gives too few arguments': ['Expected 4 arguments, but got 3.'],
  'gives too many arguments to queueJob': ['Expected 3 arguments, but got 4.'],
  'gives a function as an argument': [
    "Argument of type '() => void' is not assignable to parameter of type '\"a function cannot be an argument of a job\"'.",
  ],
  'gives an instance of a class as an argument': [
    "Argument of type 'Customer' is not assignable to parameter of type '\"an instance of a class, or an object with methods, cannot be an argument of a job\"'.",
  ],
  'queues a plain function': ["Argument of type '(x: number) => number' is not assignable to parameter of type 'Queueable'."],
  'queues the method of the class': [
    "Argument of type '(folder: string, id: string, title: string) => Promise<string>' is not assignable to parameter of type 'Queueable'.",
  ],
  'queues a name': ["Argument of type 'string' is not assignable to parameter of type 'Queueable'."],
  'queues a service class': [
    "Argument of type 'typeof Documents' is not assignable to parameter of type 'Queueable'.",
    "Type 'typeof Documents' is not assignable to type 'TaskClass<AnyFunction>'.",
    "Property 'run' is missing in type 'Documents' but required in type '{ run: AnyFunction; }'.",
  ],
  'misspells an option of a draft': [
    "Object literal may only specify known properties, but 'priorty' does not exist in type 'JobOptions'. Did you mean to write 'priority'?",
  ],
  'puts a function into a policy of one job': [
    "Type '(attempt: number) => number' is not assignable to type 'number | Backoff | undefined'.",
  ],
  'calls back with another result': [
    "Type 'Task<(_id: string) => void>' is not assignable to type 'CallbackFor<number>'.",
    "Type 'Task<(_id: string) => void>' is not assignable to type 'Task<(value: number) => unknown>'.",
  ],
  'forgets the rest of a callback': [
    "Type 'Task<(_error: StoredError, _to: string) => void>' is not assignable to type 'CallbackFor<StoredError>'.",
    "Type 'Task<(_error: StoredError, _to: string) => void>' is not assignable to type 'Task<(value: StoredError) => unknown>'.",
    "Type '(_error: StoredError, _to: string) => void' is not assignable to type '(value: StoredError) => unknown'.",
    'Target signature provides too few arguments. Expected 2 or more, but got 1.',
  ],
  'forgets an argument of callback(…)': ['Expected 2 arguments, but got 1.'],
  'postprocesses other jobs': [
    "Argument of type 'FunctionTask<(jobs: [Job<number>, Job<string>]) => 2>' is not assignable to parameter of type 'Callback<[Job<string>, Job<number>], unknown> | TaskLike<(jobs: [Job<string>, Job<number>]) => unknown>'.",
  ],
  'makes a batch of a task': [
    "Type 'Task<() => number>' is missing the following properties from type 'Draft<unknown>': with, withCallback, withCallbacks, [result]",
  ],
  'adds callbacks to a draft': ["Property 'addCallbacks' does not exist on type 'Draft<string>'."],
  'registers the tasks in place of the class': ["Type 'TasksOf<Documents>' is not assignable to type 'Class | TaskLike'."],
  'calls a task value': [
    'This expression is not callable.',
    "Type 'Task<(folder: string, id: string, title: string) => Promise<string>>' has no call signatures.",
  ],
  'forgets the parentheses': [
    "'Task' accepts too few arguments to be used as a decorator here. Did you mean to call it first and write '@Task()'?",
  ],
  'misspells an option of @Task': [
    "Object literal may only specify known properties, but 'timeoutMS' does not exist in type 'TaskOptions<never, never>'. Did you mean to write 'timeoutMs'?",
  ],
  'decorates a static method': [
    'Unable to resolve signature of method decorator when called as an expression.',
    'No overload matches this call.',
    'The last overload gave the following error.',
    "Argument of type 'typeof Misdecorated' is not assignable to parameter of type '\"a task is a method of instances, not a static one\"'.",
  ],
  'decorates a field': ['Unable to resolve signature of property decorator when called as an expression.'],
  'decorates a class without run': [
    'Unable to resolve signature of class decorator when called as an expression.',
    "Argument of type 'typeof WithoutRun' is not assignable to parameter of type 'Class<{ run(...args: never): unknown; }>'.",
    "Property 'run' is missing in type 'WithoutRun' but required in type '{ run(...args: never): unknown; }'.",
  ],
  'takes a draft for its result': ["Type 'Draft<string>' is not assignable to type 'string'."],
};

describe('a compiler message', () => {
  let messages: ReadonlyMap<string, readonly string[]>;

  beforeAll(async () => {
    messages = messagesByMistake(await compile(), await readFile(join(PROGRAM, 'mistakes.ts'), 'utf8'));
  }, 60_000);

  it.each(Object.entries(MESSAGES))('answers who %s', (mistake, lines) => {
    expect(messages.get(mistake)?.slice(0, lines.length)).toEqual(lines);
  });

  it('comes for every mistake, and for nothing else', () => {
    expect([...messages.keys()].sort()).toEqual(Object.keys(MESSAGES).sort());
  });

  it('fits on a few lines', () => {
    const long = [...messages].filter(([, lines]) => lines.length > MAX_LINES || lines.some((line) => line.length > MAX_WIDTH));
    expect(long).toEqual([]);
  });
});

/** The output of `tsc`, which has to fail. */
function compile(): Promise<string> {
  const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc');
  return new Promise((resolve) => {
    execFile(process.execPath, [tsc, '-p', PROGRAM, '--pretty', 'false'], (_error, stdout) => resolve(stdout));
  });
}

/** The lines of each message, under the comment that stands nearest above the place it names. */
function messagesByMistake(output: string, source: string): ReadonlyMap<string, readonly string[]> {
  const sourceLines = source.split('\n');
  const found = new Map<string, string[]>();
  let lines: string[] = [];
  for (const line of output.trimEnd().split('\n')) {
    const [, file, row, text = line.trim()] = /^(\S+)\((\d+),\d+\): error TS\d+: (.*)$/.exec(line.trimEnd()) ?? [];
    if (file !== undefined) {
      const mistake = file.endsWith('mistakes.ts') ? mistakeAbove(sourceLines, Number(row)) : file;
      lines = found.get(mistake) ?? [];
      found.set(mistake, lines);
    }
    lines.push(text);
  }
  return found;
}

function mistakeAbove(lines: readonly string[], row: number): string {
  const above = lines.slice(0, row).findLast((line) => line.trimStart().startsWith('// '));
  return above?.trim().slice('// '.length) ?? `line ${row}`;
}
