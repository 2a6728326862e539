/** The contract of stores, as data: every promise of the port that can be seen from outside. */

import { again } from './again.js';
import { batchFailures } from './batch-failures.js';
import { batches } from './batches.js';
import { callbacks } from './callbacks.js';
import { cancelling } from './cancelling.js';
import { cancellingBatches } from './cancelling-batches.js';
import { circles } from './circles.js';
import { claiming } from './claiming.js';
import { controls } from './controls.js';
import { debouncing } from './debouncing.js';
import { extending } from './extending.js';
import { fencing } from './fencing.js';
import { finding } from './finding.js';
import { following } from './following.js';
import { insight } from './insight.js';
import { lateCallbacks } from './late-callbacks.js';
import { leases } from './leases.js';
import { queueing } from './queueing.js';
import { quotas } from './quotas.js';
import { rates } from './rates.js';
import { recovering } from './recovering.js';
import { restarting } from './restarting.js';
import { retrying } from './retrying.js';
import { ringing } from './ringing.js';
import { scheduling } from './scheduling.js';
import { sizes } from './sizes.js';
import type { StoreCase } from './store-case.js';
import { times } from './times.js';
import { transactional } from './transactional.js';
import { transactions } from './transactions.js';
import { uniqueKeys } from './unique-keys.js';
import { watching } from './watching.js';

export const storeContract: readonly StoreCase[] = [
  ...queueing,
  ...uniqueKeys,
  ...debouncing,
  ...claiming,
  ...fencing,
  ...sizes,
  ...again,
  ...retrying,
  ...quotas,
  ...rates,
  ...controls,
  ...scheduling,
  ...times,
  ...batches,
  ...batchFailures,
  ...extending,
  ...callbacks,
  ...lateCallbacks,
  ...cancelling,
  ...cancellingBatches,
  ...following,
  ...circles,
  ...leases,
  ...recovering,
  ...restarting,
  ...ringing,
  ...transactions,
  ...transactional,
  ...watching,
  ...finding,
  ...insight,
];
