/** Millrace as an Inversify module, and `start(container)`, which checks everything and begins to work. */

import { type Container, ContainerModule } from 'inversify';
import { checkOption, type Rule } from '../check.js';
import { isMillraceError, StartError } from '../errors.js';
import { storedError } from '../job/stored-error.js';
import { IAsyncService } from '../service/i-async-service.js';
import type { Class } from '../task/task.js';
import type { TaskRegistry } from '../task/task-registry.js';
import { Composition } from './composition.js';
import { type AsyncModuleOptions, checkModuleOptions } from './module-options.js';
import { resolvePorts } from './ports.js';

const COMPOSITION = Symbol.for('millrace.Composition');

/**
 * The module that an application loads into its container; it binds `IAsyncService`. Nothing runs
 * before `start(container)`. Unloading it with `unloadAsync` stops the service.
 * @throws OptionError; StartError on loading it into a container that has one
 * @example
 * container.load(asyncModule({ store: memoryStore(), tasks: [Documents] }));
 * const async = await start(container);
 */
export function asyncModule(options: AsyncModuleOptions): ContainerModule {
  const checked = checkModuleOptions(options);
  return new ContainerModule(({ bind, isBound }) => {
    if (isBound(IAsyncService)) throw new StartError(['this container has an asyncModule already: load one, with everything in it']);
    const composition = new Composition(checked);
    bind(COMPOSITION).toConstantValue(composition);
    bind(IAsyncService)
      .toDynamicValue(() => composition.service)
      .inSingletonScope()
      .onDeactivation(() => composition.service.stop());
  });
}

/** Also of another copy of Inversify. */
const CONTAINER: Rule = {
  must: 'a `Container` of Inversify',
  holds: (value) => typeof value === 'object' && value !== null && typeof Reflect.get(value, 'isBound') === 'function',
};

/**
 * Binds the task classes that the application has not bound, resolves each of them once (their
 * constructors run), and starts the service and its dispatcher.
 * @throws StartError with all problems together; nothing is started then. OptionError if this is not a container
 */
export async function start(container: Container): Promise<IAsyncService> {
  checkOption('`start`', 'container', container, CONTAINER);
  if (!container.isBound(COMPOSITION))
    throw new StartError(['the container has no asyncModule: `container.load(asyncModule({ … }))` first']);
  const composition = container.get<Composition>(COMPOSITION);
  const { registry, options } = composition;
  const problems = [...registry.problems, ...(await resolveAll(container, registry))];
  const found = problems.length;
  const ports = await resolvePorts(container, problems);
  composition.accessGuard.use(ports);
  if (problems.length === found) problems.push(...unheldRequirements(composition));
  problems.push(...unencryptable(composition));
  const dispatcher = attempt(() => composition.makeDispatcher(ports), problems);
  if (problems.length > 0) throw new StartError(problems);
  for (const name of registry.names) {
    if (/^[A-Za-z_$]{1,2}\./.test(name))
      options.logger.warn(
        `the task ${name} has its name from a class whose name looks shortened by a bundler; give it a \`name\` of its own, for jobs are stored under it`,
      );
  }
  await composition.start(dispatcher, (service) => container.getAsync(newable(service)));
  return container.get(IAsyncService);
}

/** Adds an error of Millrace to the list of problems. */
function attempt<T>(make: () => T, problems: string[]): T | undefined {
  try {
    return make();
  } catch (error) {
    if (!isMillraceError(error)) throw error;
    problems.push(error.message);
    return undefined;
  }
}

async function resolveAll(container: Container, registry: TaskRegistry): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const [service, methods] of registry.services) {
    const isOurs = !container.isBound(service);
    try {
      if (isOurs) container.bind(service).to(newable(service));
      const instance = (await container.getAsync(service)) as Record<string, unknown>;
      const missing = [...methods].filter((method) => typeof instance[method] !== 'function');
      for (const method of missing) problems.push(`\`tasks\`: ${service.name} has no method \`${method}\`, which is a task`);
    } catch (error) {
      if (isOurs && container.isBound(service)) await container.unbindAsync(service);
      problems.push(
        `\`tasks\`: ${service.name} cannot be resolved: ${storedError(error).message.trim()}\n    Bind everything that its constructor asks for, and name each with \`@inject(…)\``,
      );
    }
  }
  return problems;
}

/** Tasks whose arguments are to be encrypted, where there is nothing to do it with. */
function unencryptable({ registry, options: { secrets } }: Composition): readonly string[] {
  if (secrets?.current !== undefined) return [];
  const encrypting = registry.tasks.filter(({ options: { encrypt } }) => encrypt !== false);
  return encrypting.map(({ name }) => `${name} has \`encrypt\`, which needs \`secrets\` of \`asyncModule\`, with a \`current\` key`);
}

/** The roles that tasks require and that no principal could ever have. */
function unheldRequirements({ accessGuard, registry, options }: Composition): readonly string[] {
  if (options.dispatcher === false || accessGuard.grants) return [];
  const demanding = registry.tasks.filter(({ options: { requires } }) => requires.length > 0);
  return demanding.map(
    ({ name, options: { requires } }) =>
      `${name} requires ${requires.map((role) => `\`${role}\``).join(', ')}, which no principal can have: bind a PrincipalResolver, which returns the roles of principals, or an Authorizer`,
  );
}

function newable(service: Class): new () => object {
  return service as unknown as new () => object;
}
