/** What `@Task` accepts and refuses with both kinds of decorators. */

import { exponential, Task } from 'millrace';

export class Accepted {
  @Task() plain(): void {}
  @Task({}) empty(): void {}
  @Task({ name: 'accepted', aliases: ['older'], quotas: ['reports'], timeoutMs: 5, retry: exponential() }) full(): void {}
  @Task({ quotas: { reports: 2 }, retry: { delayMs: (attempt) => attempt, retries: (error) => error instanceof TypeError } })
  weighted(_id: string): void {}
  @Task({ name: undefined, aliases: undefined, quotas: undefined, timeoutMs: undefined, retry: undefined }) absent(): void {}
  @Task() *steps(): Generator<number> {
    yield 1;
  }
}

@Task({ name: 'accepted-class' })
export class AcceptedClass {
  run(_id: string, ..._more: number[]): void {}
}

@Task()
export abstract class AcceptedAbstractClass {
  abstract run(id: string): Promise<void>;
}

export class Refused {
  // @ts-expect-error: a task is a method of instances
  @Task()
  static ofClass(): void {}

  // @ts-expect-error: a field is no method
  @Task()
  field = 1;

  // @ts-expect-error: nor is a field that holds a function
  @Task()
  arrow = (): void => {};

  // @ts-expect-error: an accessor is no method
  @Task()
  get accessor(): number {
    return 1;
  }

  // @ts-expect-error: nor is a setter
  @Task()
  set setter(_value: number) {}

  // @ts-expect-error: it needs its parentheses
  @Task
  uncalled(): void {}

  // @ts-expect-error: no such option
  @Task({ quotas: [], timeoutMS: 3 })
  unknownOption(): void {}

  // @ts-expect-error: a number of milliseconds
  @Task({ timeoutMs: '3s' })
  wrongOption(): void {}

  // @ts-expect-error: one name is not yet an array of names
  @Task({ quotas: 'reports' })
  oneQuota(): void {}

  // @ts-expect-error: a method without a proper name has no name to be stored under
  @Task()
  [Symbol.iterator](): void {}
}

// @ts-expect-error: it has no `run`
@Task()
export class WithoutRun {
  work(): void {}
}

// @ts-expect-error: its `run` is private
@Task()
export class PrivateRun {
  constructor() {
    this.run();
  }
  private run(): void {}
}

// @ts-expect-error: its `run` is protected
@Task()
export class ProtectedRun {
  protected run(): void {}
}

// @ts-expect-error: its `run` is static
@Task()
export class StaticRun {
  static run(): void {}
  work(): void {}
}

// @ts-expect-error: it needs its parentheses
@Task
export class Uncalled {
  run(): void {}
}
