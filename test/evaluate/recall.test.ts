import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EventLoopYielder } from '../../src/base/event-loop-yielder.js';
import { measurePoint, percentile } from '../../src/evaluate/grid.js';
import { externalQueries, queryAt, sampleQueries } from '../../src/evaluate/queries.js';
import { recallOf, summarizeRecall } from '../../src/evaluate/recall.js';
import { findTruth, type TruthCache } from '../../src/evaluate/truth.js';
import { noteTruthCache } from '../../src/evaluate/truth-cache.js';
import type { GridPoint } from '../../src/evaluate/grid.js';
import { evaluateVersion } from '../../src/evaluate/evaluate.js';
import { openExactSearch } from '../../src/engine/exact-search.js';
import { loadVersion, type LoadedVersion } from '../../src/retrieve/load/loaded-version.js';
import { search } from '../../src/retrieve/search/run-search.js';
import { buildVectors, buildVersion, makeVectors, temporaryFolder } from '../indexes.js';

const pool = openExactSearch(2);
afterAll(() => pool.close());

describe('recall of one answer', () => {
  // Distances to the query (0, 0): 1, 1, 1, 2, 3; rows 0 to 2 tie.
  let version: LoadedVersion;
  const query = new Float32Array(2);
  const truth = Uint32Array.of(0, 1, 2, 3, 4);
  beforeAll(async () => {
    const root = temporaryFolder();
    const vectors = Float32Array.of(1, 0, 0, 1, -1, 0, 2, 0, 3, 0);
    version = await loadVersion(
      root,
      'ties',
      (await buildVectors(root, 'ties', { vectors, dim: 2, metric: 'l2' })).version,
    );
  });
  afterAll(() => version.close());
  const recall = (found: number[], k: number) => recallOf(version, query, Uint32Array.from(found), truth, k);

  it('by distance, rows as near as the k-th count alike; by id, only the ones that the truth named', () => {
    expect(recall([1, 2], 2)).toEqual({ byDistance: 1, byId: 0.5 });
    expect(recall([2, 3], 2)).toEqual({ byDistance: 0.5, byId: 0 });
  });
  it('what was not found counts against it', () => expect(recall([0], 4)).toEqual({ byDistance: 0.25, byId: 0.25 }));
  it('one row found twice counts once', () => expect(recall([0, 0], 2).byDistance).toBe(0.5));
  it('only the first k count', () => expect(recall([4, 0], 1)).toEqual({ byDistance: 0, byId: 0 }));
  it('the denominator is min(k, rows that could come back)', () =>
    expect(recall([0, 1, 2, 3, 4], 100).byDistance).toBe(1));
  it('is never above 1 where more rows tie than k', () => expect(recall([0, 1, 2], 2).byDistance).toBe(1));

  it('many are summed up by mean and worst', () => {
    const recalls = [1, 0.5, 0.75].map((byDistance) => ({ byDistance, byId: 1 }));
    expect(summarizeRecall(recalls)).toEqual({ byDistance: 0.75, byId: 1, worst: 0.5 });
  });
});

describe('recall of data far from the origin, under l2', () => {
  it('counts what is near and nothing else', async () => {
    // Two queries' worth of distance apart, and a thousand times that from the origin: |q||x| would forgive any answer.
    const root = temporaryFolder();
    const vectors = Float32Array.from({ length: 200 }, (_, row) => 100_000 + row);
    const { version: name } = await buildVectors(root, 'far', { vectors, dim: 1, metric: 'l2' });
    const version = await loadVersion(root, 'far', name);
    const query = Float32Array.of(100_000);
    const truth = Uint32Array.from({ length: 10 }, (_, ordinal) => ordinal);
    const recall = (found: number[]) => recallOf(version, query, Uint32Array.from(found), truth, 10).byDistance;
    expect(recall([...truth])).toBe(1);
    expect(recall([0, 1, 2, 3, 4, 100, 101, 102, 103, 104])).toBe(0.5);
    version.close();
  });
});

describe('truth', () => {
  const root = temporaryFolder();
  let version: LoadedVersion;
  beforeAll(async () => {
    version = await loadVersion(
      root,
      'items',
      (await buildVersion(root, 'items', { rows: 300, dim: 6, shards: 2 })).version,
    );
  });
  afterAll(() => version.close());

  it('is what exact search finds, and leaves a sampled row out of its own answer', async () => {
    const queries = sampleQueries(version, 100, 1);
    const truth = await findTruth(version, queries, { k: 10, pool });
    for (const [position, neighbors] of truth.neighbors.entries()) {
      const self = queries.selfOrdinals![position]!;
      expect(neighbors).not.toContain(self);
      expect(neighbors).toEqual(search(version, queryAt(queries, position, 6), { k: 10, exact: true }, self).ordinals);
    }
  });

  it('has fewer than k where the corpus has no more', async () => {
    const truth = await findTruth(version, sampleQueries(version, 5, 1), { k: 1000, pool });
    expect(truth.neighbors.map((neighbors) => neighbors.length)).toEqual([299, 299, 299, 299, 299]);
  });

  it('is cached by content: the same question is not computed again, another one is', async () => {
    const store = new Map<string, Uint8Array>();
    let hits = 0;
    const cache: TruthCache = {
      read: (key) => Promise.resolve(store.get(key) ?? null).then((bytes) => (bytes && hits++, bytes)),
      write: (key, bytes) => Promise.resolve(void store.set(key, bytes)),
    };
    const sample = sampleQueries(version, 20, 1);
    const first = await findTruth(version, sample, { k: 400, pool, cache });
    expect(await findTruth(version, sample, { k: 400, pool, cache })).toEqual(first);
    expect(hits).toBe(1);
    await findTruth(version, sample, { k: 4, pool, cache });
    await findTruth(version, sampleQueries(version, 20, 2), { k: 400, pool, cache });
    await findTruth(version, externalQueries(version, makeVectors(20, 6, 3)), { k: 400, pool, cache });
    expect(store.size).toBe(4);
    expect(hits).toBe(1);
  });

  it('a damaged cache is computed anew', async () => {
    const cache = noteTruthCache(root, version.manifest);
    const queries = sampleQueries(version, 10, 9);
    const first = await findTruth(version, queries, { k: 5, pool, cache });
    let flips = 0;
    const damaged: TruthCache = {
      read: async (key) => {
        const bytes = (await cache.read(key))!.slice();
        bytes[flips++]! ^= 1;
        return bytes;
      },
      write: () => Promise.resolve(),
    };
    for (let i = 0; i < 10; i++)
      expect(await findTruth(version, queries, { k: 5, pool, cache: damaged })).toEqual(first);
    expect(flips).toBe(10);
  });
});

describe('the grid', () => {
  let version: LoadedVersion;
  const root = temporaryFolder();
  beforeAll(async () => {
    version = await loadVersion(root, 'items', (await buildVersion(root, 'items', { rows: 2000, dim: 24 })).version);
  });
  afterAll(() => version.close());

  it('has one point for each k and ef, recall that grows with ef, and times that fit together', async () => {
    const { points, queries, source } = await evaluateVersion(root, version, {
      queries: null,
      sample: 40,
      seed: 1,
      ks: [10, 50],
      efs: [10, 400],
    });
    expect({ queries, source }).toEqual({ queries: 40, source: 'sample' });
    // Between them stands the ef of a search that names none, which is 200 before calibration.
    expect(points.map(({ k, ef, ef_used }) => [k, ef, ef_used])).toEqual([
      [10, 10, 10],
      [10, 200, 200],
      [10, 400, 400],
      [50, 10, 50],
      [50, 200, 200],
      [50, 400, 400],
    ]);
    expect(points.map((point) => point.is_default)).toEqual([false, true, false, false, true, false]);
    const [low, , high] = points as [GridPoint, GridPoint, GridPoint];
    expect(high.recall).toBeGreaterThan(low.recall);
    expect(high.recall).toBeGreaterThan(0.99);
    for (const point of points) {
      expect(point.p99_ms).toBeGreaterThanOrEqual(point.p50_ms);
      expect(point.qps).toBeGreaterThan(0);
      expect(point.recall_worst).toBeLessThanOrEqual(point.recall);
    }
  });

  it('under a filter measures among the rows that pass, whatever was measured without one', async () => {
    const grid = { queries: null, sample: 40, seed: 1, ks: [10, 50], efs: [2000] };
    const everywhere = await evaluateVersion(root, version, grid);
    const filtered = await evaluateVersion(root, version, { ...grid, filter: { price: { $lt: 200 } } });
    expect(everywhere.selectivity).toBeUndefined();
    expect(filtered.selectivity).toBe(160 / 2000); // prices are 0.25 above the row, and missing in every fifth
    // The nearest of all rows are hardly among these: a truth of all rows would be missed.
    expect(filtered.points.map(({ k, recall }) => [k, recall])).toEqual([[10, 1], [10, 1], [50, 1], [50, 1]]); // prettier-ignore
    expect(everywhere.points.filter(({ ef }) => ef === 2000).map(({ recall }) => recall)).toEqual([1, 1]);
  });

  it('refuses a filter that says nothing about this index', async () => {
    const filter = { colour: 'red' };
    await expect(
      evaluateVersion(root, version, { queries: null, sample: 5, seed: 1, ks: [5], efs: [50], filter }),
    ).rejects.toMatchObject({ code: 'bad_filter' });
  });

  it('measures queries from outside too', async () => {
    const queries = externalQueries(version, makeVectors(5, 24, 8));
    const truth = await findTruth(version, queries, { k: 10, pool });
    expect((await measurePoint(version, queries, truth, { k: 10, ef: 2000 }, new EventLoopYielder())).recall).toBe(1);
  });
});

describe('percentile', () => {
  it.each([
    [[1, 2, 3, 4], 0.5, 2],
    [[1, 2, 3, 4], 0.99, 4],
    [[7], 0.5, 7],
    [[], 0.5, 0],
  ])('of %j at %d is %d', (values, share, expected) => expect(percentile(values, share)).toBe(expected));
});
