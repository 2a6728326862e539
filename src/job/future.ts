/** A result that is still to come, a draft or a job, and how the code recognises one. */

/** Carries the type of the result; nothing is stored under it. */
export declare const result: unique symbol;

/** A draft or a job: something whose result is still to come. */
export interface Future<out R> {
  readonly [result]: R;
}

/** Under this symbol a job keeps its `JobReference` and a draft its `JobPlan`. */
export const referenceKey: unique symbol = Symbol.for('millrace.standsFor') as never;

/** The reference that a value holds, or `undefined` for an ordinary value. */
export function referenceOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null ? (value as { readonly [referenceKey]?: unknown })[referenceKey] : undefined;
}
