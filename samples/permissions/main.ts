/** Jobs run as the user who queued them, with the roles that this user has when they run. */

import { Container } from 'inversify';
import { asyncModule, IAsyncService, makeJob, PrincipalResolver, start, UnauthorizedError } from 'millrace';
import { openStore } from '../store.js';
import { Site, site, Users } from './site.js';

const { store, close } = await openStore('millrace-permissions');
const users = new Users();
const container = new Container();
container.bind(PrincipalResolver).toConstantValue(users);
container.bind(Site).toSelf().inSingletonScope();
container.load(asyncModule({ store, tasks: [Site] }));
await start(container);
const async = container.get(IAsyncService);

const ann = { realm: 'staff', id: 'ann' };
users.add(ann, 'editor');

console.log('- Ann queues a job, in the middleware of a web framework; it runs as Ann, and its page belongs to Ann.');
const created = await async.runAs(ann, () => async.queueJob(site.create, '/ann', 'page'));
console.log(await created.waitForResult());

console.log('- Ann may not write in the root: the job fails and writes nothing.');
const refused = await async.runAs(ann, () => async.queueJob(site.create, '', 'page'));
await refused.waitForOutcome();
console.log(refused.status, '|', refused.error?.message, '|', container.get(Site).paths);

console.log('- Ann finds the page; the anonymous principal and a guest of the same name find nothing.');
const ask = () => async.queueJob(site.search, 'page');
const guest = { realm: 'guests', id: 'ann' };
users.add(guest);
for (const search of [await async.runAs(ann, ask), await ask(), await async.runAs(guest, ask)]) {
  const { realm, id } = search.snapshot.principal;
  console.log(`${realm}/${id}: ${await search.waitForResult()}`);
}

console.log('- A call that is known not to be allowed is refused when it is queued.');
try {
  await async.runAs({ ...guest, roles: [] }, () => async.queueJob(site.publish, '/ann/page'));
} catch (error) {
  console.log(error instanceof UnauthorizedError && error.message);
}

console.log('- Ann may publish; then Ann loses the role while a second job waits.');
await (await async.runAs(ann, () => async.queueJob(site.publish, '/ann/page'))).waitForResult();
const late = await async.runAs(ann, () => async.queueJob(makeJob(site.publish, '/ann/page').with({ delayMs: 200 })));
users.takeAway(ann, 'editor');
await late.waitForOutcome();
console.log(late.status, '|', late.error?.message);

console.log('- Ann is gone before the last job runs.');
const last = await async.runAs(ann, () => async.queueJob(makeJob(site.create, '/ann', 'more').with({ delayMs: 200 })));
users.remove(ann);
await last.waitForOutcome();
console.log(last.status, '|', last.error?.message, '|', container.get(Site).paths);

await async.stop();
await close();

/* It prints:
- Ann queues a job, in the middleware of a web framework; it runs as Ann, and its page belongs to Ann.
/ann/page, created by staff/ann
- Ann may not write in the root: the job fails and writes nothing.
failed | staff/ann may not write in the root | [ '/ann/page' ]
- Ann finds the page; the anonymous principal and a guest of the same name find nothing.
staff/ann: 1
millrace/anonymous: 0
guests/ann: 0
- A call that is known not to be allowed is refused when it is queued.
ann of guests may not run Site.publish, which requires `editor`
- Ann may publish; then Ann loses the role while a second job waits.
failed | ann of staff may not run Site.publish, which requires `editor`
- Ann is gone before the last job runs.
failed | ann of staff is gone or disabled: the PrincipalResolver does not return it | [ '/ann/page' ]
*/
