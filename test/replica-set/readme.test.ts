/** The README names everything the stand-in knows. */

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { commandNames } from './commands/command-table.js';
import { accumulatorNames } from './expressions/accumulators.js';
import { defineAllOperators } from './expressions/all-operators.js';
import { operatorNames } from './expressions/expression.js';
import { defineAllStages } from './pipeline/all-stages.js';
import { stageNames } from './pipeline/stage-registry.js';

defineAllOperators();
defineAllStages();

const readme = readFileSync(new URL('./README.md', import.meta.url), 'utf8');

it.each([
  ['Commands', commandNames()],
  ['Stages', [...stageNames(), '$changeStream']],
  ['Accumulators', accumulatorNames()],
  ['Expressions', operatorNames()],
])('lists all %s', (title, names) => {
  const line = readme.split('\n').find((text) => text.startsWith(`**${title}**`)) ?? '';
  const listed = [...line.matchAll(/`(\$?[a-zA-Z0-9]+)`/g)].map(([, name]) => name);
  expect(names.filter((name) => !listed.includes(name))).toEqual([]);
});
