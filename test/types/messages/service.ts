/** The service that the mistakes are made with. */

import { type StoredError, Task, task, tasks } from 'millrace';

export class Documents {
  @Task()
  async create(folder: string, id: string, title: string): Promise<string> {
    return `${folder}/${id}/${title}`;
  }

  @Task()
  count(): number {
    return this.secret();
  }

  private secret(): number {
    return 0;
  }
}

export class Mail {
  @Task() created(_id: string): void {}
  @Task() failed(_error: StoredError, _to: string): void {}
}

export const documents = tasks(Documents);
export const mails = tasks(Mail);
export const addNumbers = task('addNumbers', (x: number, y: number) => x + y);
