/** Facts about the server's fail point `failCommand`. */

import { MongoNetworkError } from 'mongodb';
import { expect } from 'vitest';
import type { About, Draft } from './fact.js';
import { fact, group } from './fact.js';
import { failCommand } from './fail-point.js';
import { codeOf, refusal } from './refusal.js';

const NEEDS: About = { needs: ['fail points'] };

/** A code that no driver takes for a passing trouble. */
const LASTING = 8000;

const failing = (title: string, show: Draft['show']): Draft => fact(title, show, NEEDS);

export const failCommandFacts = group('faults', 'spec: client-side test guide (failCommand)', [
  failing('fails a command a number of times with the given code', async (bench) => {
    await failCommand(bench, { times: 2 }, { failCommands: ['find'], errorCode: LASTING });
    expect(await codeOf(bench.things.findOne())).toBe(LASTING);
    expect(await codeOf(bench.things.findOne())).toBe(LASTING);
    expect(await bench.things.findOne()).toBeNull();
  }),
  failing('fails only the commands named', async (bench) => {
    await failCommand(bench, 'alwaysOn', { failCommands: ['insert', 'update'], errorCode: LASTING });
    expect(await codeOf(bench.things.insertOne({ _id: 1 }))).toBe(LASTING);
    expect(await codeOf(bench.things.updateOne({ _id: 1 }, { $set: { n: 1 } }))).toBe(LASTING);
    expect(await bench.things.deleteOne({ _id: 1 })).toMatchObject({ deletedCount: 0 });
  }),
  failing('fails before the command is applied', async (bench) => {
    await failCommand(bench, { times: 1 }, { failCommands: ['insert'], errorCode: LASTING });
    expect(await codeOf(bench.things.insertOne({ _id: 1 }))).toBe(LASTING);
    expect(await bench.things.countDocuments()).toBe(0);
  }),
  failing('lets a number of commands pass before it fails', async (bench) => {
    await failCommand(bench, { skip: 2 }, { failCommands: ['find'], errorCode: LASTING });
    await bench.things.findOne();
    await bench.things.findOne();
    expect(await codeOf(bench.things.findOne())).toBe(LASTING);
    expect(await codeOf(bench.things.findOne())).toBe(LASTING);
  }),
  failing('fails with a probability', async (bench) => {
    await failCommand(bench, { activationProbability: 1 }, { failCommands: ['find'], errorCode: LASTING });
    expect(await codeOf(bench.things.findOne())).toBe(LASTING);
    await failCommand(bench, { activationProbability: 0 }, { failCommands: ['find'], errorCode: LASTING });
    expect(await bench.things.findOne()).toBeNull();
  }),
  failing('is over when it is set off', async (bench) => {
    await failCommand(bench, 'alwaysOn', { failCommands: ['find'], errorCode: LASTING });
    expect(await codeOf(bench.things.findOne())).toBe(LASTING);
    await bench.client.db('admin').command({ configureFailPoint: 'failCommand', mode: 'off' });
    expect(await bench.things.findOne()).toBeNull();
  }),
  failing('fails only clients of the name given', async (bench) => {
    const other = await bench.connect({ appName: `${bench.appName}-other` });
    await failCommand(bench, 'alwaysOn', { failCommands: ['find'], errorCode: LASTING });
    expect(await other.db(bench.db.databaseName).collection('things').findOne()).toBeNull();
    expect(await codeOf(bench.things.findOne())).toBe(LASTING);
  }),
  failing('labels the error as told', async (bench) => {
    const errorLabels = ['TransientTransactionError', 'SomethingElse'];
    await failCommand(bench, { times: 1 }, { failCommands: ['find'], errorCode: LASTING, errorLabels });
    expect((await refusal(bench.things.findOne())).labels).toEqual(expect.arrayContaining(errorLabels));
  }),
  failing('delays a command by a number of milliseconds', async (bench) => {
    await failCommand(bench, { times: 1 }, { failCommands: ['find'], blockConnection: true, blockTimeMS: 100 });
    const began = performance.now();
    await bench.things.findOne();
    expect(performance.now() - began).toBeGreaterThan(90);
  }),
  failing('closes the connection instead of an answer', async (bench) => {
    const client = await bench.connect({ retryReads: false });
    await failCommand(bench, { times: 1 }, { failCommands: ['find'], closeConnection: true });
    await expect(client.db(bench.db.databaseName).collection('things').findOne()).rejects.toBeInstanceOf(MongoNetworkError);
  }),
]);
