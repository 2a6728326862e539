/** Goes through a journal, write by write, and says what must never have happened. */

import type { Document } from 'mongodb';
import { isFinal } from '../../src/job/job-status.js';
import { type LedgerEntry, QUOTAS } from './crash-tasks.js';
import type { Written } from './journal.js';

/** A run of a method, from its first write to its last. */
interface Run {
  readonly job: string;
  readonly owner: string;
}

/** The fields of an end; once written they are never written again. */
const SETTLED = ['status', 'outcome', 'settledToken', 'token', 'attempts'];

export class Inquest {
  readonly wrongs: string[] = [];
  /** Runs that began when others had taken over already: of processes that had been frozen, up to one turn. */
  readonly late: LedgerEntry[] = [];
  /** The most places of each quota that were in use at once. */
  readonly most = new Map<string, number>();
  readonly #jobs = new Map<string, Document>();
  readonly #dead = new Set<string>();
  /** Which life of a worker was given an attempt. */
  readonly #owners = new Map<string, string>();
  readonly #runs = new Map<string, Run>();
  /** By attempt, the life that began it last. */
  readonly #begun = new Map<string, string>();
  readonly #done = new Set<string>();

  constructor(private readonly onceFrozen: ReadonlySet<string>) {}

  static of(entries: readonly Written[], onceFrozen: ReadonlySet<string>): Inquest {
    const inquest = new Inquest(onceFrozen);
    for (const entry of entries) inquest.#read(entry);
    return inquest;
  }

  /** How many jobs of each task ended how. */
  tally(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const job of this.#jobs.values()) count(counts, `${job['taskName']} ${job['status']}`);
    return counts;
  }

  /** A summary of the work. */
  get story(): string {
    const sum = (field: string): number => [...this.#jobs.values()].reduce((total, job) => total + job[field], 0);
    return `${this.#jobs.size} jobs, ${sum('attempts')} attempts, ${sum('interruptions')} interruptions, ${this.#dead.size} lives ended, ${this.late.length} late runs`;
  }

  #read(entry: Written): void {
    if (entry.collection === 'millrace.jobs') this.#job(entry);
    if (entry.collection === 'millrace.dispatchers' && entry.set['state'] === 'dead') this.#dead.add(entry.id);
    if (entry.collection === 'ledger' && entry.document !== undefined) this.#ledger(entry.document as unknown as LedgerEntry);
  }

  #job({ id, document, set, unset }: Written): void {
    const before = this.#jobs.get(id);
    if (before === undefined) {
      if (document !== undefined) this.#jobs.set(id, { ...document });
      return;
    }
    this.#settledOnce(
      id,
      before,
      [...Object.keys(set), ...unset].map((path) => path.split('.')[0] ?? path),
    );
    const after: Document = { ...before, ...set };
    for (const path of unset) delete after[path];
    this.#jobs.set(id, after);
    if (after['owner'] !== undefined && after['waitsFor'] === undefined && ['active', 'assigned'].includes(after['status']))
      this.#claimed(id, after, set);
    if (set['settledToken'] !== undefined) this.#settled(id, before, set);
  }

  #settledOnce(id: string, before: Document, touched: readonly string[]): void {
    const isOver = isFinal(before['status']);
    const wrong = touched.filter((path) => (isOver ? SETTLED.includes(path) : path === 'outcome' && before['outcome'] !== undefined));
    if (wrong.length > 0) this.#wrong(`job ${id} was ${before['status']}, and then ${wrong} changed`);
  }

  #claimed(id: string, job: Document, set: Document): void {
    const { owner, attempts } = job;
    const number = job['status'] === 'assigned' ? attempts + 1 : attempts;
    this.#owners.set(`${id} ${number} ${nameOf(owner)}`, owner);
    if (set['token'] !== undefined && this.#dead.has(owner)) this.#wrong(`job ${id} was given to ${owner}, which was dead`);
  }

  #settled(id: string, before: Document, { settledToken }: Document): void {
    if (settledToken !== before['token']) this.#wrong(`job ${id} was settled by ${settledToken}, but was ${before['token']}'s`);
    if (this.#dead.has(before['owner'])) this.#wrong(`job ${id} was settled by ${before['owner']}, which was dead`);
    if (before['kind'] === 'task' && before['status'] === 'active' && !this.#done.has(`${id} ${before['attempts']}`))
      this.#wrong(`job ${id} was settled, but its attempt ${before['attempts']} had not ended`);
  }

  #ledger(entry: LedgerEntry): void {
    const { job, attempt, by } = entry;
    const key = `${job} ${attempt} ${by}`;
    if (entry.what === 'end') {
      this.#runs.delete(key);
      this.#done.add(`${job} ${attempt}`);
      return;
    }
    const owner = this.#owners.get(key);
    if (owner === undefined || this.#dead.has(owner)) {
      if (!this.onceFrozen.has(by)) this.#wrong(`${key} began, though it was ${owner === undefined ? "nobody's" : "a dead one's"}`);
      this.late.push(entry);
      return;
    }
    const first = this.#begun.get(`${job} ${attempt}`);
    // One that was claimed ahead may have begun a few milliseconds before its process died, unrecorded.
    if (first !== undefined && !this.#dead.has(first)) this.#wrong(`attempt ${attempt} of job ${job} began twice`);
    this.#begun.set(`${job} ${attempt}`, owner);
    this.#inTurn(job);
    this.#runs.set(key, { job, owner });
    this.#inQuotas();
  }

  /** A step of a serial batch begins when the one before it is settled. */
  #inTurn(id: string): void {
    const step = this.#jobs.get(id);
    const batch = this.#jobs.get(String(step?.['parent']));
    if (step?.['role'] !== 'step' || batch?.['kind'] !== 'serial') return;
    for (const other of this.#jobs.values()) {
      if (String(other['parent']) !== String(step['parent']) || other['position'] !== step['position'] - 1) continue;
      if (other['outcome'] === undefined) this.#wrong(`step ${id} began before the one before it had ended`);
    }
  }

  #inQuotas(): void {
    const used = new Map<string, number>();
    const holders = new Set<string>();
    for (const { job, owner } of this.#runs.values()) {
      const holder = this.#holder(job);
      if (this.#dead.has(owner) || holder === undefined || holders.has(holder.id)) continue;
      holders.add(holder.id);
      for (const [name, places] of Object.entries<number>(holder.places)) used.set(name, (used.get(name) ?? 0) + places);
    }
    for (const [name, places] of used) {
      this.most.set(name, Math.max(places, this.most.get(name) ?? 0));
      const size = Object.entries(QUOTAS).find(([known]) => known === name)?.[1] ?? 0;
      if (places > size)
        this.#wrong(`${places} places of ${name} were in use: ${[...this.#runs.entries()].map(([key, run]) => `${key} (${run.owner})`)}`);
    }
  }

  /** The job whose places this job uses: itself, or the batch around it. */
  #holder(id: string): { readonly id: string; readonly places: Document } | undefined {
    const job = this.#jobs.get(id);
    if (job === undefined) return undefined;
    if (Object.keys(job['places']).length > 0) return { id, places: job['places'] };
    return job['role'] === 'step' ? this.#holder(String(job['parent'])) : undefined;
  }

  #wrong(what: string): void {
    this.wrongs.push(what);
  }
}

/** The worker that a life of a dispatcher is of. */
function nameOf(owner: string): string {
  return owner.slice(0, owner.lastIndexOf('-'));
}

export function count(counts: Map<string, number>, what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}
