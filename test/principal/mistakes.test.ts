/** Errors for impossible principals, ports and requirements: thrown at once, in a sentence. */

import { Container } from 'inversify';
import { describe, expect, it } from 'vitest';
import { Authorizer, makeJob, OptionError, PrincipalResolver, task } from '../../src/index.js';
import { setup } from '../support/bundle.js';
import { containerOf, Users } from './users.js';

const nothing = task('nothing', { quotas: [] }, () => {});
const edit = task('edit', { quotas: [], requires: ['editor', 'owner'] }, () => {});

describe('a principal', () => {
  it.each<[string, unknown, string]>([
    [
      'that is a name',
      'ann',
      'must be an object with `realm` and `id`, each a non-empty, well-formed string of at most 1000 characters, but is the string "ann"',
    ],
    ['without a realm', { id: 'ann' }, 'must be an object with `realm` and `id`'],
    ['with an empty id', { realm: 'staff', id: '' }, 'must be an object with `realm` and `id`'],
    ['with half a character', { realm: 'staff', id: '\ud800' }, 'must be an object with `realm` and `id`'],
    ['whose id no store would take', { realm: 'staff', id: 'x'.repeat(1_001) }, 'of at most 1000 characters, but is an object'],
    ['of Millrace’s own realm', { realm: 'millrace', id: 'ann' }, 'has only `anonymous` and `system`'],
  ])('%s is refused by `runAs` and by drafts', async (_title, principal, message) => {
    const { async } = await setup({ tasks: [nothing] });
    for (const call of [() => async.runAs(principal as never, () => {}), () => makeJob(nothing).with({ principal: principal as never })]) {
      expect(call).toThrow(OptionError);
      expect(call).toThrow(message);
    }
  });

  it('runs nothing without code', async () => {
    const { async } = await setup();
    expect(() => async.runAs({ realm: 'staff', id: 'ann' }, undefined as never)).toThrow('`fn` of `runAs` must be a function');
  });
});

describe('what a task requires', () => {
  it('is a list of words', () => {
    expect(() => task('edit', { requires: 'editor' as never }, () => {})).toThrow(
      '`requires` of the task edit must be an array of non-empty',
    );
  });

  it('is refused at start where nobody could ever have it', async () => {
    await expect(setup({ tasks: [edit] })).rejects.toThrow(
      'edit requires `editor`, `owner`, which no principal can have: bind a PrincipalResolver, which returns the roles of principals, or an Authorizer',
    );
    await setup({ tasks: [edit], dispatcher: false });
    await setup({ tasks: [edit], container: containerOf({ users: new Users() }) });
    await setup({ tasks: [edit], container: containerOf({ authorizer: { authorize: () => true } }) });
  });
});

describe('a port', () => {
  it('that cannot be resolved, or has not its method, is a problem of the start', async () => {
    const container = new Container();
    container.bind(PrincipalResolver).toDynamicValue(() => {
      throw new Error('no directory');
    });
    container.bind(Authorizer).toConstantValue({} as never);
    const start = setup({ tasks: [edit], container });
    await expect(start).rejects.toThrow('PrincipalResolver cannot be resolved: ');
    await expect(start).rejects.toThrow('the value bound as Authorizer has no method `authorize`');
  });
});
