/**
 * The faults that a trial draws: commands are refused, not answered, done late, or sent to a primary that steps down; writes more often.
 */

import type { Document } from 'mongodb';
import type { StrikeOdds } from '../store/mongo/faults/random-strikes.js';

const SHARE_OF_WRITES = 0.06;
const SHARE_OF_READS = 0.02;

export const LOSSES: StrikeOdds = {
  times: 8,
  drawn: [
    'error before',
    'closed before',
    'closed before',
    'closed before',
    'answer lost',
    'answer lost',
    'answer lost',
    'answer lost',
    'answer lost',
    'rolled back',
    'applied late',
    'cut off',
    'rolled back',
  ],
  shareOf,
};

function shareOf(command: Document): number {
  return 'find' in command || 'aggregate' in command || 'getMore' in command ? SHARE_OF_READS : SHARE_OF_WRITES;
}
