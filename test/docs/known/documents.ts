/** The services that snippets speak of. */

import { injectable } from 'inversify';
import { type StoredError, Task } from 'millrace';

@injectable()
export class Documents {
  @Task({ quotas: [] })
  async create(folder: string, id: string): Promise<string> {
    return `${folder}/${id}`;
  }

  @Task()
  async cleanUp(): Promise<void> {}
}

@injectable()
export class Mail {
  @Task() async created(_id: string): Promise<void> {}
  @Task() async failed(_error: StoredError, _to: string): Promise<void> {}
}
