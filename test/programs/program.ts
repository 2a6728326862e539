/** A random program: jobs within jobs, the incidents on the way, and its text for a reader. */

export type Places = Readonly<Record<string, number>>;

/** The quotas of every program, in the order in which jobs may hold several. */
export const SIZES = { default: 1, two: 2, five: 5 } as const;

export interface Batch extends Common {
  readonly kind: 'serial' | 'parallel';
  readonly onFailure: 'continue' | 'stop' | 'fail';
  readonly steps: readonly Part[];
  readonly postprocess: Call | undefined;
}

/** A call of a task, which fails a number of times, and then returns a value, or the job that it returns. */
export interface Call extends Common {
  readonly kind: 'call';
  /** Of these, `usual` has no `quotas` of its own, and `free` takes none. */
  readonly task: 'free' | 'usual';
  /** Its input from the job that it belongs to. */
  readonly input: 'none' | 'result' | 'error' | 'outcome' | 'jobs';
  readonly failures: number;
  readonly attempts: number;
  readonly retryDelayMs: number;
  readonly lastsMs: number;
  /** It ends when its signal is aborted. */
  readonly heedsSignal: boolean;
  /** The part that it returns, as a draft or as a job that it has queued; if absent, it returns a value. */
  readonly returns: { readonly as: 'draft' | 'job'; readonly part: Part } | undefined;
}

interface Common {
  /** Unlike that of any other part. */
  readonly name: string;
  readonly queue: 'side' | undefined;
  readonly priority: number | undefined;
  readonly delayMs: number | undefined;
  /** The quotas that its draft names. */
  readonly quotas: Places | undefined;
  /** The places that it has while it runs. */
  readonly places: Places;
  /** The batches around it, which hold places all the while. */
  readonly around: readonly Holder[];
  readonly callbacks: readonly Callbacks[];
}

export type Part = Call | Batch;

export interface Holder {
  readonly name: string;
  readonly places: Places;
}

/** One for every end, or one for each side; a part with an `input` is a task that is called back, any other a draft. */
export type Callbacks = { readonly both: Part } | { readonly success: Part | undefined; readonly failure: Part | undefined };

/** An incident from outside, once a number of runs have begun. */
export type Incident = { readonly afterRuns: number } & (
  | { readonly type: 'cancel'; readonly name: string }
  /** Adds callbacks to a job, others to the callback that this made, and so on. */
  | { readonly type: 'add'; readonly name: string; readonly chain: readonly Callbacks[] }
);

/** When the first of the processes dies: before or after the nth time that it does something. */
export interface Death {
  readonly what: 'run' | 'claim' | 'settle';
  readonly nth: number;
  readonly isAfter: boolean;
}

export interface Program {
  readonly seed: number;
  /** How many jobs each process runs at once. */
  readonly processes: readonly number[];
  readonly roots: readonly Part[];
  readonly incidents: readonly Incident[];
  readonly death: Death | undefined;
}

/** Every part of a program by its name, also those that it may never come to. */
export function partsOf({ roots, incidents }: Program): ReadonlyMap<string, Part> {
  const parts = new Map<string, Part>();
  const add = (part: Part): void => {
    parts.set(part.name, part);
    for (const below of belowOf(part)) add(below);
  };
  for (const root of roots) add(root);
  for (const incident of incidents) if (incident.type === 'add') for (const part of incident.chain.flatMap(sidesOf)) add(part);
  return parts;
}

export function sidesOf(callbacks: Callbacks): readonly Part[] {
  const sides = 'both' in callbacks ? [callbacks.both] : [callbacks.success, callbacks.failure];
  return sides.filter((side) => side !== undefined);
}

function belowOf(part: Part): readonly Part[] {
  const own = part.kind === 'call' ? [part.returns?.part] : [...part.steps, part.postprocess];
  return [...own.filter((below) => below !== undefined), ...part.callbacks.flatMap(sidesOf)];
}
