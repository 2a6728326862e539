/** The times an update may write: the server's clock, and the cluster's logical time. */

import type { Timestamp } from 'mongodb';

export interface UpdateTime {
  now(): Date;
  /** The next logical time. */
  timestamp(): Timestamp;
}
