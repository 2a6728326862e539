/** References to documents, in place of arguments. */

import { callback, makeJob, type Outcome, type Ref, ref, task } from 'millrace';

interface Folder {
  readonly _id: string;
  readonly title: string;
}

const rename = task('rename', (folder: Folder, title: string) => `${folder.title} → ${title}`);
const either = task('either', (folder: Folder | undefined) => folder?.title);
const inside = task('inside', (those: { readonly refs: readonly Ref<Folder>[] }) => those.refs.length);
const after = task('after', (_outcome: Outcome<unknown>, folder: Folder) => folder.title);
const asked = task('asked', (reference: Ref<Folder>) => reference.id);

export function aDocumentMayBeNamed(): void {
  makeJob(rename, { _id: 'inbox', title: 'Inbox' }, 'Post');
  makeJob(rename, ref('folders', 'inbox'), 'Post');
  makeJob(either, ref('folders', 'inbox'));
  makeJob(either, undefined);
  makeJob(inside, { refs: [ref('folders', 'inbox')] });
  makeJob(rename, ref('folders', 'inbox'), 'Post').withCallback(callback(after, ref('folders', 'inbox')));
}

export function nothingElseMay(): void {
  // @ts-expect-error: a title is not a document
  makeJob(rename, ref('folders', 'inbox'), ref('folders', 'inbox'));
  // @ts-expect-error: an id is not a reference
  makeJob(rename, 'inbox', 'Post');
  // @ts-expect-error: a task takes the document itself
  makeJob(asked, ref('folders', 'inbox'));
}
