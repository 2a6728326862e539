/** Random programs on both stores: what becomes of them is what they mean. */

import { expect, it } from 'vitest';
import { onBothStores } from '../support/both-stores.js';
import { randomProgram } from './author.js';
import { type Performance, perform } from './performance.js';
import { printed } from './printed.js';
import { complaintsOf } from './verdict.js';

const SEEDS = {
  memory: Number(process.env['MILLRACE_SEEDS'] ?? 20),
  MongoDB: Number(process.env['MILLRACE_MONGO_SEEDS'] ?? 3),
};

onBothStores((stage, store) => {
  it.each(Array.from({ length: SEEDS[store] }, (_, index) => index + 1))(
    'a random program becomes what it means, under seed %i',
    { timeout: 60_000 },
    async (seed) => {
      const program = randomProgram(seed);
      const complaints = await perform(stage, program).then(
        (performance) => [...complaintsOf(program, performance), ...restlessIn(performance)],
        (error: unknown) => [String(error)],
      );
      expect(complaints, printed(program)).toEqual([]);
    },
  );
});

function restlessIn({ journal }: Performance): readonly string[] {
  return [...journal.restless].map((number) => `process ${number} looks for work without end`);
}
