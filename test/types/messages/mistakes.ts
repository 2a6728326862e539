/** The commonest mistakes, each under a comment that names it; none of this compiles. */

import { injectable } from 'inversify';
import { asyncModule, callback, type IAsyncService, type Job, makeJob, memoryStore, parallel, Task, task } from 'millrace';
import { addNumbers, Documents, documents, mails } from './service.js';

declare const async: IAsyncService;
class Customer {
  rename(): void {}
}

const draft = makeJob(documents.create, 'inbox', 'bar', 'A title');
const sum = makeJob(addNumbers, 40, 2);
const join = task('join', (jobs: [Job<number>, Job<string>]) => jobs.length);

// misspells a method
makeJob(documents.creat, 'inbox', 'bar', 'A title');

// uses a private method
makeJob(documents.secret);

// gives a wrong argument
makeJob(documents.create, 'inbox', 7, 'A title');

// gives a wrong argument to queueJob
void async.queueJob(documents.create, 'inbox', 7, 'A title');

// gives too few arguments
makeJob(documents.create, 'inbox', 'bar');

// gives too many arguments to queueJob
void async.queueJob(addNumbers, 40, 2, 1);

// gives a function as an argument
makeJob(
  task('each', (_onRow: () => void) => 1),
  () => {},
);

// gives an instance of a class as an argument
makeJob(
  task('charge', (_customer: Customer) => 1),
  new Customer(),
);

// queues a plain function
void async.queueJob((x: number) => x, 1);

// queues the method of the class
void async.queueJob(Documents.prototype.create, 'inbox', 'bar', 'A title');

// queues a name
void async.queueJob('Documents.create');

// queues a service class
void async.queueJob(Documents);

// misspells an option of a draft
draft.with({ priorty: 2 });

// puts a function into a policy of one job
draft.with({ retry: { delayMs: (attempt: number) => attempt } });

// calls back with another result
sum.withCallbacks({ success: mails.created });

// forgets the rest of a callback
draft.withCallbacks({ failure: mails.failed });

// forgets an argument of callback(…)
callback(mails.failed);

// postprocesses other jobs
parallel(draft, sum).postprocess(join);

// makes a batch of a task
parallel(documents.count);

// adds callbacks to a draft
draft.addCallbacks({ success: mails.created });

// registers the tasks in place of the class
asyncModule({ store: memoryStore(), tasks: [documents] });

// calls a task value
void documents.create('inbox', 'bar', 'A title');

@injectable()
export class Misdecorated {
  // forgets the parentheses
  @Task
  uncalled(): void {}

  // misspells an option of @Task
  @Task({ timeoutMS: 5 })
  misspelled(): void {}

  // decorates a static method
  @Task()
  static ofClass(): void {}

  // decorates a field
  @Task()
  field = 1;
}

// decorates a class without run
@Task()
export class WithoutRun {
  work(): void {}
}

// takes a draft for its result
const early: string = makeJob(documents.create, 'inbox', 'bar', 'A title');
void early;
