import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rawKernel, toScore } from '../../../src/base/metric.js';
import { openExactSearch } from '../../../src/engine/exact-search.js';
import { loadVersion, type LoadedVersion } from '../../../src/retrieve/load/loaded-version.js';
import { checkQuery } from '../../../src/retrieve/search/query.js';
import { askFor, beginLong } from './in-turns.js';
import { singleTask, startSearch, search, searchExact, searchNow } from '../../../src/retrieve/search/run-search.js';
import { planQuery, planSearch } from '../../../src/retrieve/search/search-plan.js';
import { type SearchOptions } from '../../../src/retrieve/search/search-options.js';
import { type Answer } from '../../../src/retrieve/search/answer.js';
import { buildVersion, makeVectors, temporaryFolder } from '../../indexes.js';

const ROWS = 600;
const DIM = 12;

/** What an exact search must give, the slow way, by definition. */
function reference(
  version: LoadedVersion,
  query: Float32Array,
  options: SearchOptions,
  self = -1,
): { ordinals: number[]; scores: number[] } {
  const { metric, dim, count } = version.manifest;
  const excluded = new Set((options.excludeIds ?? []).map((id) => version.ordinalOf(id)));
  const rows = Array.from({ length: count }, (_, ordinal) => ordinal)
    .filter((ordinal) => ordinal !== self && !excluded.has(ordinal))
    .map((ordinal) => ({
      ordinal,
      score: toScore(metric, rawKernel(metric)(query, 0, version.vectorOf(ordinal), 0, dim)),
    }))
    .sort((a, b) => b.score - a.score || a.ordinal - b.ordinal)
    .slice(0, options.k)
    .filter(({ score }) => score >= Math.fround(options.minScore ?? -Infinity));
  return { ordinals: rows.map(({ ordinal }) => ordinal), scores: rows.map(({ score }) => score) };
}

const withSelf = (ids: readonly string[], self: number | undefined) =>
  self === undefined ? ids : [...ids, String(self)];

const plain = ({ ordinals, scores }: Answer) => ({ ordinals: Array.from(ordinals), scores: Array.from(scores) });

describe.each([
  { metric: 'cosine', shards: 1, engine: 'native' },
  { metric: 'l2', shards: 1, engine: 'native' },
  { metric: 'ip', shards: 1, engine: 'native' },
  { metric: 'cosine', shards: 4, engine: 'native' },
  { metric: 'l2', shards: 16, engine: 'native' },
  { metric: 'cosine', shards: 1, engine: 'hnswlib' },
  { metric: 'l2', shards: 1, engine: 'hnswlib' },
  { metric: 'ip', shards: 3, engine: 'hnswlib' },
] as const)('search under $metric over $shards shards, $engine', ({ metric, shards, engine }) => {
  let version: LoadedVersion;
  const pool = openExactSearch(2);
  beforeAll(async () => {
    const root = temporaryFolder();
    const built = await buildVersion(root, 'items', { rows: ROWS, dim: DIM, metric, shards, engine, seed: 5 });
    version = await loadVersion(root, 'items', built.version);
  });
  afterAll(async () => {
    version.close();
    await pool.close();
  });

  const request = fc.record({
    seed: fc.integer({ min: 0, max: 1e6 }),
    k: fc.integer({ min: 1, max: ROWS + 50 }),
    excludeIds: fc.array(fc.integer({ min: 0, max: ROWS + 20 }).map(String), { maxLength: 40 }),
    minScore: fc.option(fc.double({ min: -1, max: 1, noNaN: true }), { nil: undefined }),
    self: fc.option(fc.integer({ min: 0, max: ROWS - 1 }), { nil: undefined }),
  });

  it('gives on the exact path what sorting all rows gives, synchronously and on threads', async () => {
    await fc.assert(
      fc.asyncProperty(request, async ({ seed, k, excludeIds, minScore, self }) => {
        const query =
          self === undefined ? checkQuery(version.manifest, makeVectors(1, DIM, seed)) : version.vectorOf(self);
        const options = { k, excludeIds, minScore, exact: true };
        const expected = reference(version, query, options, self);
        const answer = search(version, query, options, self);
        expect(plain(answer)).toEqual(expected);
        expect(answer.quality.path).toBe('exact');
        expect(answer.quality.ef).toBeNull();
        const [threaded] = await searchExact(version, pool, query, options, self === undefined ? [] : [self]);
        expect(plain(threaded!)).toEqual(expected);
        expect(threaded!.quality).toEqual(answer.quality);
      }),
      { seed: 41, numRuns: 60 },
    );
  });

  it('ends an exact search on threads when its signal says so, before it begins and while it scans', async () => {
    const queries = 256;
    const many = makeVectors(queries, DIM, 3);
    const reason = new Error('nobody waits');
    const controller = new AbortController();
    const running = searchExact(version, pool, many, { k: 100 }, [], { signal: controller.signal });
    controller.abort(reason);
    await expect(running).rejects.toBe(reason);
    const late = searchExact(version, pool, many, { k: 100 }, [], { signal: controller.signal });
    await expect(late).rejects.toBe(reason);
  });

  it('finds by graph nearly what exact search finds, with the same scores to the bit and in the same order', () => {
    let found = 0;
    const queries = 50;
    for (let seed = 0; seed < queries; seed++) {
      const query = checkQuery(version.manifest, makeVectors(1, DIM, 1000 + seed));
      const exact = plain(search(version, query, { k: 20, exact: true }));
      const answer = search(version, query, { k: 20, ef: 200 });
      expect(answer.quality).toMatchObject({
        path: 'graph',
        ef: 200,
        selectivity: 1,
        short: null,
        shards: { total: shards, answered: shards },
      });
      const scores = new Map(exact.ordinals.map((ordinal, i) => [ordinal, exact.scores[i]]));
      for (const [i, ordinal] of answer.ordinals.entries()) {
        if (!scores.has(ordinal)) continue;
        found++;
        expect(answer.scores[i]).toBe(scores.get(ordinal));
      }
      const order = [...answer.ordinals.keys()].sort(
        (a, b) => answer.scores[b]! - answer.scores[a]! || answer.ordinals[a]! - answer.ordinals[b]!,
      );
      expect(order).toEqual([...answer.ordinals.keys()]);
    }
    expect(found / (queries * 20)).toBeGreaterThan(0.98);
  });

  it('answers each query of one plan as it answers the query alone, whether its own item is excluded or not', async () => {
    await fc.assert(
      fc.asyncProperty(request, async ({ seed, k, excludeIds, minScore, self }) => {
        const query = checkQuery(version.manifest, makeVectors(1, DIM, seed));
        const options = { k, excludeIds, minScore };
        const plan = planSearch(version, options);
        for (const own of [self, excludeIds.map(Number).find((id) => id < ROWS), undefined]) {
          const planned = searchNow(
            version,
            singleTask(query, planQuery(version, plan, own === undefined ? [] : [own])),
          );
          expect(planned).toEqual(search(version, query, options, own));
          expect(plain(planned)).toEqual(plain(search(version, query, { ...options, excludeIds: withSelf(excludeIds, own) }))); // prettier-ignore
          const [scanned] = await searchExact(version, pool, query, options, own === undefined ? [] : [own]);
          expect(plain(scanned!)).toEqual(reference(version, query, options, own));
          expect(scanned!.quality.short).toBe(search(version, query, { ...options, exact: true }, own).quality.short);
        }
      }),
      { seed: 43, numRuns: 20 },
    );
  });

  it('leaves excluded ids out and still returns k', () => {
    const query = checkQuery(version.manifest, makeVectors(1, DIM, 77));
    const first = search(version, query, { k: 30 });
    const excludeIds = Array.from(first.ordinals, (ordinal) => version.ids.text(ordinal));
    const second = search(version, query, { k: 30, excludeIds: [...excludeIds, 'no such id'] });
    expect(second.ordinals).toHaveLength(30);
    expect(second.ordinals.filter((ordinal) => first.ordinals.includes(ordinal))).toHaveLength(0);
    expect(search(version, query, { k: 30 })).toEqual(first);
  });
});

describe('a search that graphs cannot answer', () => {
  const dim = 64;
  let version: LoadedVersion;
  const pool = openExactSearch(2);
  beforeAll(async () => {
    const root = temporaryFolder();
    // Too large to be scanned on the spot. The native engine walks for far queries too, by the rows themselves.
    const built = await buildVersion(root, 'far', { rows: 17_000, dim, metric: 'l2', engine: 'hnswlib' });
    version = await loadVersion(root, 'far', built.version);
  });
  afterAll(async () => {
    version.close();
    await pool.close();
  });

  it('leaves its long scans to threads, and gives what it gives on one', async () => {
    const far = makeVectors(1, dim, 8).map((value) => value * 1e6);
    const self = 123;
    for (const options of [{ k: 7 }, { k: 20, excludeIds: ['1', '2', '123'], minScore: -1e9 }]) {
      const begin = () => beginLong(version, askFor(version, far, options, self));
      const begun = begin();
      expect(begun.partialAnswer().quality.shards.answered).toBe(0);
      const expected = search(version, far, options, self);
      expect(expected.quality.path).toBe('exact');
      expect(await begun.finish(pool)).toEqual(expected);
      const gone = AbortSignal.abort(new Error('gone'));
      await expect(begin().finish(pool, { signal: gone })).rejects.toThrow('gone');
    }
  });

  it('leaves them to threads also where the walk would have been long', async () => {
    const far = makeVectors(1, dim, 8).map((value) => value * 1e6);
    let scans = 0;
    const counting: typeof pool.search = (...call) => {
      scans++;
      return pool.search(...call);
    };
    const options = { k: 10_000, ef: 10_000 };
    const answer = await beginLong(version, askFor(version, far, options)).finish({ search: counting });
    expect(answer).toEqual(search(version, far, options));
    expect(scans).toBe(1);
  });

  it('is the only one that does', () => {
    const near = makeVectors(1, dim, 9);
    const answer = search(version, near, { k: 7 });
    expect(startSearch(version, askFor(version, near, { k: 7 }))).toEqual({ kind: 'answered', answer });
  });
});

describe('why an answer is short', () => {
  let version: LoadedVersion;
  const query = Float32Array.of(1, 0, 0);
  beforeAll(async () => {
    const root = temporaryFolder();
    const built = await buildVersion(root, 'few', { rows: 10, dim: 3 });
    version = await loadVersion(root, 'few', built.version);
  });
  afterAll(() => version.close());

  it('corpus: there are fewer rows than k', () => {
    expect(search(version, query, { k: 11 }).quality.short).toBe('corpus');
    expect(search(version, query, { k: 10 }).quality.short).toBeNull();
  });
  it('corpus: the item itself is the one that is missing', () => {
    const answer = search(version, version.vectorOf(3), { k: 10 }, 3);
    expect(answer.ordinals).toHaveLength(9);
    expect(answer.quality.short).toBe('corpus');
  });
  it('filter: exclusions leave fewer than k', () => {
    expect(search(version, query, { k: 10, excludeIds: ['4'] }).quality.short).toBe('filter');
  });
  it('min_score: candidates fell below it, which is compared as float32', () => {
    const all = search(version, query, { k: 10 });
    const least = all.scores[4]!;
    const cut = search(version, query, { k: 10, minScore: Number(least.toPrecision(9)) });
    expect(cut.ordinals).toEqual(all.ordinals.subarray(0, 5));
    expect(cut.quality.short).toBe('min_score');
  });
});

describe('options out of range', () => {
  let version: LoadedVersion;
  beforeAll(async () => {
    const root = temporaryFolder();
    const built = await buildVersion(root, 'few', { rows: 10, dim: 3 });
    version = await loadVersion(root, 'few', built.version);
  });
  afterAll(() => version.close());
  const query = Float32Array.of(1, 0, 0);

  it.each([0, -1, 1.5, 10_001, NaN, 1e9])('k of %d is k_out_of_range', (k) => {
    expect(() => search(version, query, { k })).toThrow(expect.objectContaining({ code: 'k_out_of_range' }));
  });
  it.each([0, 1.5, 10_001])('ef of %d is ef_out_of_range', (ef) => {
    expect(() => search(version, query, { k: 1, ef })).toThrow(expect.objectContaining({ code: 'ef_out_of_range' }));
  });
  it('an ef below k is raised to k', () => expect(search(version, query, { k: 5, ef: 2 }).quality.ef).toBe(5));
  it('without ef the default is max(200, 2k)', () => {
    expect(search(version, query, { k: 5 }).quality.ef).toBe(200);
    expect(search(version, query, { k: 300 }).quality.ef).toBe(600);
  });
});

describe('checkQuery', () => {
  const cosine = { dim: 3, metric: 'cosine' } as const;
  it.each([
    ['dimension_mismatch', [1, 2], cosine],
    ['dimension_mismatch', [1, 2, 3, 4], cosine],
    ['dimension_mismatch', [], cosine],
    ['vector_not_finite', [1, NaN, 3], cosine],
    ['vector_not_finite', [1, Infinity, 3], cosine],
    ['vector_not_finite', [1, 1e39, 3], cosine],
    ['vector_zero', [0, -0, 0], cosine],
    ['vector_out_of_range', [0, 2e18, 0], { dim: 3, metric: 'l2' }],
    ['vector_out_of_range', [0, -2e18, 0], { dim: 3, metric: 'ip' }],
  ] as const)('%s for %j', (code, values, space) => {
    expect(() => checkQuery(space, Float32Array.from(values))).toThrow(expect.objectContaining({ code }));
  });
  it('scales to unit length under cosine, whatever the magnitude, and leaves the caller’s vector alone', () => {
    for (const scale of [1e-30, 1, 1e30]) {
      const given = Float32Array.of(3 * scale, 0, 4 * scale);
      const before = given.slice();
      const query = checkQuery(cosine, given);
      expect(query[0]).toBeCloseTo(0.6, 6);
      expect(query[2]).toBeCloseTo(0.8, 6);
      expect(given).toEqual(before);
    }
  });
  it('takes zeros under l2 and ip', () => {
    expect(checkQuery({ dim: 2, metric: 'l2' }, new Float32Array(2))).toEqual(new Float32Array(2));
  });
});
