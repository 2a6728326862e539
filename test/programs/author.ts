/** Writes random programs: the same one for the same seed. */

import { seededRandom } from '../../src/testing/index.js';
import {
  type Batch,
  type Call,
  type Callbacks,
  type Death,
  type Holder,
  type Incident,
  type Part,
  type Places,
  type Program,
  partsOf,
  SIZES,
} from './program.js';

const QUOTAS = Object.keys(SIZES) as (keyof typeof SIZES)[];
const MAX_PARTS = 24;
const MAX_DEPTH = 4;

/** The troubles on the way. */
const TROUBLES = ['none', 'none', 'cancellations', 'death', 'both'] as const;

/** Where a part stands. */
interface Spot {
  readonly name: string;
  readonly depth: number;
  readonly input: Call['input'];
  /** It takes a place of the default quota, unless it names others. */
  readonly isAlone: boolean;
  readonly around: readonly Holder[];
  /** How many of the quotas come before those that it may name. */
  readonly held: number;
  /** It was returned by a task, or is part of a part that was. */
  readonly isReturned?: boolean;
}

type Trouble = (typeof TROUBLES)[number];

export function randomProgram(seed: number): Program {
  return new Author(seed).program();
}

class Author {
  readonly #random: () => number;
  readonly #trouble: Trouble;
  #left = MAX_PARTS;

  constructor(private readonly seed: number) {
    this.#random = seededRandom(seed);
    this.#trouble = this.#pick(TROUBLES);
  }

  program(): Program {
    const processes = this.#times(2, 3, () => this.#count(1, 4));
    const spot = { depth: 0, input: 'none', isAlone: true, around: [], held: 0 } as const;
    const roots = this.#times(1, 4, (index) => this.#part({ ...spot, name: `${index}` }));
    const calm: Program = { seed: this.seed, processes, roots, incidents: [], death: undefined };
    const incidents = [...roots.flatMap((root) => this.#additions(root)), ...this.#cancellations([...partsOf(calm).keys()])];
    return { ...calm, incidents, death: this.#mayDie ? this.#death() : undefined };
  }

  get #mayDie(): boolean {
    return this.#trouble === 'death' || this.#trouble === 'both';
  }

  #part(spot: Spot): Part {
    this.#left--;
    const isBatch = spot.input === 'none' && spot.depth < MAX_DEPTH && this.#left > 0 && this.#chance(0.45);
    return isBatch ? this.#batch(spot) : this.#call(spot);
  }

  #batch(spot: Spot): Batch {
    const common = this.#common(spot, spot.isAlone ? { default: 1 } : {});
    const holds = Object.keys(common.places);
    const held = Math.max(spot.held, ...holds.map((name) => QUOTAS.indexOf(name as keyof typeof SIZES) + 1));
    const around = holds.length === 0 ? spot.around : [...spot.around, { name: spot.name, places: common.places }];
    const inside = { ...this.#below(spot), around, held };
    const steps = this.#times(0, 4, (index) => this.#part({ ...inside, input: 'none', name: `${spot.name}.${index}` }));
    const postprocess = this.#chance(0.3) ? this.#call({ ...inside, input: 'jobs', name: `${spot.name}=` }) : undefined;
    const kind = this.#pick(['serial', 'parallel'] as const);
    // Of what is returned twice, since a process has died in between, another step may be cancelled each time.
    const mayDiffer = kind === 'parallel' && this.#mayDie && spot.isReturned === true;
    return { ...common, kind, onFailure: this.#pick(mayDiffer ? ['continue', 'fail'] : ['continue', 'stop', 'fail']), steps, postprocess };
  }

  #below({ depth, isReturned = false, held }: Spot): Omit<Spot, 'name' | 'input'> {
    return { depth: depth + 1, isAlone: false, around: [], held, isReturned };
  }

  #call(spot: Spot): Call {
    const task = this.#pick(['free', 'usual'] as const);
    const common = this.#common(spot, task === 'usual' && spot.isAlone ? { default: 1 } : {});
    const failures = this.#chance(0.35) ? this.#count(1, 4) : 0;
    const attempts = failures > 0 && this.#chance(0.6) ? this.#count(2, 4) : 1;
    // A dead process may not have recorded a failure: so the next run has to fail as well, if the job has to fail.
    const never = this.#mayDie && failures >= attempts ? Number.POSITIVE_INFINITY : failures;
    return {
      ...common,
      kind: 'call',
      task,
      input: spot.input,
      failures: never,
      attempts,
      retryDelayMs: this.#pick([0, 0, 1_000]),
      lastsMs: this.#pick([0, 0, 10, 300]),
      heedsSignal: this.#chance(0.5),
      returns: this.#returned(spot),
    };
  }

  /** Where jobs are cancelled while a process dies, a second run could return another job with another outcome. */
  #returned(spot: Spot): Call['returns'] {
    if (this.#trouble === 'both' || spot.depth >= MAX_DEPTH || this.#left <= 0 || !this.#chance(0.2)) return undefined;
    const as = this.#pick(['draft', 'job'] as const);
    // A job that is cancelled meanwhile ends at once, so the batches around both may end before the returned job.
    const inner = { name: `${spot.name}>`, depth: spot.depth + 1, input: 'none', around: [], held: spot.held, isReturned: true } as const;
    return { as, part: this.#part({ ...inner, isAlone: as === 'job' || spot.isAlone }) };
  }

  #common(spot: Spot, otherwise: Places) {
    const quotas = this.#quotas(spot);
    const mayHave = spot.input === 'none' && this.#left > 0;
    return {
      name: spot.name,
      queue: this.#chance(0.2) ? ('side' as const) : undefined,
      priority: this.#chance(0.2) ? this.#count(0, 3) : undefined,
      delayMs: this.#chance(0.15) ? this.#pick([10, 500, 2_000]) : undefined,
      quotas,
      places: quotas ?? otherwise,
      around: spot.around,
      callbacks: mayHave ? this.#times(-3, 2, (index) => this.#callbacks(this.#below(spot), `${spot.name}+${index}`)) : [],
    };
  }

  /** Those of a cancelled part may run when the batches around it have ended. */
  #callbacks(spot: Omit<Spot, 'name' | 'input'>, name: string): Callbacks {
    const input = (given: Call['input']): Call['input'] => (this.#chance(0.3) ? 'none' : given);
    if (this.#chance(0.4)) return { both: this.#part({ ...spot, name, input: input('outcome') }) };
    const side = (gets: Call['input'], end: string): Part => this.#part({ ...spot, name: name + end, input: input(gets) });
    const given = this.#pick([[true, false], [false, true], [true, true]] as const); // biome-ignore format: one line says it
    return { success: given[0] ? side('result', '+') : undefined, failure: given[1] ? side('error', '-') : undefined };
  }

  #quotas({ held, isAlone }: Spot): Places | undefined {
    const names = QUOTAS.slice(held).filter(() => this.#chance(0.3));
    if (names.length > 0) return Object.fromEntries(names.map((name) => [name, this.#count(1, SIZES[name])]));
    const mustName = isAlone && held > 0;
    return mustName || this.#chance(0.3) ? {} : undefined;
  }

  #additions({ name }: Part): readonly Incident[] {
    const spot = { depth: MAX_DEPTH - 1, isAlone: false, around: [], held: 0 };
    if (!this.#chance(0.4)) return [];
    const chain = this.#times(1, 3, (index) => this.#callbacks(spot, `${name}*${index}`));
    return [{ type: 'add', name, chain, afterRuns: this.#pick([0, this.#count(1, MAX_PARTS), Number.POSITIVE_INFINITY]) }];
  }

  #cancellations(names: readonly string[]): readonly Incident[] {
    if (this.#trouble !== 'cancellations' && this.#trouble !== 'both') return [];
    return this.#times(1, 3, () => ({ type: 'cancel', name: this.#pick(names), afterRuns: this.#count(0, names.length) }));
  }

  #death(): Death {
    return { what: this.#pick(['run', 'claim', 'settle']), nth: this.#count(1, 8), isAfter: this.#chance(0.5) };
  }

  #chance(share: number): boolean {
    return this.#random() < share;
  }

  #count(from: number, to: number): number {
    return from + Math.floor(this.#random() * (to - from + 1));
  }

  #pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.#random() * items.length)] as T;
  }

  #times<T>(from: number, to: number, make: (index: number) => T): readonly T[] {
    return Array.from({ length: Math.max(0, this.#count(from, to)) }, (_, index) => make(index));
  }
}
