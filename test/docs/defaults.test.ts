/** The comments of options name the defaults that the code has. */

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MODULE_DEFAULTS } from '../../src/container/module-options.js';
import { SCHEDULE_DEFAULTS } from '../../src/container/schedule-options.js';
import { AGENT_DEFAULTS, DISPATCHER_DEFAULTS } from '../../src/dispatch/dispatcher-options.js';
import { RETRY_DEFAULTS } from '../../src/job/retry-policy.js';
import { UNIQUE_DEFAULTS } from '../../src/job/unique-key-options.js';
import { SECRETS_DEFAULTS } from '../../src/principal/secrets.js';
import { JOB_FILTER_DEFAULTS } from '../../src/service/job-filter.js';
import { STOP_DEFAULTS } from '../../src/service/stop-options.js';
import { MEMORY_STORE_DEFAULTS } from '../../src/store/memory/memory-store.js';
import { MONGO_STORE_DEFAULTS } from '../../src/store/mongo/mongo-options.js';
import { TASK_DEFAULTS } from '../../src/task/task-options.js';

const SOURCES = resolve(import.meta.dirname, '../../src');

const options: readonly [string, string, Readonly<Record<string, unknown>>][] = [
  ['container/module-options.ts', 'AsyncModuleOptions', MODULE_DEFAULTS],
  ['container/schedule-options.ts', 'ScheduleOptions', SCHEDULE_DEFAULTS],
  ['dispatch/dispatcher-options.ts', 'AgentOptions', AGENT_DEFAULTS],
  ['dispatch/dispatcher-options.ts', 'DispatcherOptions', DISPATCHER_DEFAULTS],
  ['job/retry-policy.ts', 'StoredRetry', RETRY_DEFAULTS],
  ['job/unique-key-options.ts', 'UniqueOptions', UNIQUE_DEFAULTS],
  ['service/job-filter.ts', 'JobFilter', JOB_FILTER_DEFAULTS],
  ['principal/secrets.ts', 'SecretsOptions', SECRETS_DEFAULTS],
  ['service/stop-options.ts', 'StopOptions', STOP_DEFAULTS],
  ['store/memory/memory-store.ts', 'MemoryStoreOptions', MEMORY_STORE_DEFAULTS],
  ['store/mongo/mongo-options.ts', 'MongoStoreOptions', MONGO_STORE_DEFAULTS],
  ['task/task-options.ts', 'TaskOptions', TASK_DEFAULTS],
];

/** The `@default` tags of an interface, by option. */
function tagsOf(file: string, name: string): ReadonlyMap<string, string> {
  const body = new RegExp(`interface ${name}\\b[^{]*\\{([\\s\\S]*?)\\n\\}`).exec(readFileSync(join(SOURCES, file), 'utf8'))?.[1] ?? '';
  return new Map([...body.matchAll(/@default (.+?)\s+\*\/\n {2}readonly (\w+)/g)].map(([, tag = '', option = '']) => [option, tag]));
}

describe.each(options)('%s: the defaults of %s', (file, name, defaults) => {
  const tags = tagsOf(file, name);

  it('have a tag each', () => {
    expect([...tags.keys()]).toEqual(expect.arrayContaining(Object.keys(defaults)));
  });

  it('are what their tags say, where those give a value', () => {
    for (const [option, value] of Object.entries(defaults)) {
      const tag = tags.get(option) ?? '';
      if (typeof value === 'number') expect(Number(tag.replaceAll('_', '')), option).toBe(value);
      if (typeof value === 'string') expect(tag, option).toBe(`'${value}'`);
      if (Array.isArray(value) && value.length === 0) expect(tag, option).toBe('[]');
    }
  });
});
