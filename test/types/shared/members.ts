/** Which members `tasks(Class)` gives, and what is a task at all. */

import { type FunctionTask, makeJob, type Task, type TasksOf, task, tasks } from 'millrace';
import { type Equal, holds } from './expect.js';
import { addNumbers, Circle, Documents, documents, RenderReport, Shape, Unrunnable } from './services.js';

export function methodsBecomeTasks(): void {
  holds<Equal<typeof documents, TasksOf<Documents>>>();
  holds<Equal<typeof documents.create, Task<(folder: string, id: string, title: string) => Promise<string>>>>();
  holds<Equal<typeof documents.create.taskName, string>>();
  holds<Equal<(typeof documents)['count'], Task<() => number>>>();
}

export function onlyPublicMethodsOfInstancesDo(): void {
  holds<Equal<keyof TasksOf<Documents>, 'create' | 'submit' | 'count' | 'helper'>>();
  // @ts-expect-error: there is no such method
  documents.creat;
  // @ts-expect-error: a private method
  documents.secret;
  // @ts-expect-error: a protected method
  documents.guarded;
  // @ts-expect-error: a #private method
  documents.hidden;
  // @ts-expect-error: a static method
  documents.parse;
  // @ts-expect-error: a field
  documents.title;
  // @ts-expect-error: an accessor
  documents.size;
  // @ts-expect-error: an optional method
  documents.optional;
  // @ts-expect-error: a method without a proper name cannot be one
  documents[Symbol.iterator];
  // @ts-expect-error: nor one that is named by a number
  documents[7];
  // @ts-expect-error: task values are not to be replaced
  documents.create = documents.submit as never;
}

export function taskValuesAreNoFunctions(): void {
  // @ts-expect-error: calling it would look like running it
  documents.create('inbox', 'bar', 'A title');
}

export function tasksWantsAClass(): void {
  // @ts-expect-error: an instance is none
  tasks(new Documents());
  // @ts-expect-error: a function is none
  tasks(() => 1);
  // @ts-expect-error: a function task is none
  tasks(addNumbers);
  // @ts-expect-error: a name is none
  tasks('Documents');
}

export function inheritedMethodsAreTasksToo(): void {
  const circles = tasks(Circle);
  holds<Equal<keyof typeof circles, 'area' | 'describe' | 'radius'>>();
  holds<Equal<typeof circles.area, Task<(unit: string) => number>>>();
  holds<Equal<typeof circles.describe, Task<(language: string, isLong?: boolean) => string>>>();
}

export function abstractClassesHaveTasks(): void {
  const shapes = tasks(Shape);
  holds<Equal<typeof shapes.describe, Task<(language: string) => string | number>>>();
}

export function functionTasksStayFunctions(): void {
  holds<Equal<typeof addNumbers, FunctionTask<(x: number, y: number) => number>>>();
  const sum: number = addNumbers(40, 2);
  holds<Equal<typeof sum, number>>();
  // @ts-expect-error: its arguments are checked as those of any function
  addNumbers(40, '2');
  task('named', { quotas: [], timeoutMs: 5 }, (x: number) => x);
}

export function functionTasksAreChecked(): void {
  // @ts-expect-error: a name is needed, jobs are stored under it
  task((x: number) => x);
  // @ts-expect-error: a function is needed
  task('addNumbers');
  // @ts-expect-error: not a function
  task('addNumbers', 'x + y');
  // @ts-expect-error: no such option
  task('addNumbers', { quotass: [] }, (x: number) => x);
  // @ts-expect-error: the name has been said already
  task('addNumbers', { name: 'sum' }, (x: number) => x);
}

export function taskClassesAreTasks(): void {
  makeJob(RenderReport, 'pdf');
  // @ts-expect-error: its `run` is protected
  makeJob(Unrunnable);
  // @ts-expect-error: it has no `run`
  makeJob(Documents);
}

export function plainFunctionsAreNoTasks(): void {
  // @ts-expect-error: `task(name, fn)` makes a task of it
  makeJob((x: number) => x, 1);
  // @ts-expect-error: nor is the method itself
  makeJob(Documents.prototype.create, 'inbox', 'bar', 'A title');
  // @ts-expect-error: nor a name
  makeJob('Documents.create', 'inbox', 'bar', 'A title');
}
