/** A project in a folder of its own, as a user makes one: files, installed packages, commands. */

import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The versions that are installed where README names none, so that a run can be repeated. */
const VERSIONS: Readonly<Record<string, string>> = {
  inversify: '8.2.3',
  rxjs: '7.8.2',
  'reflect-metadata': '0.2.2',
  mongodb: '7.9.0',
  typescript: '7.0.2',
  tsx: '4.23.15',
  '@types/node': '20.19.43',
  vitest: '4.1.12',
  jest: '30.5.2',
  '@swc/jest': '0.2.39',
  '@swc/core': '1.15.11',
  '@nestjs/core': '12.5.1',
  '@nestjs/common': '12.5.1',
};

export class Project {
  constructor(
    private readonly folder: string,
    private readonly tarball: string,
  ) {
    mkdirSync(folder, { recursive: true });
  }

  write(files: Readonly<Record<string, string>>): void {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(this.folder, name)), { recursive: true });
      writeFileSync(join(this.folder, name), text);
    }
  }

  /** The files that no page shows, such as a test. */
  copy(project: string): void {
    const from = join(import.meta.dirname, 'projects', project);
    if (existsSync(from)) cpSync(from, this.folder, { recursive: true });
  }

  /** A line of README, with the tarball in place of `millrace` and a version for each other package. */
  install(line: string): void {
    const [head = '', ...words] = line.split(/ (?=(?:install|add) )/);
    const packages = words
      .join(' ')
      .split(' ')
      .map((word) => this.#exact(word));
    this.run([head, ...packages, ...(head.startsWith('npm') ? ['--silent', '--no-audit', '--no-fund'] : [])].join(' '));
  }

  /** @returns what it prints @throws with all of it, where it fails */
  run(command: string, env: NodeJS.ProcessEnv = {}): string {
    try {
      return execFileSync('sh', ['-c', command], { cwd: this.folder, encoding: 'utf8', stdio: 'pipe', env: { ...process.env, ...env } });
    } catch (error) {
      const { stdout = '', stderr = '' } = error as { readonly stdout?: string; readonly stderr?: string };
      throw new Error(`\`${command}\` failed:\n${stdout}${stderr}`);
    }
  }

  /** @throws where a command prints anything else */
  prints(expected: string, command: string): void {
    const printed = this.run(command);
    if (printed !== expected) throw new Error(`\`${command}\` printed:\n${printed}\nin place of:\n${expected}`);
  }

  #exact(word: string): string {
    if (word === 'millrace') return this.tarball;
    const version = VERSIONS[word];
    return version === undefined ? word : `${word}@${version}`;
  }
}
