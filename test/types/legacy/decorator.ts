/** Features that only legacy decorators have. */

import { inject, injectable } from 'inversify';
import { IAsyncService, Task, tasks } from 'millrace';
import { type Equal, holds } from '../shared/expect.js';

@injectable()
export class Injected {
  constructor(@inject(IAsyncService) private readonly async: IAsyncService) {}

  @Task()
  async count(queue: string): Promise<number> {
    return this.async.getQueues().get(queue).size();
  }
}

export const injected = tasks(Injected);
holds<Equal<keyof typeof injected, 'count'>>();

export class Refused {
  // @ts-expect-error: a task is public
  @Task()
  private secret(): void {}

  // @ts-expect-error: nor protected
  @Task()
  protected guarded(): void {
    this.secret();
  }

  // @ts-expect-error: a parameter is not a method
  ofMethod(@Task() _id: string): void {}
}

export class RefusedParameter {
  // @ts-expect-error: nor is one of the constructor
  constructor(@Task() _id: string) {}
}
