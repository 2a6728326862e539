/** The contract of stores, as data: every promise of the port that can be seen from outside. */

import { again } from './again.js';
import { claiming } from './claiming.js';
import { fencing } from './fencing.js';
import { queueing } from './queueing.js';
import { quotas } from './quotas.js';
import type { StoreCase } from './store-case.js';
import { times } from './times.js';

export const storeContract: readonly StoreCase[] = [...queueing, ...claiming, ...fencing, ...again, ...quotas, ...times];
