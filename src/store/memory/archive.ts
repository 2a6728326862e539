/** Which jobs that have ended are still remembered: whole trees, the oldest forgotten first. */

import { isFinal } from '../../job/job-status.js';
import type { JobTable } from './job-table.js';

export class Archive {
  /** Roots, oldest first; those before `#first` are forgotten already. */
  #roots: string[] = [];
  #first = 0;

  constructor(
    private readonly table: JobTable,
    private readonly maxTrees: number,
  ) {}

  /** A root has ended. */
  add(id: string): void {
    this.#roots.push(id);
  }

  /** Forgets what is too much; after those who wait have been told, since they look at what is below a root. */
  forgetOldest(): void {
    for (let surplus = this.#roots.length - this.#first - this.maxTrees; surplus > 0; surplus--) this.#forgetNext();
  }

  #forgetNext(): void {
    const root = this.#roots[this.#first++] ?? '';
    if (this.#first > this.maxTrees) this.#compact();
    const tree = this.table.kin.tree(root);
    const isOver = tree.every((id) => isFinal(this.table.get(id)?.state.status ?? 'completed'));
    if (isOver) for (const id of tree) this.table.remove(id);
    else this.#roots.push(root);
  }

  #compact(): void {
    this.#roots = this.#roots.slice(this.#first);
    this.#first = 0;
  }
}
