/** The services and tasks that the type tests talk about. */

import { type Draft, type Job, makeJob, type StoredError, Task, task, tasks } from 'millrace';
import type { Observable } from 'rxjs';

/** One member of every sort. */
export class Documents {
  static readonly kinds: readonly string[] = ['page'];
  static parse(text: string): string {
    return text;
  }

  readonly title: string = 'Documents';
  #cached = 0;

  get size(): number {
    return this.#cached + this.secret() + this.#hidden();
  }

  @Task()
  async create(folder: string, id: string, title: string): Promise<string> {
    return `${folder}/${id}/${title}`;
  }

  @Task({ quotas: [], timeoutMs: 30_000 })
  async submit(_folder: string, _id: string): Promise<void> {}

  @Task()
  count(): number {
    return this.#cached;
  }

  helper(id: string): string {
    return id;
  }

  optional?(id: string): string;

  [Symbol.iterator](): Iterator<string> {
    return [][Symbol.iterator]();
  }

  7(): string {
    return 'seven';
  }

  protected guarded(): number {
    return 1;
  }

  private secret(): number {
    return 1;
  }

  #hidden(): number {
    return 1;
  }
}

/** Parameters of every sort. */
export class Parameters {
  @Task() optional(_id: string, _title?: string): void {}
  @Task() defaulted(_id: string, _copies = 1): void {}
  @Task() rest(_id: string, ..._tags: string[]): void {}
  @Task() union(_size: 'small' | 'large'): void {}
  @Task() object(_options: { readonly width: number; readonly height?: number }): void {}
  @Task() tuple(..._pair: [id: string, copies: number]): void {}
  @Task() list(_ids: readonly string[]): void {}
  @Task() handler(_onDone: () => void): void {}
  @Task() job(_job: Job<string>): void {}
}

/** Results of every sort. */
export abstract class Results {
  @Task() plain(): number {
    return 1;
  }
  @Task() async promise(): Promise<number> {
    return 1;
  }
  @Task() thenable(): PromiseLike<number> {
    return Promise.resolve(1);
  }
  @Task() nested(): Promise<Promise<number>> {
    return this.of(1);
  }
  @Task() stream(): Observable<number> {
    return this.of(1);
  }
  @Task() async laterStream(): Promise<Observable<number>> {
    return this.of(1);
  }
  @Task() async job(): Promise<Job<number>> {
    return this.of(1);
  }
  @Task() draft(): Draft<string> {
    return makeJob(documents.create, 'a', 'b', 'c');
  }
  @Task() async drafts(): Promise<Draft<[Job<string>, Job<void>]>> {
    return this.of(1);
  }
  @Task() valueOrJob(): number | Job<string> {
    return 1;
  }
  @Task() maybe(): number | undefined {
    return 1;
  }
  @Task() flag(): boolean {
    return true;
  }
  @Task() nothing(): void {}
  @Task() failing(): never {
    throw new Error('always');
  }
  // biome-ignore lint/suspicious/noExplicitAny: what becomes of it is tested
  @Task() anything(): any {
    return 1;
  }
  @Task() something(): unknown {
    return 1;
  }
  @Task() list(): Job<number>[] {
    return [];
  }
  protected abstract of(value: number): never;
}

/** Tasks that types cannot describe in full: see the tests of their limits. */
export class Limits {
  @Task() constrained<T extends string | number>(value: T): T {
    return value;
  }
  @Task() unconstrained<T>(value: T): T {
    return value;
  }
  overloaded(value: string): string;
  overloaded(value: number): number;
  @Task()
  overloaded(value: string | number): string | number {
    return value;
  }
}

export abstract class Shape {
  @Task() area(_unit: string): number {
    return 0;
  }
  @Task() describe(_language: string): string | number {
    return '';
  }
}

export class Circle extends Shape {
  @Task() override describe(_language: string, _isLong = false): string {
    return '';
  }
  @Task() radius(): number {
    return 1;
  }
}

@Task()
export class RenderReport {
  async run(format: 'pdf' | 'html', pages?: number): Promise<string> {
    return `${format}${pages}`;
  }
}

/** If `run` is not accessible, it is not a task. */
export class Unrunnable {
  protected run(): void {}
}

export class Mail {
  @Task({ quotas: [] }) async created(_id: string): Promise<number> {
    return 1;
  }
  @Task({ quotas: [] }) async failed(_error: StoredError, _to: string): Promise<boolean> {
    return true;
  }
  @Task({ quotas: [] }) async ended(): Promise<'ended'> {
    return 'ended';
  }
  @Task({ quotas: [] }) async urgent(_id: string, _to?: string): Promise<void> {}
}

export const documents = tasks(Documents);
export const parameters = tasks(Parameters);
export const results = tasks(Results);
export const limits = tasks(Limits);
export const mails = tasks(Mail);
export const addNumbers = task('addNumbers', (x: number, y: number) => x + y);
