/** Filters over random columns of every type, against the contract's words taken row by row (naive.ts). */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../src/base/random.js';
import { FilterIndex, type FilterOptions, type Selection } from '../../../src/retrieve/filter/filter-index.js';
import { parseFilter } from '../../../src/retrieve/filter/parse-filter.js';
import { jsonOf, matches, type Filter } from './naive.js';
import { below, makeColumn, makeFilter, rowOf, TYPES } from './random-filters.js';
import { dealShards, storeOf, type TestColumn } from './stores.js';

function passing(selection: Selection, shards: readonly { ordinals: Uint32Array }[]): number[] {
  const found = selection.shards.flatMap(({ rows, count }, shard) => {
    const ordinals = [...shards[shard]!.ordinals].filter((_, row) => rows.has(row));
    expect(rows.size).toBe(shards[shard]!.ordinals.length);
    expect(rows.count()).toBe(ordinals.length);
    expect(count).toBe(ordinals.length);
    return ordinals;
  });
  expect(selection.count).toBe(found.length);
  return found.sort((a, b) => a - b);
}

async function makeIndex(columns: readonly TestColumn[], random: () => number, options: FilterOptions) {
  const count = columns[0]!.values.length;
  const batches: number[] = [];
  for (let left = count; left > 0;) {
    const size = 1 + below(random, Math.min(left, Math.max(10, count / 3)));
    batches.push(size);
    left -= size;
  }
  const shards = dealShards(count, 1 + below(random, 3));
  return { index: new FilterIndex({ count, attributes: await storeOf(columns, batches), shards }, options), shards };
}

function check(
  index: FilterIndex,
  shards: { ordinals: Uint32Array }[],
  columns: readonly TestColumn[],
  filter: Filter,
) {
  const plan = parseFilter(JSON.parse(JSON.stringify(jsonOf(filter))), index.schema);
  const rows = columns[0]!.values.map((_, ordinal) => rowOf(columns, ordinal));
  const wanted = rows.flatMap((row, ordinal) => (matches(filter, row) ? [ordinal] : []));
  expect(passing(index.select(plan), shards), JSON.stringify(jsonOf(filter))).toEqual(wanted);
  // What is explained must agree with what is selected, row by row.
  const rejections = index.explain(plan, [...rows.keys()]);
  const explained = rejections.flatMap((reasons, ordinal) => (reasons.length === 0 ? [ordinal] : []));
  expect(explained).toEqual(wanted);
}

describe('a filter passes the rows that the contract says', () => {
  it.each(TYPES.map((type) => ({ type, name: JSON.stringify(type) })))('for $name', async ({ type }) => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), async (seed) => {
        const random = seededRandom(seed);
        const columns = [makeColumn(random, 'a', type, 1 + below(random, 120))];
        const { index, shards } = await makeIndex(columns, random, {});
        for (let i = 0; i < 12; i++) check(index, shards, columns, makeFilter(random, columns, 1));
        await index.prepare();
        for (let i = 0; i < 12; i++) check(index, shards, columns, makeFilter(random, columns, 1));
      }),
      { seed: 4001, numRuns: 12 },
    );
  });

  it('over several attributes, with sparse clauses, with and without memory for caches and indexes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.constantFrom({}, { cacheBytes: 0, indexBytes: 0 }), async (seed, options) => {
        const random = seededRandom(seed);
        const rows = 1 + below(random, 400);
        const columns = ['a', 'b~/c', 'd'].map((name) =>
          makeColumn(random, name, TYPES[below(random, TYPES.length)]!, rows),
        );
        const { index, shards } = await makeIndex(columns, random, options);
        if (random() < 0.5) await index.prepare();
        for (let i = 0; i < 15; i++) check(index, shards, columns, makeFilter(random, columns, 3));
      }),
      { seed: 4002, numRuns: 60 },
    );
  });

  it('over more rows than a block and a slice hold', async () => {
    const random = seededRandom(4003);
    for (const type of TYPES) {
      const columns = [makeColumn(random, 'a', type, 5_000), makeColumn(random, 'b', { kind: 'utf8' }, 5_000)];
      const { index, shards } = await makeIndex(columns, random, {});
      for (let i = 0; i < 3; i++) {
        if (i === 1) await index.prepare();
        check(index, shards, columns, makeFilter(random, columns, 2));
      }
    }
  });
});
