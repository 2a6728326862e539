/** The names that snippets without imports take for known, as a reader does. */

import type { Container } from 'inversify';
import type { Draft, IAsyncService, Job, JobStore, TasksOf } from 'millrace';
import type { ClientSession, MongoClient } from 'mongodb';
import type { Documents, Mail } from './documents.js';

declare global {
  const async: IAsyncService;
  const container: Container;
  const store: JobStore;
  const client: MongoClient;
  const session: ClientSession;
  const documents: TasksOf<Documents>;
  const mails: TasksOf<Mail>;
  const job: Job<string>;
  const draft: Draft<string>;
}
