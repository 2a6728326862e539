/** Schedules whose expression is another than in the build before. */

import { expect, it } from 'vitest';
import { currentTask, makeJob, task } from '../../src/index.js';
import { onBothStores } from '../support/both-stores.js';

const HOUR = 3_600_000;

/** Builds of an application that differ in when something recurs; and at which times it has run, from the first of January. */
function builds() {
  const ran: string[] = [];
  const clean = task('clean', { quotas: [] }, () => {
    ran.push(currentTask().scheduledFor?.toISOString().slice(11, 16) ?? 'at no time');
  });
  const build = (every: string) => ({
    tasks: [clean],
    schedules: [{ every, timeZone: 'UTC', missed: 'all' as const, job: makeJob(clean) }],
  });
  return { ran, build };
}

onBothStores((stage) => {
  it('a schedule that is given another expression makes up for no time that it did not have before', async () => {
    const { ran, build } = builds();
    const first = await stage.start(build('0 0 2 1 *'));
    await first.drain();
    await first.stop();
    const idle = await stage.start({ dispatcher: false });
    await idle.advance(3.5 * HOUR);
    const second = await stage.start(build('0 * * * *'));
    await second.advance(2 * HOUR);
    expect(ran).toEqual(['04:00', '05:00']);
  });

  it('a schedule fires by an old build and a new one while they run beside one another, each time once', async () => {
    const { ran, build } = builds();
    const old = await stage.start(build('0 * * * *'));
    const young = await stage.start(build('0,20 * * * *'));
    await old.advance(2.5 * HOUR);
    await old.stop();
    await young.advance(HOUR);
    expect(ran).toEqual(['00:20', '01:00', '01:20', '02:00', '02:20', '03:00', '03:20']);
  });
});
