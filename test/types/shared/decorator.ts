/** The uses of `@Task` that are accepted and refused with both kinds of decorators. */

import { exponential, Task, task, upcast } from 'millrace';

export class Accepted {
  @Task() plain(): void {}
  @Task({}) empty(): void {}
  @Task({ name: 'accepted', aliases: ['older'], quotas: ['reports'], timeoutMs: 5, transactional: true, retry: exponential() })
  full(): void {}
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

  // @ts-expect-error: a field is not a method
  @Task()
  field = 1;

  // @ts-expect-error: nor is a field that holds a function
  @Task()
  arrow = (): void => {};

  // @ts-expect-error: an accessor is not a method
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

export class Keyed {
  @Task({ uniqueKey: (folder: string) => folder, uniqueFor: 'waiting' })
  ofSome(_folder: string, _id: string): void {}

  @Task({ uniqueKey: () => 'only one', uniqueFor: 60_000 })
  ofNone(_folder: string): void {}

  @Task({ uniqueKey: (folder: string, id: string) => `${folder}/${id}`, debounceMs: 5, debounceMaxMs: 50 })
  ofAll(_folder: string, _id: string): void {}

  // @ts-expect-error: its key is made of a number
  @Task({ uniqueKey: (size: number) => `${size}` })
  otherArguments(_folder: string): void {}

  // @ts-expect-error: its key is made of more than it takes
  @Task({ uniqueKey: (folder: string, id: string) => folder + id })
  fewerArguments(_folder: string): void {}

  // @ts-expect-error: a key is a string
  @Task({ uniqueKey: (size: number) => size })
  noString(_size: number): void {}

  // @ts-expect-error: no such time
  @Task({ uniqueKey: () => 'k', uniqueFor: 'ever' })
  noTime(): void {}
}

@Task({ uniqueKey: (id: string) => id })
export class KeyedClass {
  run(_id: string): void {}
}

// @ts-expect-error: its key is made of a number
@Task({ uniqueKey: (size: number) => `${size}` })
export class KeyedByOther {
  run(_id: string): void {}
}

export const keyed = task('keyed', { uniqueKey: (folder, id) => folder + id.toFixed() }, (_folder: string, _id: number) => 1);
// @ts-expect-error: it takes no third argument
export const keyedByMore = task('keyed', { uniqueKey: (_a, _b, c) => String(c) }, (_folder: string, _id: number) => 1);

export class Upcast {
  @Task({ upcast: upcast((title: string) => [title, 'en']).to((text, lang) => [{ text, lang }]) })
  rename(_title: { text: string; lang: string }): void {}

  @Task({ upcast: upcast((title: string) => [title, 5] as [string, number]) })
  optional(_title: string, _size?: number, _more?: boolean): void {}

  // @ts-expect-error: the last step gives a string
  @Task({ upcast: upcast((title: string) => [title]) })
  other(_size: number): void {}

  // @ts-expect-error: the second step takes what the first gives
  @Task({ upcast: upcast((title: string) => [title, 'en']).to((size: number) => [size]) })
  broken(_size: number): void {}

  // @ts-expect-error: not a chain
  @Task({ upcast: (title: string) => [title] })
  noChain(_title: string): void {}
}

export const renamed = task('renamed', { upcast: upcast((title: string) => [title, 5]) }, (_title: string, _size: number) => 1);
// @ts-expect-error: the last step gives a number
export const renamedWrongly = task('renamed', { upcast: upcast((title: string) => [title.length]) }, (_title: string) => 1);
