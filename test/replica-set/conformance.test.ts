/** The conformance suite: how a MongoDB 4.4 to 8 replica set behaves, shown on whichever was found. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Fact } from './conformance/fact.js';
import { GROUPS, listing } from './conformance/groups.js';
import { Place } from './conformance/place.js';

let place: Place | undefined;

beforeAll(async () => {
  place = await Place.open();
}, 60_000);

afterAll(async () => {
  if (place === undefined) return;
  console.log(`conformance: ${place.summary()}`);
  await place.close();
}, 30_000);

const show = (fact: Fact): void => {
  const { title, timeoutMs: timeout } = fact;
  it(title, { timeout }, ({ skip, signal }) => place?.show(fact, { skip: (reason) => skip(reason), signal }));
};

for (const { name, facts } of GROUPS) describe(name, () => facts.forEach(show));

it('names a source for each of at least 150 facts, none of them twice', () => {
  if (process.env['MILLRACE_LIST'] === '1') console.log(listing());
  const facts = GROUPS.flatMap(({ name, facts }) => facts.map(({ title, source }) => ({ title: `${name}: ${title}`, source })));
  expect(facts.filter(({ source }) => !/^(manual|spec): ./.test(source))).toEqual([]);
  expect(new Set(facts.map(({ title }) => title)).size).toBe(facts.length);
  expect(facts.length).toBeGreaterThanOrEqual(150);
});
