/** Tenants, locales and traces: the metadata of jobs, and which of it the jobs inherit that come of a job. */

import { Container } from 'inversify';
import { asyncModule, callback, currentTask, IAsyncService, makeJob, OptionError, parallel, start, task } from 'millrace';
import { openStore } from '../store.js';

const { store, close } = await openStore('millrace-tenants');

const lines: string[] = [];
const render = task('render', { quotas: [] }, (invoice: string) => {
  const { tenant, locale, trace = 'none' } = currentTask().metadata;
  lines.push(`${tenant}: ${invoice} in ${locale}, trace: ${trace}`);
  return `${invoice}.pdf`;
});
const report = task('report', { quotas: [] }, (_: unknown, month: string) => {
  lines.push(`${currentTask().metadata['tenant']}: ${month} is done`);
});
// A task can return a draft, which then stands in its place.
const invoices = task('invoices', { quotas: [] }, (month: string) => {
  const french = makeJob(render, `${month}-2`).with({ metadata: { locale: 'fr', trace: 'b2' } });
  return parallel(makeJob(render, `${month}-1`), french).withCallback(callback(report, month));
});

const container = new Container();
container.load(asyncModule({ store, tasks: [render, report, invoices], inheritMetadata: ['tenant', 'locale'] }));
await start(container);
const async = container.get(IAsyncService);

console.log('- A job has metadata: its task, and everybody who looks at the job, can read it.');
const metadata = { tenant: 'acme', locale: 'de', trace: 'a1' } as const;
const job = await async.queueJob(makeJob(invoices, 'may').with({ metadata }));
console.log(job.metadata);

console.log('- The jobs that follow have the same tenant; their own locale counts first, and the trace is not passed on.');
await job.waitForResult();
for (const line of lines.sort()) console.log(line);

console.log('- The metadata of a job is small and flat.');
try {
  makeJob(render, 'june-1').with({ metadata: { $where: 'acme' } });
} catch (error) {
  console.log(error instanceof OptionError && error.message);
}

await async.stop();
await close();

/* It prints:
- A job has metadata: its task, and everybody who looks at the job, can read it.
{ tenant: 'acme', locale: 'de', trace: 'a1' }
- The jobs that follow have the same tenant; their own locale counts first, and the trace is not passed on.
acme: may is done
acme: may-1 in de, trace: none
acme: may-2 in fr, trace: b2
- The metadata of a job is small and flat.
`metadata` of `with` of render has the key "$where", but keys must have at most 64 letters, digits and `_.:/-`, and begin with a letter
*/
