/** Features that only standard decorators have. */

import { injectable } from 'inversify';
import { makeJob, Task, tasks } from 'millrace';

@injectable()
export class Seen {
  /** Standard decorators cannot see the word `private`; the method is refused where it is used. */
  @Task()
  private secret(): void {}

  @Task()
  protected guarded(): void {
    this.secret();
  }
}

// @ts-expect-error: a private method
makeJob(tasks(Seen).secret);
// @ts-expect-error: a protected method
makeJob(tasks(Seen).guarded);

export class Refused {
  // @ts-expect-error: a #private method cannot be called by anybody else
  @Task()
  #hidden(): void {}

  // @ts-expect-error: an auto-accessor is not a method
  @Task()
  accessor size = 1;

  use(): void {
    this.#hidden();
  }
}
