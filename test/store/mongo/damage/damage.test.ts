/**
 * Damages documents field by field and type by type, as seeds draw it: one job alone suffers. `npm run test:damage` goes through a
 * thousand.
 */

import { afterAll, beforeAll, expect, it } from 'vitest';
import { Processes } from '../processes.js';
import { drawn } from './seeds.js';
import { DamagedDeployment } from './trial.js';

const count = Number(process.env['MILLRACE_DAMAGE'] ?? 12);
const first = Number(process.env['MILLRACE_DAMAGE_FIRST'] ?? 0);
const processes = await Processes.find();
let deployment: DamagedDeployment;

beforeAll(async () => {
  processes.useFreshDatabase('damage');
  deployment = new DamagedDeployment(processes);
  await deployment.start();
});

afterAll(() => processes.close());

it.each(Array.from({ length: count }, (_, index) => drawn(first + index)).map((seed) => [seed.title, seed] as const))(
  '%s',
  async (_title, seed) => {
    await expect(deployment.run(seed)).resolves.toBeUndefined();
  },
);
