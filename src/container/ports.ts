/** The ports that an application may bind in its container; each is resolved once, when the service starts. */

import type { Container } from 'inversify';
import { DocumentSource } from '../job/document-source.js';
import { storedError } from '../job/stored-error.js';
import { Authorizer } from '../principal/authorizer.js';
import { PrincipalResolver } from '../principal/principal-resolver.js';

export interface Ports {
  readonly resolver: PrincipalResolver | undefined;
  readonly authorizer: Authorizer | undefined;
  readonly documents: DocumentSource | undefined;
}

/** @param problems - gets the problems of the bound ports */
export async function resolvePorts(container: Container, problems: string[]): Promise<Ports> {
  const resolved = async <T>(name: string, port: symbol & (abstract new () => T), method: keyof T & string): Promise<T | undefined> => {
    if (!container.isBound(port)) return undefined;
    try {
      const bound = await container.getAsync<T>(port);
      if (typeof bound[method] === 'function') return bound;
      problems.push(`the value bound as ${name} has no method \`${method}\``);
    } catch (error) {
      problems.push(`${name} cannot be resolved: ${storedError(error).message}`);
    }
    return undefined;
  };
  return {
    resolver: await resolved('PrincipalResolver', PrincipalResolver, 'resolve'),
    authorizer: await resolved('Authorizer', Authorizer, 'authorize'),
    documents: await resolved('DocumentSource', DocumentSource, 'load'),
  };
}
