/** The type of an `AbortSignal`, also for a project that has neither the types of Node.js nor those of the DOM. */

/** The project's own `AbortSignal`, so that it can be given to `fetch`; without one, the part of it that a task uses. */
export type AbortSignalType = typeof globalThis extends { AbortSignal: { prototype: infer Signal } } ? Signal : PlainAbortSignal;

interface PlainAbortSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
  throwIfAborted(): void;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}
