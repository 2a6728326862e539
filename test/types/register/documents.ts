/** With its documents registered, an application has references to them checked. */

import { makeJob, type Ref, ref, task } from 'millrace';
import { type Equal, holds } from '../shared/expect.js';

interface Folder {
  readonly _id: string;
  readonly title: string;
}

interface Invoice {
  readonly _id: number;
  readonly total: number;
}

declare module 'millrace' {
  interface Register {
    documents: { folders: Folder; invoices: Invoice };
  }
}

const rename = task('rename', (folder: Folder) => folder.title);

export function theirCollectionsAndIdsAreChecked(): void {
  const folder = ref('folders', 'inbox');
  holds<Equal<typeof folder, Ref<Folder>>>();
  makeJob(rename, folder);
  // @ts-expect-error: no such collection
  ref('folder', 'inbox');
  // @ts-expect-error: an invoice has a number
  ref('invoices', 'one');
  // @ts-expect-error: an invoice is not a folder
  makeJob(rename, ref('invoices', 1));
}
