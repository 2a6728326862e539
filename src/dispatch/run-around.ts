/** Runs the code of an attempt inside the middleware of the application, the first of which is the outermost. */

import { MiddlewareError } from '../errors.js';
import type { Around, AttemptView } from '../task/around.js';

/**
 * `next` may be called once, and until the middleware has ended: the task must not run outside of its attempt.
 * @returns the result of the code
 * @throws the error of the code; the error of a middleware; MiddlewareError for one that has not called `next` in time, or has called it
 *   twice
 */
export async function runAround(arounds: readonly Around[], job: AttemptView, code: () => Promise<unknown>): Promise<unknown> {
  const [around, ...inner] = arounds;
  if (around === undefined) return code();
  let isOpen = true;
  let result: Promise<unknown> | undefined;
  let misuse: MiddlewareError | undefined;
  const next = (): Promise<unknown> => {
    if (!isOpen) {
      misuse ??= new MiddlewareError(`${named(around, job)} has called \`next\` ${result === undefined ? TOO_LATE : TWICE}`);
      return handled(Promise.reject(misuse));
    }
    isOpen = false;
    result = handled(runAround(inner, job, code));
    return result;
  };
  const [end] = await Promise.allSettled([called(around, job, next)]);
  isOpen = false;
  if (end.status === 'rejected') {
    // The code may still run, and must not outlive its attempt.
    await result?.catch(() => undefined);
    throw end.reason;
  }
  if (result === undefined)
    throw new MiddlewareError(`${named(around, job)} has not called \`next\` before it ended, so the task has not run; call it, or throw`);
  const value = await result;
  if (misuse !== undefined) throw misuse;
  return value;
}

const TWICE = 'twice; the task runs once, so call it once';
const TOO_LATE = 'after its own end, when its attempt was over, so the task has not run; `await` what comes before the call';

/** A middleware need not be asynchronous. */
async function called(around: Around, job: AttemptView, next: () => Promise<unknown>): Promise<unknown> {
  return around(job, next);
}

/** A promise whose rejection a middleware may ignore: the attempt ends with it all the same. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

function named({ name }: Around, job: AttemptView): string {
  return `the middleware ${name === '' ? 'in `around`' : `\`${name}\` of \`around\``}, for job ${job.id} (${job.taskName}),`;
}
