/** A case of conformance: a fact about replica sets, the place where it is documented, and the code that shows it. */

import type { Bench } from './bench.js';

/** The requirement of a fact; if it is missing, the case is skipped with the reason. */
export type Need = 'fail points' | 'step-downs' | 'stand-in' | 'patience' | 'discovery';

export interface Fact {
  /** The fact, as a sentence without its subject. */
  readonly title: string;
  /** Where it is written: a page of MongoDB's manual, or a driver specification. */
  readonly source: string;
  readonly show: (bench: Bench) => Promise<void>;
  readonly needs: readonly Need[];
  /** Oldest server that the fact holds for, e.g. 5 or 4.4. */
  readonly since: number;
  readonly timeoutMs: number;
}

export interface Group {
  readonly name: string;
  readonly facts: readonly Fact[];
}

/** The options of a fact beside its title. */
export type About = Partial<Omit<Fact, 'title' | 'show'>>;

/** A fact before its group has given it a source. */
export interface Draft extends About {
  readonly title: string;
  readonly show: Fact['show'];
}

export const fact = (title: string, show: Fact['show'], about: About = {}): Draft => ({ title, show, ...about });

/** Puts facts together; `source` is that of the facts that name none. */
export function group(name: string, source: string, drafts: readonly Draft[]): Group {
  const facts = drafts.map((draft) => ({ source, needs: [], since: 4.4, timeoutMs: 10_000, ...draft }));
  return { name, facts };
}
