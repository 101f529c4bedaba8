import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { Bitset } from '../../../src/base/bitset.js';
import { METRICS } from '../../../src/base/metric.js';
import type { ShardVectors } from '../../../src/engine/engine.js';
import { ExactPool } from '../../../src/engine/exact/exact-pool.js';
import { scan } from '../../../src/engine/exact/scan.js';
import { expectSame, randomSet, randomValues, randomVectors } from '../reference.js';

const pools: ExactPool[] = [];
function openPool(threads: number): ExactPool {
  const pool = new ExactPool(threads);
  pools.push(pool);
  return pool;
}
afterAll(() => Promise.all(pools.map((pool) => pool.close())));

const SPACE = { metric: 'l2', dim: 32 } as const;

/** Dozens of tasks. */
const LONG = { shard: randomVectors(SPACE, 20_000, 1), queries: randomValues(SPACE, 512, 2), count: 512 };
const SHORT = { shard: randomVectors(SPACE, 500, 3), queries: randomValues(SPACE, 3, 4), count: 3 };

/** A shard that claims more rows than its memory has: the thread that scans it crashes. */
const CRASHING: ShardVectors = { ...SHORT.shard, count: 1_000_000 };

describe('ExactPool', () => {
  it.each([1, 2, 3, 4])('gives what scan gives, shard by shard, with %i threads', async (threads) => {
    const pool = openPool(threads);
    for (const metric of METRICS) {
      const space = { metric, dim: 24 };
      const shards = [7000, 0, 1, 900].map((count, i) => randomVectors(space, count, 10 + i));
      const queryCount = 37;
      const queries = randomValues(space, queryCount, 20);
      const allow = [randomSet(7000, 0.3, 21), undefined, new Bitset(1), Bitset.full(900)];
      for (const k of [1, 10, 2000]) {
        for (const sets of [undefined, allow]) {
          const answers = await pool.search(shards, queries, queryCount, { k, allow: sets });
          const expected = shards.map((shard, s) => scan(shard, queries, queryCount, { k, allow: sets?.[s] }));
          const byQuery = Array.from({ length: queryCount }, (_, q) => expected.map((perQuery) => perQuery[q]!));
          expectSame(answers, byQuery);
        }
      }
    }
  });

  it('splits one query over many rows among its threads', async () => {
    const vectors = randomVectors({ metric: 'ip', dim: 64 }, 100_000, 5);
    const query = randomValues(vectors, 1, 6);
    const [[answer]] = (await openPool(3).search([vectors], query, 1, { k: 50 })) as [[unknown]];
    expect(answer).toEqual(scan(vectors, query, 1, { k: 50 })[0]);
  });

  it('answers no query, and queries over no shard or no row', async () => {
    const pool = openPool(2);
    expect(await pool.search([SHORT.shard], new Float32Array(0), 0, { k: 5 })).toEqual([]);
    expect(await pool.search([], SHORT.queries, 3, { k: 5 })).toEqual([[], [], []]);
    const empty = { rows: new Uint32Array(0), scores: new Float32Array(0) };
    const nothing = randomVectors(SPACE, 0, 1);
    expect(await pool.search([nothing], SHORT.queries, 3, { k: 5 })).toEqual([[empty], [empty], [empty]]);
  });

  it('reads queries and filters as they were when it was called', async () => {
    const pool = openPool(2);
    const queries = Float32Array.from(SHORT.queries);
    const allow = randomSet(500, 0.5, 7);
    const expected = scan(SHORT.shard, queries, 3, { k: 9, allow });
    const answering = pool.search([SHORT.shard], queries, 3, { k: 9, allow: [allow] });
    queries.fill(0);
    allow.words.fill(0);
    expect((await answering).map(([answer]) => answer)).toEqual(expected);
  });

  it('answers many calls at once, each with its own', async () => {
    const pool = openPool(2);
    const calls = Array.from({ length: 25 }, (_, i) => randomValues(SPACE, 1 + (i % 9), 100 + i));
    const answers = await Promise.all(
      calls.map((queries) => pool.search([SHORT.shard], queries, queries.length / 32, { k: 11 })),
    );
    calls.forEach((queries, i) => {
      expect(answers[i]!.map(([answer]) => answer)).toEqual(scan(SHORT.shard, queries, queries.length / 32, { k: 11 }));
    });
  });

  it('lets a short call pass a long one', async () => {
    const pool = openPool(2);
    const ended: string[] = [];
    const long = pool.search([LONG.shard], LONG.queries, LONG.count, { k: 5 }).then(() => ended.push('long'));
    const short = pool.search([SHORT.shard], SHORT.queries, SHORT.count, { k: 5 }).then(() => ended.push('short'));
    await Promise.all([long, short]);
    expect(ended).toEqual(['short', 'long']);
  });

  it('ends an aborted call with the reason of its signal, and goes on with the others', async () => {
    const pool = openPool(2);
    const reason = new Error('the deadline passed');
    await expect(
      pool.search([SHORT.shard], SHORT.queries, 3, { k: 5, signal: AbortSignal.abort(reason) }),
    ).rejects.toBe(reason);
    const controller = new AbortController();
    const long = pool.search([LONG.shard], LONG.queries, LONG.count, { k: 5, signal: controller.signal });
    const short = pool.search([SHORT.shard], SHORT.queries, SHORT.count, { k: 5 });
    controller.abort(reason);
    await expect(long).rejects.toBe(reason);
    expect((await short).map(([answer]) => answer)).toEqual(scan(SHORT.shard, SHORT.queries, 3, { k: 5 }));
  });

  it.each([1, 2])(
    'fails the call whose thread crashed, not the others, and replaces the thread, with %i threads',
    async (threads) => {
      const pool = openPool(threads);
      const before = pool.search([SHORT.shard], SHORT.queries, 3, { k: 5 });
      const crashing = Array.from({ length: 3 }, () => pool.search([CRASHING], SHORT.queries, 3, { k: 5 }));
      const after = pool.search([SHORT.shard], SHORT.queries, 3, { k: 5 });
      for (const call of await Promise.allSettled(crashing)) {
        expect(call).toMatchObject({ status: 'rejected', reason: { code: 'internal' } });
      }
      const expected = scan(SHORT.shard, SHORT.queries, 3, { k: 5 });
      expect((await before).map(([answer]) => answer)).toEqual(expected);
      expect((await after).map(([answer]) => answer)).toEqual(expected);
      expect((await pool.search([SHORT.shard], SHORT.queries, 3, { k: 5 })).map(([answer]) => answer)).toEqual(
        expected,
      );
    },
  );

  it('refuses vectors that are not in shared memory, and arguments that contradict each other', async () => {
    const pool = openPool(1);
    const plain = { ...SHORT.shard, values: Float32Array.from(SHORT.shard.values) };
    await expect(pool.search([plain], SHORT.queries, 3, { k: 5 })).rejects.toThrow('SharedArrayBuffer');
    await expect(pool.search([SHORT.shard], SHORT.queries, 4, { k: 5 })).rejects.toThrow('4 queries');
    await expect(pool.search([SHORT.shard], SHORT.queries, 3, { k: 0 })).rejects.toThrow('k is 0');
    await expect(pool.search([SHORT.shard], SHORT.queries, 3, { k: 5, allow: [] })).rejects.toThrow('one set');
    expect(() => new ExactPool(0)).toThrow('0 threads');
  });

  it('rejects what is in flight when it is closed, and what comes after', async () => {
    const pool = openPool(2);
    const long = pool.search([LONG.shard], LONG.queries, LONG.count, { k: 5 });
    const ended = expect(long).rejects.toMatchObject({ code: 'not_ready' });
    await pool.close();
    await ended;
    await expect(pool.search([SHORT.shard], SHORT.queries, 3, { k: 5 })).rejects.toMatchObject({ code: 'not_ready' });
  });

  it('scans shards of more than 4 GiB', async () => {
    // Memory that nothing was written to takes no room; only its last rows hold something.
    const dim = 4096;
    const count = 270_000;
    const values = new Float32Array(new SharedArrayBuffer(4 * dim * count));
    values[(count - 2) * dim] = 3;
    values[(count - 1) * dim + 1] = 5;
    const query = new Float32Array(dim);
    query[0] = 2;
    query[1] = 1;
    const allow = new Bitset(count);
    for (const row of [0, count - 2, count - 1]) allow.add(row);
    const [[answer]] = (await openPool(2).search([{ metric: 'ip', dim, count, values }], query, 1, {
      k: 3,
      allow: [allow],
    })) as [[unknown]];
    expect(answer).toEqual({ rows: Uint32Array.of(count - 2, count - 1, 0), scores: Float32Array.of(6, 5, 0) });
  });

  it('keeps a process alive while there is work, and lets it end after', async () => {
    const script = `
      const { ExactPool } = await import(process.argv[1]);
      const values = new Float32Array(new SharedArrayBuffer(4000)).fill(1);
      const answers = await new ExactPool(2).search([{ metric: 'ip', dim: 1, count: 1000, values }], Float32Array.of(2), 1, { k: 2 });
      console.log([...answers[0][0].rows].join(), [...answers[0][0].scores].join());`;
    const module = fileURLToPath(new URL('../../../dist/engine/exact/exact-pool.js', import.meta.url));
    const run = promisify(execFile)(process.execPath, ['--input-type=module', '-e', script, module], {
      timeout: 30_000,
    });
    expect((await run).stdout).toBe('0,1 2,2\n');
  });
});
