/** With the names of its quotas registered, an application has them checked. */

import { asyncModule, makeJob, memoryStore, type QuotaName, type QuotaSizes, type Quotas, Task, task } from 'millrace';
import { type Equal, holds } from '../shared/expect.js';

export const quotas = { default: 1, reports: 4, gpu: 8 } as const;

declare module 'millrace' {
  interface Register {
    quotas: typeof quotas & { readonly [tenant: `tenant:${string}`]: number };
  }
}

export function namesAreThoseThatAreRegistered(): void {
  holds<Equal<QuotaName, 'default' | 'reports' | 'gpu' | `tenant:${string}`>>();
}

const work = task('work', { quotas: ['reports', 'tenant:acme'] }, () => 1);
const draft = makeJob(work);

export function registeredNamesAreAccepted(): void {
  draft.with({ quotas: ['default', 'gpu'] });
  draft.with({ quotas: { gpu: 2, 'tenant:acme': 1 } });
  draft.with({ quotas: [] });
  const some: Quotas = ['reports'];
  draft.with({ quotas: some });
  asyncModule({ store: memoryStore(), quotas });
  asyncModule({ store: memoryStore(), quotas: { ...quotas, 'tenant:acme': 2 } });
  const sizes: QuotaSizes = { default: 1, reports: { size: 1 }, gpu: { size: 1, rate: { starts: 100, perMs: 60_000 } } };
  asyncModule({ store: memoryStore(), quotas: sizes });
}

export function otherNamesAreRefused(): void {
  // @ts-expect-error: no such quota
  draft.with({ quotas: ['report'] });
  // @ts-expect-error: nor with a number of places
  draft.with({ quotas: { report: 2 } });
  // @ts-expect-error: of a function task
  task('other', { quotas: ['report'] }, () => 1);
  // @ts-expect-error: every registered quota needs a size
  asyncModule({ store: memoryStore(), quotas: { default: 1, reports: 4 } });
  // @ts-expect-error: a rate has a period
  asyncModule({ store: memoryStore(), quotas: { ...quotas, gpu: { size: 1, rate: { starts: 100 } } } });
  // @ts-expect-error: a quota that nobody registered
  asyncModule({ store: memoryStore(), quotas: { ...quotas, cpu: 1 } });
}

export class Reports {
  @Task({ quotas: ['reports'] })
  render(): void {}

  // @ts-expect-error: no such quota
  @Task({ quotas: ['report'] })
  refused(): void {}
}
