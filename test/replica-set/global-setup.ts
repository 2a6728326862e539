/** vitest's global setup: says in one line what the MongoDB tests run on, and starts a real mongod once for all files if there is one. */

import type { TestProject } from 'vitest/node';
import { chooseReplicaSet, describeChoice, type ReplicaSetChoice } from './replica-set-choice.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** URI of the mongod that the run started; undefined where tests find a replica set by themselves. */
    mongodUri: string | undefined;
  }
}

/** If a real replica set was demanded and there is none, a sentence is enough. */
function chosen(): ReplicaSetChoice {
  try {
    return chooseReplicaSet();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  }
}

/** Called by vitest before the first worker starts; the function returned runs after the last has ended. */
export async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const choice = chosen();
  console.log(describeChoice(choice));
  if (choice.kind !== 'mongod') return undefined;
  const { startMongod } = await import('./mongod.js');
  const mongod = await startMongod(choice.binary);
  project.provide('mongodUri', mongod.uri);
  return () => mongod.stop();
}
