import { afterAll, describe, expect, it } from 'vitest';
import { Bitset } from '../../../src/base/bitset.js';
import { METRICS } from '../../../src/base/metric.js';
import { scan } from '../../../src/engine/exact/scan.js';
import { openExactSearch } from '../../../src/engine/exact-search.js';
import { NativePool } from '../../../src/engine/native/native-pool.js';
import { expectSame, randomSet, randomValues, randomVectors } from '../reference.js';

const pools: NativePool[] = [];
function openPool(threads: number): NativePool {
  const pool = new NativePool(threads);
  pools.push(pool);
  return pool;
}
afterAll(() => Promise.all(pools.map((pool) => pool.close())));

const SPACE = { metric: 'l2', dim: 32 } as const;
const LONG = { shard: randomVectors(SPACE, 40_000, 1), queries: randomValues(SPACE, 1024, 2), count: 1024 };
const SHORT = { shard: randomVectors(SPACE, 500, 3), queries: randomValues(SPACE, 3, 4), count: 3 };

describe('exact search by the addon', () => {
  it('is what an exact search is opened as where the addon is there', async () => {
    const pool = openExactSearch(1);
    expect(pool).toBeInstanceOf(NativePool);
    await pool.close();
  });

  it.each([1, 2, 3])('gives what the scan in JavaScript gives, to the bit, with %i threads', async (threads) => {
    const pool = openPool(threads);
    for (const metric of METRICS) {
      for (const dim of [1, 5, 24, 131]) {
        const space = { metric, dim };
        const shards = [3000, 0, 1, 900].map((count, i) => randomVectors(space, count, 10 + i));
        const queries = randomValues(space, 13, 20);
        const allow = [randomSet(3000, 0.3, 21), undefined, new Bitset(1), Bitset.full(900)];
        for (const k of [1, 10, 2000]) {
          for (const sets of [undefined, allow]) {
            const answers = await pool.search(shards, queries, 13, { k, allow: sets });
            const expected = shards.map((shard, s) => scan(shard, queries, 13, { k, allow: sets?.[s] }));
            const byQuery = Array.from({ length: 13 }, (_, q) => expected.map((perQuery) => perQuery[q]!));
            expectSame(answers, byQuery);
          }
        }
      }
    }
  });

  it('looks for the best in float32 and loses none of them, however great, small or alike the vectors are', async () => {
    const pool = openPool(2);
    const count = 70;
    for (const metric of ['ip', 'l2'] as const) {
      for (const [dim, ...magnitudes] of [
        [3, 1e18],
        [40, 1e18, 1],
        [40, 1e18, 1e-30],
        [131, 1e-18],
        [131, 1e-22],
        [9, 1e-38],
        [2000, 1e18],
      ]) {
        // prettier-ignore
        const space = { metric, dim: dim! };
        const rows = dim! > 1000 ? 300 : 3000;
        const [values, queries] = [randomValues(space, rows, 31), randomValues(space, count, 32)];
        const scale = (vectors: Float32Array): void =>
          vectors.forEach((value, i) => (vectors[i] = value * magnitudes[Math.floor(i / dim!) % magnitudes.length]!));
        scale(values);
        scale(queries);
        for (let row = 1; row < rows; row += 3) values.copyWithin(row * dim!, 0, dim);
        queries.set(values.subarray(0, dim), dim);
        const shard = { metric, dim: dim!, count: rows, values };
        for (const k of [1, 50, 0.4 * rows]) {
          const answers = await pool.search([shard], queries, count, { k });
          expectSame(
            answers,
            scan(shard, queries, count, { k }).map((found) => [found]),
          );
        }
      }
    }
  });

  it('answers no query, and queries over no shard or no row', async () => {
    const pool = openPool(2);
    expect(await pool.search([SHORT.shard], new Float32Array(0), 0, { k: 5 })).toEqual([]);
    expect(await pool.search([], SHORT.queries, 3, { k: 5 })).toEqual([[], [], []]);
    const empty = { rows: new Uint32Array(0), scores: new Float32Array(0) };
    const none = randomVectors(SPACE, 0, 1);
    expect(await pool.search([none], SHORT.queries, 3, { k: 5 })).toEqual([[empty], [empty], [empty]]);
  });

  it('lets a short call pass a long one', async () => {
    const pool = openPool(1);
    const ends: string[] = [];
    const long = pool.search([LONG.shard], LONG.queries, LONG.count, { k: 10 }).then(() => ends.push('long'));
    const short = pool.search([SHORT.shard], SHORT.queries, 3, { k: 10 }).then(() => ends.push('short'));
    await Promise.all([long, short]);
    expect(ends).toEqual(['short', 'long']);
  });

  it('rejects an aborted call with its reason, and answers others', async () => {
    const pool = openPool(2);
    const abort = new AbortController();
    const call = pool.search([LONG.shard], LONG.queries, LONG.count, { k: 10, signal: abort.signal });
    abort.abort(new Error('enough'));
    await expect(call).rejects.toThrow('enough');
    expect(await pool.search([SHORT.shard], SHORT.queries, 3, { k: 1 })).toHaveLength(3);
  });

  it('rejects calls in flight when it closes, and new ones after', async () => {
    const pool = new NativePool(2);
    const call = pool.search([LONG.shard], LONG.queries, LONG.count, { k: 10 });
    await pool.close();
    await expect(call).rejects.toMatchObject({ code: 'not_ready' });
    await expect(pool.search([SHORT.shard], SHORT.queries, 3, { k: 1 })).rejects.toMatchObject({ code: 'not_ready' });
    await pool.close();
  });

  it('refuses queries of another length and a filter made for another shard', async () => {
    const pool = openPool(1);
    await expect(pool.search([SHORT.shard], SHORT.queries, 2, { k: 1 })).rejects.toThrow('2 queries');
    const allow = [Bitset.full(501)];
    await expect(pool.search([SHORT.shard], SHORT.queries, 3, { k: 1, allow })).rejects.toThrow('501 rows');
  });
});
