/** Unique keys and rates: double clicks, work once in a while, bursts, and a service that may be called so often and no more. */

import { Container } from 'inversify';
import { asyncModule, IAsyncService, makeJob, start, task } from 'millrace';
import { openStore } from '../store.js';

const { store, close } = await openStore('millrace-unique-keys');

const render = task('render', { quotas: [], uniqueKey: (report) => report }, async (report: string) => `${report}.pdf`);
const index = task('index', { quotas: [], uniqueKey: (page) => page, debounceMs: 200 }, (page: string, text: string) => `${page}: ${text}`);
const greet = task('greet', { quotas: [] }, (name: string) => `hello ${name}`);

const call = task('call', { quotas: ['service'] }, () => Date.now());

const container = new Container();
// At most ten calls at a time, and three in any 500 ms, from all processes together.
const quotas = { default: 1, service: { size: 10, rate: { starts: 3, perMs: 500 } } };
container.load(asyncModule({ store, quotas, tasks: [render, index, greet, call] }));
await start(container);
const async = container.get(IAsyncService);

console.log('- A double click queues one job; both who asked have its result.');
const [one, two] = await Promise.all([async.queueJob(render, 'sales'), async.queueJob(render, 'sales')]);
console.log(one.id === two.id, one.isExisting || two.isExisting);
console.log(await one.waitForResult(), await two.waitForResult());

console.log('- When it has ended, the key is free.');
const next = await async.queueJob(render, 'sales');
console.log(next.isExisting, await next.waitForResult());

console.log('- At most once in a while: the key is taken for an hour.');
const hourly = { uniqueKey: 'ada', uniqueFor: 3_600_000 } as const;
const first = await async.queueJob(makeJob(greet, 'ada').with(hourly));
console.log(await first.waitForResult());
console.log((await async.queueJob(makeJob(greet, 'ada').with(hourly))).isExisting);

console.log('- A burst of changes is worked on once, when it is over, with the last of them.');
const changes = [];
for (const text of ['a', 'ab', 'abc']) changes.push(await async.queueJob(index, 'page', text));
console.log(new Set(changes.map(({ id }) => id)).size, await changes[0]?.waitForResult());

console.log('- Of seven calls, three begin at once, and three more when that is half a second ago.');
const calls = await async.queueJobs(Array.from({ length: 7 }, () => makeJob(call)));
const times = await Promise.all(calls.map((job) => job.waitForResult()));
const begun = [...times].sort((a, b) => a - b);
console.log(begun.slice(3).every((time, index) => time - (begun[index] ?? 0) > 450));

await async.stop();
await close();

/* It prints:
- A double click queues one job; both who asked have its result.
true true
sales.pdf sales.pdf
- When it has ended, the key is free.
false sales.pdf
- At most once in a while: the key is taken for an hour.
hello ada
true
- A burst of changes is worked on once, when it is over, with the last of them.
1 page: abc
- Of seven calls, three begin at once, and three more when that is half a second ago.
true
*/
