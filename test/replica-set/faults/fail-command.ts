/** The server's own fail point `failCommand`. */

import { ServerError } from '../server-error.js';
import { numberOf } from '../values/numbers.js';
import { type Doc, isArray, isDoc, type Maybe } from '../values/value.js';

/** The fault to apply to a command. */
export interface Failure {
  readonly closeConnection: boolean;
  readonly blockMs: number;
  readonly error: ServerError | undefined;
  readonly writeConcernError: Doc | undefined;
  readonly errorLabels: readonly string[] | undefined;
}

interface Setting {
  readonly data: Doc;
  readonly failCommands: readonly string[];
  readonly appName: string | undefined;
  readonly namespace: string | undefined;
  /** Matching commands to let through first. */
  skip: number;
  /** How often it still acts. */
  times: number;
  readonly probability: number;
}

const DATA_FIELDS = [
  'failCommands',
  'errorCode',
  'errorLabels',
  'closeConnection',
  'blockConnection',
  'blockTimeMS',
  'writeConcernError',
  'appName',
  'namespace',
  'failInternalCommands',
  'errorExtraInfo',
  'threadName',
  'failAllCommands',
];

export class FailCommand {
  #setting: Setting | undefined;
  #count = 0;

  /** @returns how often the one before has acted */
  configure(mode: Maybe, data: Maybe): number {
    const count = this.#count;
    this.#setting = mode === 'off' ? undefined : parse(mode, isDoc(data) ? data : {});
    return count;
  }

  /** The fault for this command, if any. */
  failureFor(command: string, { appName, namespace }: { appName: string | undefined; namespace: string }): Failure | undefined {
    const setting = this.#setting;
    if (setting === undefined || !setting.failCommands.includes(command)) return undefined;
    if (setting.appName !== undefined && setting.appName !== appName) return undefined;
    if (setting.namespace !== undefined && setting.namespace !== namespace) return undefined;
    if (setting.skip > 0) {
      setting.skip--;
      return undefined;
    }
    if (setting.times === 0 || Math.random() >= setting.probability) return undefined;
    setting.times--;
    this.#count++;
    return failureOf(setting.data);
  }
}

function parse(mode: Maybe, data: Doc): Setting {
  const unknown = Object.keys(data).find((name) => !DATA_FIELDS.includes(name));
  if (unknown !== undefined) throw new ServerError(40415, `BSON field 'failCommand.data.${unknown}' is an unknown field.`);
  const { failCommands, appName, namespace } = data as Record<string, Maybe>;
  if (!isArray(failCommands)) throw new ServerError('BadValue', 'failCommand needs data.failCommands, an array of command names');
  return {
    data,
    failCommands: failCommands.map(String),
    appName: typeof appName === 'string' ? appName : undefined,
    namespace: typeof namespace === 'string' ? namespace : undefined,
    ...parseMode(mode),
  };
}

function parseMode(mode: Maybe): Pick<Setting, 'skip' | 'times' | 'probability'> {
  const always = { skip: 0, times: Number.POSITIVE_INFINITY, probability: 1 };
  if (mode === 'alwaysOn') return always;
  if (isDoc(mode)) {
    const [times, skip, probability] = [numberOf(mode['times']), numberOf(mode['skip']), numberOf(mode['activationProbability'])];
    if (times !== undefined) return { ...always, times };
    if (skip !== undefined) return { ...always, skip };
    if (probability !== undefined) return { ...always, probability };
  }
  throw new ServerError('BadValue', 'mode of a fail point must be off, alwaysOn, {times: n}, {skip: n} or {activationProbability: p}');
}

function failureOf(data: Doc): Failure {
  const code = numberOf(data['errorCode']);
  const { errorLabels, writeConcernError } = data as Record<string, Maybe>;
  return {
    closeConnection: data['closeConnection'] === true,
    blockMs: data['blockConnection'] === true ? (numberOf(data['blockTimeMS']) ?? 0) : 0,
    error: code === undefined ? undefined : new ServerError(code, "Failing command via 'failCommand' failpoint"),
    writeConcernError: isDoc(writeConcernError) ? writeConcernError : undefined,
    errorLabels: isArray(errorLabels) ? errorLabels.map(String) : undefined,
  };
}
