/** Batches: nested, with a postprocess, extended while they run, stopped at a failure, and cancelled. */

import { Container, injectable } from 'inversify';
import { asyncModule, currentTask, IAsyncService, type Job, makeJob, parallel, serial, start, Task, task, tasks } from 'millrace';
import { openStore } from '../store.js';

const LINKS: Readonly<Record<string, readonly string[]>> = { home: ['news', 'about'], news: ['today'], about: [], today: [] };

const { store, close } = await openStore('millrace-batches');
const container = new Container();

@injectable()
class Site {
  /** Fetches a page, and adds those that it links to to the batch of which it is a step. */
  @Task({ quotas: [] })
  async fetch(page: string): Promise<string> {
    const { batch } = currentTask();
    const found = (LINKS[page] ?? []).map((link) => makeJob(site.fetch, link));
    if (batch !== undefined && found.length > 0) await async.extendBatch(batch, ...found);
    return page;
  }

  @Task({ quotas: [], failureLogLevel: 'none' })
  check(page: string): string {
    if (page === 'news') throw new Error('a dead link');
    return `${page} is fine`;
  }

  @Task({ quotas: [] })
  list(pages: readonly Job<unknown>[]): string {
    return pages.map(({ result, status }) => result ?? status).join(', ');
  }
}
const site = tasks(Site);
const hang = task('hang', { quotas: [] }, () => new Promise<void>((done) => currentTask().signal.addEventListener('abort', () => done())));

container.load(asyncModule({ store, tasks: [Site, hang] }));
await start(container);
const async = container.get(IAsyncService);

console.log('- Batches in a batch: steps one after another, and side by side. A postprocess makes the result.');
const nested = serial(
  makeJob(site.check, 'home'),
  parallel(makeJob(site.check, 'about'), makeJob(site.check, 'today')).postprocess(site.list),
);
console.log(await (await async.queueJob(nested.postprocess(site.list))).waitForResult());

console.log('- A batch that grows: each page adds those that it links to.');
const crawl = await async.queueSerialJobs(makeJob(site.fetch, 'home'));
console.log((await crawl.waitForResult()).map(({ result }) => result).join(', '));

console.log('- A failing step stops nothing, unless the batch says so.');
const pages = ['home', 'news', 'about'].map((page) => makeJob(site.check, page));
for (const onFailure of ['continue', 'stop', 'fail'] as const) {
  const batch = await async.queueJob(serial(...pages).with({ onFailure, failureLogLevel: 'none' }));
  const { status } = await batch.waitForOutcome();
  const steps = await async.getJobs({ task: site.check });
  const last = steps.slice(-pages.length).map((step) => step.status);
  console.log(`${onFailure}: ${status} with ${last.join(', ')}`);
}

console.log('- Cancelling a batch cancels its jobs, those that run included.');
const running = await async.queueParallelJobs(makeJob(hang), makeJob(hang));
await running.cancel('enough');
console.log((await running.waitForOutcome()).status);

await async.stop();
await close();

/* It prints:
- Batches in a batch: steps one after another, and side by side. A postprocess makes the result.
home is fine, about is fine, today is fine
- A batch that grows: each page adds those that it links to.
home, news, about, today
- A failing step stops nothing, unless the batch says so.
continue: completed with completed, failed, completed
stop: completed with completed, failed, cancelled
fail: failed with completed, failed, completed
- Cancelling a batch cancels its jobs, those that run included.
cancelled
*/
