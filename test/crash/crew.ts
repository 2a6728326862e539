/** Real processes that share the work: killed and replaced, frozen and thawed. */

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

interface Worker {
  readonly name: string;
  readonly process: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly exited: Promise<unknown>;
}

export class Crew {
  readonly #workers = new Map<number, Worker>();
  readonly #frozen = new Set<string>();
  /** The output of the workers, and the exits of those that should not have ended. */
  readonly complaints: string[] = [];
  #started = 0;

  constructor(
    private readonly program: string,
    private readonly uri: string,
    private readonly database: string,
  ) {}

  /** The workers that were frozen at some time. */
  get onceFrozen(): ReadonlySet<string> {
    return this.#frozen;
  }

  get names(): readonly string[] {
    return [...this.#workers.values()].map(({ name }) => name);
  }

  /** Starts one in a place; resolves when it works. @returns its name */
  async start(place: number): Promise<string> {
    const name = `w${place}-${this.#started++}`;
    const child = spawn(process.execPath, ['--enable-source-maps', this.program, this.uri, this.database, name], { stdio: 'pipe' });
    child.stderr.on('data', (data) => this.complaints.push(`${name}: ${data}`));
    child.on('exit', (code) => code !== null && code !== 0 && this.complaints.push(`${name} ended with ${code}`));
    this.#workers.set(place, { name, process: child, exited: once(child, 'exit') });
    await Promise.race([once(child.stdout, 'data'), once(child, 'exit')]);
    return name;
  }

  /** At once, wherever it is in its work. */
  async kill(place: number): Promise<void> {
    const worker = this.#workers.get(place);
    this.#workers.delete(place);
    worker?.process.kill('SIGKILL');
    await worker?.exited;
  }

  freeze(place: number): void {
    const worker = this.#workers.get(place);
    if (worker !== undefined) this.#frozen.add(worker.name);
    worker?.process.kill('SIGSTOP');
  }

  thaw(place: number): void {
    this.#workers.get(place)?.process.kill('SIGCONT');
  }

  async freezeFor(place: number, ms: number): Promise<void> {
    this.freeze(place);
    await sleep(ms);
    this.thaw(place);
  }

  /** Lets all end in good order. */
  async stop(): Promise<void> {
    const workers = [...this.#workers.values()];
    this.#workers.clear();
    for (const { process: child } of workers) child.kill('SIGTERM');
    await Promise.all(workers.map(({ exited }) => exited));
  }

  async killAll(): Promise<void> {
    await Promise.all([...this.#workers.keys()].map((place) => this.kill(place)));
  }
}
