/** Calls for several items that may fail for some of them: asked again, they answer as before for those that were done. */

import type { AttemptKey } from '../../store-messages.js';
import { attemptKey } from '../local/running-attempts.js';

type Known<R> = 'unanswered' | { readonly answer: R };

export class IdempotentCalls<T extends AttemptKey, R> {
  /** Of calls that failed. */
  readonly #known = new Map<string, Known<R>>();

  /** @param ask - handles one item; gets whether it was requested before without an answer */
  constructor(private readonly ask: (item: T, wasUnanswered: boolean) => Promise<R>) {}

  /** The answers, or the first error; of two items that name the same attempt only the first is asked for. */
  async all(items: readonly T[], otherwise: R): Promise<readonly R[]> {
    const first = new Map<string, T>();
    for (const item of items) if (!first.has(attemptKey(item))) first.set(attemptKey(item), item);
    const settled = await Promise.allSettled([...first].map(([key, item]) => this.#answer(key, item)));
    const failed = settled.find((answer) => answer.status === 'rejected');
    [...first.keys()].forEach((key, index) => {
      const answer = settled[index];
      if (failed === undefined) this.#known.delete(key);
      else this.#known.set(key, answer?.status === 'fulfilled' ? { answer: answer.value } : 'unanswered');
    });
    if (failed !== undefined) throw failed.reason;
    const answers = new Map([...first.values()].map((item, index) => [item, settled[index]]));
    return items.map((item) => {
      const answer = answers.get(item);
      return answer?.status === 'fulfilled' ? answer.value : otherwise;
    });
  }

  async #answer(key: string, item: T): Promise<R> {
    const known = this.#known.get(key);
    return known === undefined || known === 'unanswered' ? this.ask(item, known !== undefined) : known.answer;
  }
}
