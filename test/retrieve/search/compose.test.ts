/** Any composition of seeds, filter, exclusions, crowding and min_score against its definition. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Bitset } from '../../../src/base/bitset.js';
import { SHARD_PLANS } from '../../../src/wire/shard-plans.js';
import { openExactSearch } from '../../../src/engine/exact-search.js';
import { askFor, askSeeds, searchInTurns } from './in-turns.js';
import { search, searchExact, searchSeeds } from '../../../src/retrieve/search/run-search.js';
import { planSearch } from '../../../src/retrieve/search/search-plan.js';
import { type SearchOptions, type SeedQuery } from '../../../src/retrieve/search/search-options.js';
import { type Answer } from '../../../src/retrieve/search/answer.js';
import { checkQuery } from '../../../src/retrieve/search/query.js';
import { makeVectors, temporaryFolder } from '../../indexes.js';
import { expectedOf, FILTERS, openShop, type Composition, type Item, type Shop } from '../shop.js';

const ROWS = 300;
const DIM = 5;

const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const seedArbitrary = fc.record({
  self: optional(fc.integer({ min: 0, max: ROWS - 1 })),
  vectorSeed: fc.integer({ min: 0, max: 1e6 }),
  // The last one leaves few different merged scores: most are equal.
  weight: fc.oneof(fc.constant(1), fc.constantFrom(0.5, 2, 1e-3, 3.7, 2e-44)),
  quota: optional(fc.integer({ min: 1, max: 40 })),
});
const composition = fc.record({
  k: fc.oneof(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: ROWS + 20 })),
  filter: optional(fc.constantFrom(...FILTERS)),
  excludeIds: optional(fc.array(fc.integer({ min: 0, max: ROWS + 20 }).map(String), { maxLength: 90 })),
  minScore: optional(fc.double({ min: -4, max: 4, noNaN: true })),
  crowding: optional(fc.record({ attribute: fc.constantFrom('shop', 'price'), limit: fc.integer({ min: 1, max: 6 }) })),
});

type SeedDraw = Omit<SeedQuery, 'query'> & { readonly vectorSeed: number };

function seedQuery({ version }: Shop, { self, vectorSeed, weight, quota }: SeedDraw): SeedQuery {
  const query =
    self === undefined ? checkQuery(version.manifest, makeVectors(1, DIM, vectorSeed)) : version.vectorOf(self);
  return { query, weight, quota, self };
}

const optionsOf = ({ filter, ...others }: Composition, more: Partial<SearchOptions> = {}): SearchOptions => ({
  ...others,
  ...(filter && { filter: filter.json }),
  ...more,
});

const plain = (answer: Answer) => ({
  ordinals: Array.from(answer.ordinals),
  scores: Array.from(answer.scores),
  short: answer.quality.short,
});
const withSeeds = (answer: Answer) => ({
  ...plain(answer),
  seeds: Array.from(answer.seeds!),
  seedScores: Array.from(answer.seedScores!),
});

describe.each([
  { metric: 'cosine', shards: 1, engine: 'native', grid: 1 },
  { metric: 'l2', shards: 1, engine: 'native', grid: 2 },
  { metric: 'ip', shards: 3, engine: 'native', grid: 1 },
  { metric: 'cosine', shards: 4, engine: 'hnswlib', grid: 2 },
  { metric: 'l2', shards: 16, engine: 'native', grid: 1 },
] as const)('exact compositions under $metric over $shards shards, $engine', (spec) => {
  let shop: Shop;
  const pool = openExactSearch(1);
  beforeAll(async () => {
    shop = await openShop(temporaryFolder(), 'shop', { rows: ROWS, dim: DIM, seed: 7, ...spec });
  });
  afterAll(async () => {
    shop.version.close();
    await pool.close();
  });

  it('several seeds give what the definition gives, at once and in turns', async () => {
    await fc.assert(
      fc.asyncProperty(composition, fc.array(seedArbitrary, { minLength: 1, maxLength: 5 }), async (asked, draws) => {
        const seeds = draws.map((draw) => seedQuery(shop, draw));
        const expected = expectedOf(shop, seeds, asked);
        const options = optionsOf(asked, { exact: true });
        expect(withSeeds(searchSeeds(shop.version, seeds, options))).toEqual(expected);
        expect(withSeeds(await searchInTurns(shop.version, pool, askSeeds(shop.version, seeds, options)))).toEqual(
          expected,
        );
      }),
      { seed: 101, numRuns: 150 },
    );
  });

  it('one query gives what the definition gives: at once, up to its scans, and among others', async () => {
    await fc.assert(
      fc.asyncProperty(composition, seedArbitrary, async (composed, draw) => {
        const { version } = shop;
        const seed = { ...seedQuery(shop, draw), weight: 1, quota: undefined };
        const { ordinals, scores, short } = expectedOf(shop, [seed], composed);
        const expected = { ordinals, scores, short };
        const options = optionsOf(composed, { exact: true });
        expect(plain(search(version, seed.query, options, seed.self))).toEqual(expected);
        const asked = askFor(version, seed.query, options, seed.self);
        expect(plain(await searchInTurns(version, pool, asked))).toEqual(expected);
        const other = version.vectorOf(1);
        const packed = Float32Array.from([...seed.query, ...other]);
        const [answer] = await searchExact(version, pool, packed, options, [seed.self, undefined]);
        expect(plain(answer!)).toEqual(expected);
      }),
      { seed: 102, numRuns: 100 },
    );
  });

  it('leaves the sets of rows as they were, whatever was searched', () => {
    for (const { json } of FILTERS.slice(1)) {
      const { passing } = planSearch(shop.version, { k: 1, filter: json });
      passing!.forEach(({ words, count }) => expect(new Bitset(32 * words.length, words).count()).toBe(count));
    }
  });
});

describe.each([
  { shards: 1, engine: 'native' },
  { shards: 4, engine: 'native' },
  { shards: 16, engine: 'native' },
  { shards: 2, engine: 'hnswlib' },
] as const)('compositions on graphs, $shards shards, $engine', ({ shards, engine }) => {
  const rows = 4_000;
  let shop: Shop;
  const pool = openExactSearch(1);
  beforeAll(async () => {
    shop = await openShop(temporaryFolder(), 'shop', { rows, dim: DIM, metric: 'cosine', shards, engine, seed: 8 });
  });
  afterAll(async () => {
    shop.version.close();
    await pool.close();
  });
  const plans = fc.constantFrom(undefined, ...SHARD_PLANS);

  /** Members satisfy what was asked, have their own scores, are in order, and the first half of the truth is among them. */
  function check(seeds: readonly SeedQuery[], asked: Composition, answer: Answer): void {
    const unbounded = expectedOf(shop, seeds.map((seed) => ({ ...seed, quota: undefined })), { ...asked, k: rows, crowding: undefined }); // prettier-ignore
    const places = new Map(unbounded.ordinals.map((ordinal, place) => [ordinal, place]));
    const ordinals = Array.from(answer.ordinals);
    const found = ordinals.map((ordinal) => places.get(ordinal)!);
    expect(found).toEqual([...new Set(found)].sort((a, b) => a - b));
    expect(Array.from(answer.scores)).toEqual(found.map((place) => unbounded.scores[place]));
    if (answer.seeds) expect(Array.from(answer.seeds)).toEqual(found.map((place) => unbounded.seeds[place]));
    seeds.forEach(({ quota = rows }, seed) => {
      if (answer.seeds) expect(answer.seeds.filter((other) => other === seed).length).toBeLessThanOrEqual(quota);
    });
    if (asked.crowding) {
      const { attribute, limit } = asked.crowding;
      const values = ordinals.map((ordinal) => shop.items[ordinal]![attribute as keyof Item]);
      for (const value of values) if (value !== null) expect(values.filter((other) => other === value).length).toBeLessThanOrEqual(limit); // prettier-ignore
    }
    const truth = expectedOf(shop, seeds, asked);
    expect(answer.ordinals.length).toBe(truth.ordinals.length);
    expect(answer.quality.short).toBe(truth.short);
    const firstHalf = truth.ordinals.slice(0, Math.ceil(truth.ordinals.length / 2));
    expect(firstHalf.filter((ordinal) => !ordinals.includes(ordinal))).toEqual([]);
  }

  it('are what was asked for, and miss nothing of the first half of the truth', async () => {
    await fc.assert(
      fc.asyncProperty(
        composition,
        fc.array(seedArbitrary, { minLength: 1, maxLength: 3 }),
        plans,
        async (asked, draws, plan) => {
          const seeds = draws.map((draw) => seedQuery(shop, draw));
          const options = optionsOf(asked, { plan });
          const answer = searchSeeds(shop.version, seeds, options);
          check(seeds, asked, answer);
          expect(await searchInTurns(shop.version, pool, askSeeds(shop.version, seeds, options))).toEqual(answer);
          const [{ query, self }] = seeds as [SeedQuery];
          const single = search(shop.version, query, options, self);
          check([{ query, self, weight: 1 }], asked, single);
          const inTurns = askFor(shop.version, query, options, self);
          expect(await searchInTurns(shop.version, pool, inTurns)).toEqual(single);
        },
      ),
      { seed: 103, numRuns: 40 },
    );
  });

  it('say that a filter was given, and how many rows pass it', () => {
    for (const { json, passes } of FILTERS.slice(1)) {
      const { quality } = search(shop.version, shop.version.vectorOf(3), { k: 5, filter: json, plan: 'graph' });
      expect(quality.selectivity).toBe(shop.items.filter(passes).length / rows);
      expect(['filtered-graph', 'exact']).toContain(quality.path);
    }
    const excluded = search(shop.version, shop.version.vectorOf(3), { k: 5, excludeIds: ['1', '2'], filter: {} });
    expect(excluded.quality).toMatchObject({ path: 'graph', selectivity: 1 });
  });
});
