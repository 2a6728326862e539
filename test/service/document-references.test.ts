/** Documents named by references: the task gets each as it is when it runs. */

import { Binary, BSON } from 'mongodb';
import { describe, expect, it } from 'vitest';
import {
  callback,
  currentPrincipal,
  DocumentSource,
  makeJob,
  type Outcome,
  type Ref,
  ref,
  type StoredError,
  task,
  upcast,
} from '../../src/index.js';
import { ANN, containerOf } from '../principal/users.js';
import { onBothStores } from '../support/both-stores.js';
import { Log } from '../support/deferred.js';

interface Folder {
  readonly _id: string | number;
  title: string;
}

class Folders implements DocumentSource {
  readonly #folders = new Map<unknown, Folder>();
  readonly asked: string[] = [];

  load({ collection, id, session }: { collection: string; id: unknown; session: unknown }): Folder | undefined {
    this.asked.push(`${collection}/${String(id)} for ${currentPrincipal().id}${session === undefined ? '' : ' in a session'}`);
    return this.#folders.get(id);
  }

  put(folder: Folder): void {
    this.#folders.set(folder._id, folder);
  }

  remove(id: unknown): void {
    this.#folders.delete(id);
  }
}

const ran: string[] = [];
const rename = task('rename', { quotas: [], failureLogLevel: 'none' }, (folder: Folder, title: string) => {
  ran.push(title);
  return `${folder._id}: ${folder.title} → ${title}`;
});
const compare = task('compare', { quotas: [] }, (one: Folder, other: Folder | undefined) => [one.title, other?.title]);
const list = task('list', { quotas: [] }, (those: { readonly refs: readonly Ref<Folder>[] }) => those.refs);
const note = task('note', { quotas: [] }, (_outcome: Outcome<unknown>, folder: Folder) => folder.title);
const keyed = task('keyed', { quotas: [], uniqueKey: (folder) => String(folder._id) }, (folder: Folder) => folder.title);
const grown = task(
  'grown',
  { quotas: [], upcast: upcast((id: string) => [ref('folders', id) as never]) },
  (folder: Folder) => folder.title,
);

onBothStores((stage) => {
  async function started() {
    const folders = new Folders();
    folders.put({ _id: 'inbox', title: 'Inbox' });
    folders.put({ _id: 7, title: 'Seven' });
    const container = containerOf({});
    container.bind(DocumentSource).toConstantValue(folders);
    const { async, drain } = await stage.start({ container, tasks: [rename, compare, list, note, keyed, grown] });
    return { async, drain, folders };
  }

  describe('a document that an argument refers to', () => {
    it('is what it is when the task runs, loaded on behalf of its principal', async () => {
      const { async, drain, folders } = await started();
      const job = await async.runAs(ANN, () => async.queueJob(rename, ref('folders', 'inbox'), 'Post'));
      folders.put({ _id: 'inbox', title: 'Changed' });
      await drain();
      expect(await job.waitForResult()).toBe('inbox: Changed → Post');
      expect(folders.asked).toEqual(['folders/inbox for ann']);
    });

    it('may be one of several, beside others, and in what follows the value of a callback', async () => {
      const { async, drain, folders } = await started();
      const job = await async.queueJob(
        makeJob(compare, ref('folders', 'inbox'), ref('folders', 7)).withCallback(callback(note, ref('folders', 7))),
      );
      const plain = await async.queueJob(compare, { _id: 'own', title: 'Own' }, undefined);
      await drain();
      expect(await job.waitForResult()).toEqual(['Inbox', 'Seven']);
      expect(await plain.waitForResult()).toEqual(['Own', undefined]);
      expect(folders.asked).toHaveLength(3);
      const [noted] = await async.getJobs({ task: note });
      expect(noted?.result).toBe('Seven');
    });

    it('fails the job with ContextNotFoundError when it is gone, and none of its code has run', async () => {
      const { async, drain, folders } = await started();
      const job = await async.queueJob(rename, ref('folders', 'inbox'), 'never');
      folders.remove('inbox');
      await drain();
      expect(await job.waitForOutcome()).toMatchObject({
        error: {
          code: 'MILLRACE_CONTEXT_NOT_FOUND',
          message: `\`arguments[0]\` of job ${job.id} (rename) refers to folders/inbox, which is not there any more`,
        } satisfies Partial<StoredError>,
      });
      expect(ran).not.toContain('never');
    });

    it('cannot be loaded where nobody has bound a source', async () => {
      const { async, drain } = await stage.start({ tasks: [rename], logger: new Log() });
      const job = await async.queueJob(rename, ref('folders', 'inbox'), 'never');
      await drain();
      expect(await job.waitForOutcome()).toMatchObject({
        error: { code: 'MILLRACE_OPTION', message: expect.stringContaining('but no DocumentSource is bound in the container') },
      });
    });

    it('may come of the arguments of an older build', async () => {
      const { async, drain } = await started();
      const old = task('grown', { quotas: [] }, (id: string) => id);
      const job = await async.queueJob(old, 'inbox');
      await drain();
      expect(await job.waitForResult()).toBe('Inbox');
    });

    it('is read in the transaction of a transactional task', async () => {
      const { folders } = await started();
      const container = containerOf({});
      container.bind(DocumentSource).toConstantValue(folders);
      const works = task('works', { quotas: [], transactional: true }, (folder: Folder) => folder.title);
      const { async, drain } = await stage.start({ container, tasks: [works] });
      const job = await async.queueJob(works, ref('folders', 'inbox'));
      await drain();
      expect(await job.waitForResult()).toBe('Inbox');
      expect(folders.asked).toEqual(['folders/inbox for anonymous in a session']);
    });

    it('is seen by a unique key as its id', async () => {
      const { async, drain } = await started();
      const [one, two] = await Promise.all([async.queueJob(keyed, ref('folders', 7)), async.queueJob(keyed, ref('folders', 7))]);
      expect([two.id, two.isExisting || one.isExisting]).toEqual([one.id, true]);
      await drain();
      expect(await one.waitForResult()).toBe('Seven');
    });
  });

  it('a reference that is a result stays one for the callbacks of its job', async () => {
    const { async, drain, folders } = await started();
    const gives = task('gives', { quotas: [] }, () => ref('folders', 'inbox'));
    const takes = task('takes', { quotas: [] }, (result: unknown, folder: Folder) => [result, folder.title]);
    const container = containerOf({});
    container.bind(DocumentSource).toConstantValue(folders);
    await stage.start({ container, tasks: [gives, takes] });
    await async.queueJob(makeJob(gives).withCallbacks({ success: callback(takes, ref('folders', 7)) }));
    await drain();
    const [taken] = await async.getJobs({ task: takes });
    expect(taken?.result).toEqual([expect.objectContaining({ collection: 'folders', id: 'inbox' }), 'Seven']);
  });

  it('is not forged by binary data that looks like one when it is stored', async () => {
    const { async, drain, folders } = await started();
    const looks = new Binary(BSON.serialize({ collection: 'folders', id: { $ne: null } }), 0xc2);
    const shows = task('shows', { quotas: [] }, (bytes: Binary) => [bytes._bsontype, bytes.sub_type, bytes.length()]);
    await stage.start({ container: containerOf({}), tasks: [shows] });
    const job = await async.queueJob(shows, looks);
    await drain();
    expect(await job.waitForResult()).toEqual(['Binary', 0xc2, looks.length()]);
    expect(folders.asked).toEqual([]);
  });

  it('names the document that it named when it was made, whatever becomes of the id', async () => {
    const { async, drain } = await started();
    const id = new Binary(Buffer.from('one'));
    const job = await async.queueJob(list, { refs: [ref('folders', id)] });
    id.buffer.set(Buffer.from('two'));
    await drain();
    expect(String((await job.waitForResult())[0]?.id)).toBe('one');
  });

  it('a reference inside an argument, or in a result, stays one', async () => {
    const { async, drain, folders } = await started();
    const job = await async.queueJob(list, { refs: [ref('folders', 'inbox'), ref('folders', 7)] });
    await drain();
    const refs = await job.waitForResult();
    expect(refs.map(({ collection, id }) => [collection, id])).toEqual([
      ['folders', 'inbox'],
      ['folders', 7],
    ]);
    expect(folders.asked).toEqual([]);
    const again = await async.queueJob(rename, refs[0] as Ref<Folder>, 'Again');
    await drain();
    expect(await again.waitForResult()).toBe('inbox: Inbox → Again');
  });
});

describe('a reference', () => {
  it.each<[string, unknown, string]>([
    ['', 'inbox', '`collection` of `ref` must be a non-empty, well-formed string'],
    [
      'folders',
      undefined,
      '`id` of `ref` must be a non-empty string, a number, a bigint of at most 64 bits, or a value such as an ObjectId, but is undefined',
    ],
    ['folders', { year: 2030 }, '`id` of `ref` must be'],
  ])('to %j of %j cannot be made', (collection, id, message) => {
    expect(() => ref(collection, id)).toThrow(message);
  });

  it('to a bigint that a database would cut to 64 bits cannot be made', () => {
    expect(() => ref('folders', 2n ** 64n + 7n)).toThrow('a bigint of at most 64 bits, or');
    expect(ref('folders', -(2n ** 63n)).id).toBe(-(2n ** 63n));
  });
});
