/** The two words of the type tests: `Equal` compares types exactly, `holds` compiles only for `true`. */

/** Whether two types are the same; tells `any`, `unknown`, `readonly` and optional apart. */
export type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Whether the first can be given where the second is asked for. */
export type Fits<A, B> = [A] extends [B] ? true : false;

export declare function holds<_T extends true>(): void;

export function theHelpersTellTypesApart(): void {
  holds<Equal<{ readonly a: string }, { readonly a: string }>>();
  // @ts-expect-error: `readonly` counts
  holds<Equal<{ readonly a: string }, { a: string }>>();
  // @ts-expect-error: `unknown` is not `string`
  holds<Equal<unknown, string>>();
  // @ts-expect-error: nor is `any`
  // biome-ignore lint/suspicious/noExplicitAny: the helper must tell it from every other type
  holds<Equal<any, string>>();
  // @ts-expect-error: a union is not one of its members
  holds<Equal<string | number, string>>();
  // @ts-expect-error: a wider type does not fit a narrower one
  holds<Fits<string, 'page'>>();
}
