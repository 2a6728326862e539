/** The statuses of a job, and the one table of moves between them. */

/** The statuses in which a job stays for good. */
export const FINAL = ['completed', 'failed', 'cancelled'] as const;
/** The statuses in which a job has not been taken by a dispatcher. */
export const WAITING = ['scheduled', 'blocked', 'pending'] as const;
/** The statuses of a job that has not ended, its callbacks included. */
export const OPEN = [...WAITING, 'assigned', 'active', 'callbacks'] as const;

export type FinalStatus = (typeof FINAL)[number];
export type Status = (typeof OPEN)[number] | FinalStatus;

/** The meaning of each status, in the order of a job's life. */
export const STATUSES: Readonly<Record<Status, string>> = Object.freeze({
  scheduled: 'its time has not come',
  blocked: 'waits for an earlier step of its batch or, a callback, for its job',
  pending: 'may be claimed',
  assigned: 'claimed ahead, not known to have started',
  active:
    'started, or claimed to start at once; of a batch, its children are under way; of a job that returned a job, it waits for that one',
  callbacks: 'the work is over and the outcome stored; its callbacks are running, or those of steps of a batch that never began',
  completed: 'ended with a result',
  failed: 'ended with an error',
  cancelled: 'ended because somebody asked for it',
});

interface Move {
  readonly from: readonly Status[];
  readonly to: readonly Status[];
  readonly when: string;
}

/**
 * Every write of a store to a job's status is one of these; an insert and the repair of a damaged record write a whole job instead.
 * `docs/states.md` is generated from here.
 */
export const MOVES = Object.freeze({
  promote: { from: ['scheduled'], to: ['pending'], when: 'its time has come' },
  unblock: { from: ['blocked'], to: ['pending', 'scheduled'], when: 'it is its turn: the jobs that it waited for have ended' },
  claim: { from: ['pending'], to: ['active'], when: 'a dispatcher with room for it takes it' },
  claimAhead: {
    from: ['pending', 'blocked'],
    to: ['assigned'],
    when: 'a dispatcher takes it for a moment later, or as soon as it is its turn',
  },
  begin: { from: ['assigned'], to: ['active'], when: 'the dispatcher starts the job that it had claimed ahead' },
  handBack: { from: ['assigned', 'active'], to: ['pending'], when: 'the dispatcher stops before it has begun' },
  rerun: { from: ['active'], to: ['active'], when: 'an attempt failed and the policy wants the next at once' },
  retryLater: {
    from: ['active'],
    to: ['scheduled', 'pending'],
    when: 'an attempt failed, or asked, and the next comes later, or is paused',
  },
  interrupt: { from: ['active'], to: ['pending', 'scheduled'], when: 'its process stopped, died or lost its lease' },
  follow: { from: ['active'], to: ['active'], when: 'the task returned another job, whose outcome it takes' },
  end: { from: ['assigned', 'active'], to: ['callbacks', ...FINAL], when: 'the work is over: it has its outcome' },
  cancel: { from: WAITING, to: ['callbacks', 'cancelled'], when: 'it was cancelled before its start' },
  expire: { from: WAITING, to: ['callbacks', 'failed'], when: 'it was not started by its `beginBy`' },
  pass: { from: ['blocked'], to: ['callbacks', ...FINAL], when: 'a callback without the side that is needed: takes the outcome over' },
  finish: { from: ['callbacks'], to: FINAL, when: 'its last callback has ended, with everything below it' },
} as const satisfies Record<string, Move>);

export type MoveName = keyof typeof MOVES;

/** The statuses to which a move leads. */
export type Target<M extends MoveName> = (typeof MOVES)[M]['to'][number];

export function isFinal(status: Status): status is FinalStatus {
  return (FINAL as readonly Status[]).includes(status);
}

export function isWaiting(status: Status): boolean {
  return (WAITING as readonly Status[]).includes(status);
}

/**
 * Refuses a move that is not in the table.
 * @param names - the moves of which one has to lead there
 * @throws Error for a defect of the store that asks
 */
export function checkMove(names: readonly MoveName[], from: Status, to: Status): void {
  if (names.map((name): Move => MOVES[name]).some((move) => move.from.includes(from) && move.to.includes(to))) return;
  throw new Error(`no move '${names.join("' or '")}' leads from ${from} to ${to}`);
}
