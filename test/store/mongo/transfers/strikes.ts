/** The faults that a trial draws: commands of transactions are struck more often than others, commits most often. */

import type { Document } from 'mongodb';
import type { StrikeOdds } from '../faults/random-strikes.js';

const SHARE_OF_COMMITS = 0.2;
const SHARE_IN_TRANSACTIONS = 0.06;
const SHARE_ELSEWHERE = 0.02;

export const STRIKES: StrikeOdds = {
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
    'applied late',
    'applied late',
    'frozen',
    'cut off',
    'cut off',
    'rolled back',
    'rolled back',
  ],
  shareOf,
};

function shareOf({ autocommit, commitTransaction }: Document): number {
  if (commitTransaction !== undefined) return SHARE_OF_COMMITS;
  return autocommit === false ? SHARE_IN_TRANSACTIONS : SHARE_ELSEWHERE;
}
