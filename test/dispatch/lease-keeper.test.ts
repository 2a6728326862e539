import { firstValueFrom, NEVER, type Observable, of, switchMap, takeUntil, throwError, timer } from 'rxjs';
import { describe, expect, it, vi } from 'vitest';
import { type Clock, nextTurn } from '../../src/clock.js';
import { ConnectionMonitor } from '../../src/dispatch/connection-monitor.js';
import { LeaseKeeper, type LeaseKeeperSources, LeaseLost } from '../../src/dispatch/lease-keeper.js';
import { VirtualClock } from '../../src/testing/index.js';
import { silent } from '../support/silent.js';
import { answer, type Marbles, marbles, storeOf } from './marbles.js';

const e = { e: undefined };
const lost = new LeaseLost('the lease of the dispatcher is over');

/** The clock of a machine that sleeps for an hour, in which no timer moves on. */
function asleepAt({ clock }: Marbles, at: number): Clock {
  return { ...clock, now: () => clock.now() + (clock.now() < at ? 0 : 3_600_000) };
}

const unheard = new ConnectionMonitor({ onLost: () => {}, onBack: () => {} });

/** A lease of 60 frames whose heartbeats are answered as the test says, by the time they are asked at. */
function leaseWith(
  { clock }: Pick<Marbles, 'clock'>,
  reply: (at: number) => Observable<boolean>,
  times: Partial<LeaseKeeperSources> & { readonly leaseMs: number; readonly heartbeatMs: number } = { leaseMs: 60, heartbeatMs: 10 },
) {
  const asked: number[] = [];
  const store = storeOf({
    heartbeat: () => {
      asked.push(clock.now());
      return answer(reply(clock.now()));
    },
  });
  const rest = {
    store,
    clock,
    logger: silent,
    connection: unheard,
    dispatcher: 'd',
    agents: [],
    idleHeartbeatMs: times.heartbeatMs,
    isBusy: () => true,
  };
  const lease = new LeaseKeeper({ ...rest, ...times });
  return { asked, lease, renewals: lease.renewals };
}

/** The same over a store that answers with promises. */
function realLease(sources: Pick<LeaseKeeperSources, 'store'> & Partial<LeaseKeeperSources>): Observable<void> {
  const times = { leaseMs: 60, heartbeatMs: 10, idleHeartbeatMs: 20, isBusy: () => true };
  return new LeaseKeeper({
    clock: new VirtualClock(),
    logger: silent,
    connection: unheard,
    dispatcher: 'd',
    agents: [],
    ...times,
    ...sources,
  }).renewals;
}

const yes = of(true);
const failure = throwError(() => new Error('the store cannot be reached'));

describe('lease', () => {
  it('is renewed at once, and then with every heartbeat', () => {
    marbles((helpers) => {
      const { asked, renewals } = leaseWith(helpers, () => yes);
      helpers.expectObservable(renewals, '^ 25ms !').toBe('e 9ms e 9ms e', e);
      helpers.flush();
      expect(asked).toEqual([0, 10, 20]);
    });
  });

  it('asks the store for nothing before it is subscribed to', () => {
    marbles((helpers) => {
      const { asked } = leaseWith(helpers, () => yes);
      expect(asked).toEqual([]);
    });
  });

  it('names the dispatcher, the length of the lease and its agents', () => {
    const heartbeat = vi.fn(() => Promise.resolve(true));
    const agents = [{ queue: '', taskVersions: ['f'], concurrency: 1 }];
    const subscription = realLease({ store: storeOf({ heartbeat }), dispatcher: 'd-7', agents }).subscribe();
    expect(heartbeat).toHaveBeenCalledWith('d-7', 60, agents);
    subscription.unsubscribe();
  });

  it('is lost when the store refuses to renew it', () => {
    marbles((helpers) => {
      const { renewals } = leaseWith(helpers, (at) => of(at < 20));
      helpers.expectObservable(renewals).toBe('e 9ms e 9ms #', e, lost);
    });
  });

  it('is kept while a heartbeat succeeds before five sixths of it are over', () => {
    marbles((helpers) => {
      const { renewals } = leaseWith(helpers, (at) => (at > 0 && at < 40 ? failure : yes));
      helpers.expectObservable(renewals, '^ 65ms !').toBe('e 39ms e 9ms e 9ms e', e);
    });
  });

  it('is lost when it could not be renewed in time and the last try fails as well', () => {
    marbles((helpers) => {
      const { renewals } = leaseWith(helpers, (at) => (at === 0 ? yes : failure));
      helpers.expectObservable(renewals).toBe('e 49ms #', e, lost);
    });
  });

  it('asks the store afresh for its last try', () => {
    marbles((helpers) => {
      const { asked, renewals } = leaseWith(helpers, (at) => (at === 0 ? yes : failure), { leaseMs: 66, heartbeatMs: 10 });
      helpers.expectObservable(renewals).toBe('e 54ms #', e, lost);
      helpers.flush();
      expect(asked).toContain(55);
    });
  });

  it('goes on when the last try works', () => {
    marbles((helpers) => {
      const works = (at: number) => (at === 0 || at === 55 || at >= 80 ? yes : failure);
      const { renewals } = leaseWith(helpers, works, { leaseMs: 66, heartbeatMs: 10 });
      helpers.expectObservable(renewals, '^ 95ms !').toBe('e 54ms e 24ms e 9ms e', e);
    });
  });

  it('is lost when the last try works, but nothing after it', () => {
    marbles((helpers) => {
      const works = (at: number) => (at === 0 || at === 55 ? yes : failure);
      const { renewals } = leaseWith(helpers, works, { leaseMs: 66, heartbeatMs: 10 });
      helpers.expectObservable(renewals).toBe('e 54ms e 54ms #', e, lost);
    });
  });

  it('is lost when the store refuses the last try', () => {
    marbles((helpers) => {
      const { renewals } = leaseWith(helpers, (at) => (at === 0 ? yes : at === 55 ? of(false) : failure), { leaseMs: 66, heartbeatMs: 10 });
      helpers.expectObservable(renewals).toBe('e 54ms #', e, lost);
    });
  });

  it('is lost before it is over when the store does not answer at all', () => {
    marbles((helpers) => {
      const { renewals } = leaseWith(helpers, (at) => (at === 0 ? yes : NEVER));
      const ends: number[] = [];
      renewals.pipe(takeUntil(timer(200, helpers.clock.scheduler))).subscribe({ error: () => ends.push(helpers.clock.now()) });
      helpers.flush();
      expect(ends).toHaveLength(1);
      expect(ends[0]).toBeLessThanOrEqual(60);
    });
  });

  it('is lost before it is over when the store does not answer at all, however rare its heartbeats are', () => {
    marbles((helpers) => {
      const { renewals } = leaseWith(helpers, (at) => (at === 0 ? yes : NEVER), { leaseMs: 60, heartbeatMs: 40 });
      const ends: number[] = [];
      renewals.pipe(takeUntil(timer(200, helpers.clock.scheduler))).subscribe({ error: () => ends.push(helpers.clock.now()) });
      helpers.flush();
      expect(ends).toHaveLength(1);
      expect(ends[0]).toBeLessThanOrEqual(60);
    });
  });

  it('goes on by its last try when an earlier heartbeat is never answered', () => {
    marbles((helpers) => {
      const { renewals } = leaseWith(helpers, (at) => (at === 10 ? NEVER : yes), { leaseMs: 66, heartbeatMs: 10 });
      helpers.expectObservable(renewals, '^ 75ms !').toBe('e 54ms e', e);
    });
  });

  it('has one heartbeat under way at a time', () => {
    marbles((helpers) => {
      const { asked, renewals } = leaseWith(helpers, () => helpers.cold('---------------(t|)', { t: true }));
      helpers.expectObservable(renewals, '^ 39ms !').toBe('15ms e 14ms e', e);
      helpers.flush();
      expect(asked).toEqual([0, 15, 30]);
    });
  });

  it('counts from the sending of the heartbeat, however late its answer is', () => {
    marbles((helpers) => {
      const { renewals } = leaseWith(helpers, (at) => (at === 0 ? helpers.cold('30ms (t|)', { t: true }) : failure));
      helpers.expectObservable(renewals).toBe('30ms e 19ms #', e, lost);
    });
  });

  it('is not shortened by an answer that comes after that to a later heartbeat', () => {
    marbles((helpers) => {
      const late = helpers.cold('45ms (t|)', { t: true });
      const { renewals } = leaseWith(helpers, (at) => (at === 10 ? late : at === 0 || at === 50 ? yes : failure));
      helpers.expectObservable(renewals).toBe('e 49ms e 49ms #', e, lost);
    });
  });

  it('is given rarer signs of life while there is nothing to do, and soon more when there is', () => {
    marbles((helpers) => {
      const isBusy = () => helpers.clock.now() >= 45 && helpers.clock.now() < 65;
      const { asked, renewals } = leaseWith(helpers, () => yes, { leaseMs: 60, heartbeatMs: 10, idleHeartbeatMs: 20, isBusy });
      helpers.expectObservable(renewals, '^ 105ms !').toBe('e 19ms e 19ms e 9ms e 9ms e 19ms e 19ms e', e);
      helpers.flush();
      expect(asked).toEqual([0, 20, 40, 50, 60, 80, 100]);
    });
  });

  it('that is over by the clock, as after a sleep of the machine, is lost with the next beat if it cannot be renewed', () => {
    marbles((helpers) => {
      const { renewals } = leaseWith({ clock: asleepAt(helpers, 15) }, (at) => (at === 0 ? yes : failure));
      helpers.expectObservable(renewals).toBe('e 19ms #', e, lost);
    });
  });

  it('that is over by the clock lets nothing begin before it has been renewed', () => {
    marbles((helpers) => {
      const { lease, renewals } = leaseWith({ clock: asleepAt(helpers, 15) }, () => helpers.cold('--(t|)', { t: true }));
      const confirmed = timer(5, helpers.clock.scheduler).pipe(switchMap(() => lease.confirmed()));
      const afterSleep = timer(16, helpers.clock.scheduler).pipe(switchMap(() => lease.confirmed()));
      renewals.pipe(takeUntil(timer(30, helpers.clock.scheduler))).subscribe();
      helpers.expectObservable(confirmed).toBe('5ms (e|)', e);
      helpers.expectObservable(afterSleep).toBe('18ms (e|)', e);
    });
  });

  it('goes on trying when not even the first heartbeat works', () => {
    marbles((helpers) => {
      const { renewals } = leaseWith(helpers, (at) => (at < 200 ? failure : yes));
      helpers.expectObservable(renewals, '^ 205ms !').toBe('200ms e', e);
    });
  });

  it('leaves no rejection unhandled when the store cannot be reached', async () => {
    const clock = new VirtualClock();
    const store = storeOf({ heartbeat: () => Promise.reject(new Error('the store cannot be reached')) });
    const warn = vi.fn();
    const subscription = realLease({ store, clock, logger: { ...silent, warn } }).subscribe();
    await firstValueFrom(nextTurn());
    await firstValueFrom(nextTurn());
    subscription.unsubscribe();
    expect(warn).toHaveBeenCalledWith('a heartbeat of d failed', expect.anything());
  });

  it('leaves no timer when it is unsubscribed from', async () => {
    const clock = new VirtualClock();
    const store = storeOf({ heartbeat: () => Promise.resolve(true) });
    const renewals = realLease({ store, clock });
    const subscription = renewals.subscribe();
    await firstValueFrom(nextTurn());
    expect(clock.scheduler.actions.length).toBeGreaterThan(0);
    subscription.unsubscribe();
    expect(clock.scheduler.actions).toHaveLength(0);
  });
});
