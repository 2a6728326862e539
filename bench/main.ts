/** `npm run bench [-- --json]`: what the figures in the README come from. */

import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { memoryFigures } from './memory-store.js';
import { mongoFigures } from './mongo-store.js';

const { values } = parseArgs({ options: { json: { type: 'boolean', default: false } } });
const figures = [...(await memoryFigures()), ...(await mongoFigures())];
if (values.json) for (const figure of figures) console.log(JSON.stringify(figure));
else {
  const table = new Table({ head: ['figure', 'value', 'unit'], colAligns: ['left', 'right', 'left'], style: { head: [] } });
  for (const { name, value, unit } of figures) table.push([name, value.toLocaleString('en-US'), unit]);
  console.log(table.toString());
}
