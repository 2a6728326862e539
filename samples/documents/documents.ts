/** The services of the sample: documents in folders, and mails about them. */

import { injectable } from 'inversify';
import { type StoredError, Task, tasks } from 'millrace';

@injectable()
export class Documents {
  readonly #titles = new Map<string, string>();

  @Task()
  async create(folder: string, id: string, title: string): Promise<string> {
    const path = `${folder}/${id}`;
    if (this.#titles.has(path)) throw new Error(`the id ${id} is in use`);
    this.#titles.set(path, title);
    return path;
  }

  @Task()
  async submit(folder: string, id: string): Promise<string> {
    const path = `${folder}/${id}`;
    if (!this.#titles.has(path)) throw new Error(`there is no document ${path}`);
    return `${path} is submitted`;
  }
}

@injectable()
export class Mails {
  @Task({ quotas: [] })
  async created(path: string): Promise<string> {
    console.log(`mail: ${path} was created`);
    return 'sent';
  }

  @Task({ quotas: [] })
  async failed(error: StoredError, to: string): Promise<string> {
    console.log(`mail to ${to}: ${error.message}`);
    return 'sent';
  }
}

export const documents = tasks(Documents);
export const mails = tasks(Mails);
