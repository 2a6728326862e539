/** Which jobs that have ended are still remembered: whole trees, with those whose outcome they took, the oldest forgotten first. */

import { isFinal } from '../../job/job-status.js';
import type { JobTable } from './job-table.js';

export class Retention {
  /** Roots, oldest first; those before `#first` are forgotten already. */
  #roots: string[] = [];
  #first = 0;
  /** Roots that go with the jobs that took their outcomes, and those jobs. */
  readonly #takers = new Map<string, Set<string>>();
  /** The same from the other side. */
  readonly #taken = new Map<string, string>();

  constructor(
    private readonly table: JobTable,
    private readonly maxTrees: number,
  ) {}

  /** A root has ended. */
  add(id: string): void {
    if (!this.#takers.has(id)) this.#roots.push(id);
  }

  /** A job takes the outcome of a root, so it may name jobs below that root: these are remembered as long as the job. */
  keepWith(taker: string, root: string): void {
    this.#taken.set(taker, root);
    this.#takers.set(root, (this.#takers.get(root) ?? new Set()).add(taker));
  }

  /** Forgets the jobs above the limit; after waiting calls have been notified, since they read the jobs below a root. */
  forgetOldest(): void {
    for (let surplus = this.#roots.length - this.#first - this.maxTrees; surplus > 0; surplus--) this.#forgetNext();
  }

  #forgetNext(): void {
    const root = this.#roots[this.#first++] ?? '';
    if (this.#first > this.maxTrees) this.#compact();
    if (this.#takers.has(root)) return;
    const roots = [root];
    for (const next of roots) roots.push(...this.#forget(next));
  }

  /** @returns the roots of which nobody is left who took their outcome */
  #forget(root: string): readonly string[] {
    const tree = this.table.family.tree(root);
    const isOver = tree.every((id) => isFinal(this.table.get(id)?.state.status ?? 'completed'));
    if (!isOver) this.#roots.push(root);
    return isOver ? tree.flatMap((id) => this.#remove(id)) : [];
  }

  #remove(id: string): readonly string[] {
    this.table.remove(id);
    const root = this.#taken.get(id);
    if (root === undefined) return [];
    this.#taken.delete(id);
    const takers = this.#takers.get(root);
    takers?.delete(id);
    if (takers?.size !== 0) return [];
    this.#takers.delete(root);
    return [root];
  }

  #compact(): void {
    this.#roots = this.#roots.slice(this.#first);
    this.#first = 0;
  }
}
