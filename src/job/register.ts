/** The types that an application may register with the compiler. */

import type { Rate } from './rates.js';

/**
 * Augment this to have the names of your quotas checked:
 * `declare module 'millrace' { interface Register { quotas: typeof quotas } }`.
 */
// biome-ignore lint/suspicious/noEmptyInterface: it is empty so that applications can augment it
export interface Register {}

/** The name of a quota: any string, or those that the application registered. */
export type QuotaName = Register extends { quotas: infer Q } ? keyof Q & string : string;

/** Quotas by name, one place in each; or how many places in each. */
export type Quotas = readonly QuotaName[] | { readonly [Q in QuotaName]?: number };

/** The session of a transaction: the type that `millrace/mongo` or the application registered. */
export type Session = Register extends { session: infer S } ? S : unknown;

/** The name of a collection: any string, or those of the documents that the application registered. */
export type CollectionName = Register extends { documents: infer D } ? keyof D & string : string;

/** The documents of a registered collection; of any other `never`, so that a task may declare its own type. */
export type DocumentIn<C> = Register extends { documents: infer D } ? (C extends keyof D ? D[C] : never) : never;

/** The type of `_id`. */
export type IdIn<C> = [DocumentIn<C>] extends [never] ? unknown : DocumentIn<C> extends { readonly _id: infer I } ? I : unknown;

/** How many places a quota has; and how many of its jobs may begin in a period, if that is limited too. */
export type QuotaSize = number | { readonly size: number; readonly rate?: Rate | undefined };

/** The sizes that `asyncModule` is given: every registered quota needs one. */
export type QuotaSizes = Register extends { quotas: object }
  ? { readonly [Q in QuotaName]: QuotaSize }
  : Readonly<Record<string, QuotaSize>>;
