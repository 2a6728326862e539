/** Shows why a database cannot be reached: the answers of the members that the clients look for. Never shows credentials. */

import type { MongoClient, ServerHeartbeatFailedEvent, ServerHeartbeatSucceededEvent } from 'mongodb';
import { Observable } from 'rxjs';
import { StoreError } from '../../../errors.js';
import { memberProblem } from './store-check.js';

/** The last answer of a member, or why there was none. */
type Answer = ServerHeartbeatFailedEvent | ServerHeartbeatSucceededEvent;

export class Members {
  readonly #answers = new Map<string, Answer>();
  readonly #clients: readonly MongoClient[];

  constructor(clients: readonly MongoClient[]) {
    this.#clients = [...new Set(clients)];
  }

  /** Where the database should be, such as `db1:27017, db2:27017`. */
  get hosts(): string {
    return [...new Set(this.#clients.flatMap(hostsOf))].join(', ');
  }

  /** Why no server can be used, in words; `undefined` where no member has said so. */
  get reason(): string | undefined {
    const reasons = [...new Set([...this.#answers.values()].flatMap((answer) => reasonOf(answer) ?? []))];
    return reasons.length === 0 ? undefined : reasons.join('; ');
  }

  /** The last failure to reach one of them. */
  get failure(): Error | undefined {
    return [...this.#answers.values()].flatMap((answer) => ('failure' in answer ? answer.failure : [])).at(-1);
  }

  /** Listens to them. Fails with a StoreError as soon as all members of a client have answered that they can never be used. */
  get refusals(): Observable<never> {
    return new Observable((subscriber) => {
      this.#answers.clear();
      const noteAnswer = (answer: Answer): void => {
        this.#answers.set(answer.connectionId, answer);
        const problem = this.#clients.map((client) => this.#problemOf(client)).find((one) => one !== undefined);
        if (problem !== undefined) subscriber.error(new StoreError(problem));
      };
      for (const client of this.#clients) client.on('serverHeartbeatSucceeded', noteAnswer).on('serverHeartbeatFailed', noteAnswer);
      return () => {
        for (const client of this.#clients) client.off('serverHeartbeatSucceeded', noteAnswer).off('serverHeartbeatFailed', noteAnswer);
      };
    });
  }

  #problemOf(client: MongoClient): string | undefined {
    const problems = client.options.hosts.map((host) => {
      const answer = this.#answers.get(String(host));
      return answer === undefined || 'failure' in answer ? undefined : memberProblem(answer.reply, client.options.replicaSet);
    });
    return problems.every((problem) => problem !== undefined) ? problems[0] : undefined;
  }
}

/** Before they are looked up in the DNS, the name that they are looked up by. */
function hostsOf({ options: { hosts, srvHost } }: MongoClient): readonly string[] {
  return hosts.length === 0 && srvHost !== undefined ? [srvHost] : hosts.map(String);
}

function reasonOf(answer: Answer): string | undefined {
  if ('failure' in answer) return answer.failure.message;
  const { reply } = answer;
  if (reply['isreplicaset'] === true) return 'its replica set has not been initiated: run `rs.initiate()` once';
  return reply['isWritablePrimary'] === true || reply['ismaster'] === true ? undefined : 'its replica set has no primary';
}
