/** The ways to use the package that README promises: each begins in an empty folder, does what README says, and runs a job. */

import type { Project } from './project.js';
import { cell, classProgram, documentsFile, firstProgram, installation, nestModule, promised, tsconfig } from './readme.js';

type SetUp = (project: Project) => void;

export const SET_UPS: Readonly<Record<string, SetUp>> = {
  npm(project) {
    begin(project);
    runsBothPrograms(project, 'npx');
  },

  pnpm(project) {
    const pnpm = 'npx --yes pnpm@12.21.0';
    project.run('npm init -y && npm pkg set type=module');
    for (const added of ['add millrace', '--save-dev']) project.install(cell('pnpm', added).replace('pnpm', pnpm));
    runsBothPrograms(project, `${pnpm} exec`);
  },

  'typescript-5.9': (project) => compilesAndRuns(project, '5.9.3'),
  'typescript-6': (project) => compilesAndRuns(project, '6.0.3'),
  'typescript-7': (project) => compilesAndRuns(project, '7.0.2'),

  vitest(project) {
    begin(project);
    project.install('npm install --save-dev vitest');
    project.write({ 'documents.ts': documentsFile() });
    project.copy('vitest');
    project.run('npx tsc --noEmit');
    project.run('npx vitest run');
  },

  'jest-esm'(project) {
    const tool = 'Jest, ES modules';
    begin(project);
    project.install(cell(tool, 'npm install'));
    project.write({ 'documents.ts': documentsFile(), 'jest.config.js': cell(tool, 'export default') });
    project.copy('jest-esm');
    project.run(`npm pkg set scripts.test='${cell(tool, 'NODE_OPTIONS')}'`);
    project.run('npm test');
  },

  'jest-commonjs'(project) {
    begin(project);
    project.run('npm pkg set type=commonjs');
    project.install(cell('Jest, ES modules', 'npm install'));
    project.write({ 'documents.ts': documentsFile(), 'jest.config.js': cell('Jest, CommonJS', 'module.exports') });
    project.copy('jest-commonjs');
    project.run('npx jest');
  },

  commonjs(project) {
    begin(project);
    project.run('npm pkg set type=commonjs');
    const imports = "const { Container } = require('inversify');\nconst { asyncModule, memoryStore, start, task } = require('millrace');";
    const program = firstProgram().replace(/^import[\s\S]*?from 'millrace';/, '');
    const types = program.replaceAll(': string', '');
    project.write({
      'first.js': `${imports}\nasync function main() {${types}}\nmain();\n`,
      'typed.ts': `${/^import[\s\S]*?from 'millrace';/.exec(firstProgram())?.[0]}\nasync function main(): Promise<void> {${program}}\nvoid main();\n`,
    });
    project.prints(promised(program), 'node first.js');
    project.run('npx tsc --outDir built --rootDir .');
    project.prints(promised(program), 'node built/typed.js');
  },

  nestjs(project) {
    begin(project);
    project.install('npm install @nestjs/core @nestjs/common');
    project.write({ 'documents.ts': documentsFile(), 'jobs-module.ts': nestModule() });
    project.copy('nestjs');
    project.run('npx tsc --noEmit --skipLibCheck');
    project.prints('inbox/foo\nstopped\n', 'npx tsx main.ts');
    project.run('npx tsc --skipLibCheck --emitDecoratorMetadata --outDir built --rootDir .');
    project.prints('inbox/foo\nstopped\n', 'node built/main.js');
  },
};

/** The first steps of README. */
function begin(project: Project): void {
  const [first = '', ...others] = installation();
  project.run(first);
  for (const line of others) project.install(line);
  project.write({ 'tsconfig.json': tsconfig() });
}

function runsBothPrograms(project: Project, runner: string): void {
  project.write({ 'tsconfig.json': tsconfig(), 'first.ts': firstProgram(), 'class.ts': classProgram() });
  project.prints(promised(firstProgram()), `${runner} tsx first.ts`);
  project.prints(promised(classProgram()), `${runner} tsx class.ts`);
  project.run(`${runner} tsc --noEmit`);
}

/** Builds the programs by a compiler, and runs what it wrote. */
function compilesAndRuns(project: Project, version: string): void {
  begin(project);
  project.run(`npm install --silent --save-dev typescript@${version}`);
  project.write({ 'first.ts': firstProgram(), 'class.ts': classProgram() });
  project.run('npx tsc --outDir built --rootDir .');
  project.prints(promised(firstProgram()), 'node built/first.js');
  project.prints(promised(classProgram()), 'node built/class.js');
  typesHold(project);
}

/** The declarations compile whole, whichever way modules are resolved, without `@types/node` as far as the peers need none. */
function typesHold(project: Project): void {
  project.write({ 'every.ts': EVERY_SUBPATH });
  const options = '--noEmit --strict --target es2022 --experimentalDecorators --skipLibCheck false';
  const ways = ['node16 node16', 'nodenext nodenext', 'esnext bundler'];
  const resolutions = ways
    .map((way) => way.split(' '))
    .map(([module, resolution]) => `--module ${module} --moduleResolution ${resolution}`);
  for (const resolution of resolutions) compileEvery(project, `${options} --lib es2022,dom ${resolution}`, '[]');
  project.install('npm install mongodb');
  project.write({ 'every.ts': `${EVERY_SUBPATH}\nexport * as mongo from 'millrace/mongo';\n` });
  compileEvery(project, `${options} --lib es2022 --module nodenext`, '["node"]');
}

const EVERY_SUBPATH = `import { currentTask } from 'millrace';
export * as millrace from 'millrace';
export * as testing from 'millrace/testing';
export * as contract from 'millrace/testing/contract';
export const isAborted = (): boolean => currentTask().signal.aborted;
export const page = (url: string): unknown => ({ url, signal: currentTask().signal satisfies { readonly aborted: boolean } });
`;

function compileEvery(project: Project, options: string, types: string): void {
  project.write({ 'every.json': `{ "compilerOptions": { "types": ${types} }, "files": ["every.ts"] }` });
  project.run(`npx tsc -p every.json ${options}`);
}
