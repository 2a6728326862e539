/** Runs the code of an attempt inside the middleware of the application, the first of which is the outermost. */

import { MiddlewareError } from '../errors.js';
import type { Around, AttemptView } from '../task/around.js';

/**
 * @returns the result of the code
 * @throws the error of the code; the error of a middleware; MiddlewareError for one that has not called `next`, or has called it twice
 */
export async function runAround(arounds: readonly Around[], job: AttemptView, code: () => Promise<unknown>): Promise<unknown> {
  const [around, ...inner] = arounds;
  if (around === undefined) return code();
  let result: Promise<unknown> | undefined;
  let misuse: MiddlewareError | undefined;
  const next = (): Promise<unknown> => {
    if (result === undefined) result = handled(runAround(inner, job, code));
    else misuse ??= new MiddlewareError(`${named(around, job)} has called \`next\` twice; the task runs once, so call it once`);
    return misuse === undefined ? result : handled(Promise.reject(misuse));
  };
  try {
    await around(job, next);
  } catch (error) {
    // The code may still run, and must not outlive its attempt.
    await result?.catch(() => undefined);
    throw error;
  }
  if (result === undefined)
    throw new MiddlewareError(`${named(around, job)} has not called \`next\`, so the task has not run; call it, or throw`);
  const value = await result;
  if (misuse !== undefined) throw misuse;
  return value;
}

/** A promise whose rejection a middleware may ignore: the attempt ends with it all the same. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

function named({ name }: Around, job: AttemptView): string {
  return `the middleware ${name === '' ? 'in `around`' : `\`${name}\` of \`around\``}, for job ${job.id} (${job.taskName}),`;
}
