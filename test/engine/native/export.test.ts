import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { METRICS, type Metric } from '../../../src/base/metric.js';
import type { GraphParameters, ShardVectors } from '../../../src/engine/engine.js';
import { engineOf } from '../../../src/engine/engines.js';
import { loadAddon, metricNumber } from '../../../src/engine/native/addon.js';
import { nativeEngine as native } from '../../../src/engine/native/native.js';
import { makeFolder, shapeOf, sourceOf } from '../graphs.js';
import { countReachable, openHnswlibFile, writeHnswlibFile } from '../hnswlib/hnswlib-files.js';
import { bruteForce, randomValues, randomVectors, rowOf, scoreOf } from '../reference.js';

const folder = makeFolder();
afterAll(() => folder.remove());
let files = 0;
const newPath = (suffix: string): string => join(folder.path, `${files++}.${suffix}`);

const PARAMETERS: GraphParameters = { m: 16, efConstruction: 200, seed: 42 };
const EF = 200;
const K = 100;

interface Exported {
  readonly graphPath: string;
  readonly path: string;
  readonly factor: number;
}

/** Builds with the native engine, exports, and has the file checked as one of hnswlib's. */
async function exportGraph(vectors: ShardVectors, parameters: GraphParameters = PARAMETERS): Promise<Exported> {
  const [graphPath, path] = [newPath('graph'), newPath('hnsw')];
  await native.build(sourceOf(vectors), parameters, graphPath, { threads: 2 });
  const { bytes, factor } = await writeHnswlibFile(native, graphPath, vectors, parameters, path);
  expect(readFileSync(path).length).toBe(bytes);
  await engineOf('hnswlib').check(path, shapeOf(vectors, parameters));
  return { graphPath, path, factor };
}

const spaceOf = (metric: Metric): 'l2' | 'ip' => (metric === 'l2' ? 'l2' : 'ip');

/** The last `copies` rows become copies of the first `originals`, in turn. */
function withCopies(vectors: ShardVectors, copies: number, originals: number): ShardVectors {
  const { dim, count, values } = vectors;
  for (let i = 0; i < copies; i++) {
    const from = (i % originals) * dim;
    values.copyWithin((count - copies + i) * dim, from, from + dim);
  }
  return vectors;
}

/** Share of hnswlib's k best that are as near as our k-th; equal scores count as the same. */
async function overlapOf(vectors: ShardVectors, { graphPath, path, factor }: Exported, queries: Float32Array) {
  const { metric, dim, count } = vectors;
  const theirs = openHnswlibFile(path, spaceOf(metric), dim, EF);
  const ours = await native.open(graphPath, vectors, PARAMETERS);
  const k = Math.min(K, count);
  let shared = 0;
  for (let from = 0; from < queries.length; from += dim) {
    const query = queries.slice(from, from + dim);
    const least = ours.search(query, { k, ef: EF }).scores.at(-1)!;
    const point = Array.from(query, (value) => value * factor);
    const { neighbors } = theirs.searchKnn(point, k);
    expect(new Set(neighbors).size).toBe(k);
    shared += neighbors.filter((row) => scoreOf(vectors, query, row) >= least).length;
  }
  ours.close();
  return shared / (k * (queries.length / dim));
}

describe('a native graph as a file of hnswlib', () => {
  for (const metric of METRICS) {
    it.each([3, 20, 33, 67])(`gives hnswlib-node the answers that we give, ${metric}, %i dimensions`, async (dim) => {
      const vectors = randomVectors({ metric, dim }, 3000, 1);
      const overlap = await overlapOf(vectors, await exportGraph(vectors), randomValues(vectors, 50, 2));
      expect(overlap).toBeGreaterThanOrEqual(0.99);
    });

    it.each([
      ['900 copies of one row', 900, 1],
      ['20 copies of each of 45 rows', 900, 45],
      ['one copy of each of 900 rows', 900, 900],
    ])(`does so with %s, ${metric}`, async (_, copies, originals) => {
      const vectors = withCopies(randomVectors({ metric, dim: 19 }, 3000, 3), copies, originals);
      const exported = await exportGraph(vectors);
      expect(countReachable(exported.path, { dim: 19, m: PARAMETERS.m })).toBe(3000);
      expect(await overlapOf(vectors, exported, randomValues(vectors, 50, 4))).toBeGreaterThanOrEqual(0.99);
    });
  }

  it.each(['l2', 'cosine'] as const)(
    'finds every row by its own vector, equal rows all together, %s',
    async (metric) => {
      const vectors = withCopies(randomVectors({ metric, dim: 21 }, 2000, 5), 600, 30);
      const { path } = await exportGraph(vectors);
      const graph = openHnswlibFile(path, metric, 21, 100);
      const equal = (row: number): number => (row < 1400 ? (row < 30 ? row : -1) : (row - 1400) % 30);
      for (let row = 0; row < 2000; row++) {
        const { neighbors } = graph.searchKnn(Array.from(rowOf(vectors, row)), 21);
        expect(neighbors, `row ${row}`).toContain(row);
        if (equal(row) >= 0) expect(neighbors.every((other) => equal(other) === equal(row))).toBe(true);
      }
    },
  );

  it('keeps every row within reach where lists are full of links', async () => {
    const parameters = { m: 4, efConstruction: 100, seed: 42 };
    for (const metric of METRICS) {
      const vectors = withCopies(randomVectors({ metric, dim: 6 }, 4000, 6), 2000, 1000);
      const { path } = await exportGraph(vectors, parameters);
      expect(countReachable(path, { dim: 6, m: 4 })).toBe(4000);
    }
  });

  it.each([1, 2, 17])('is sound for %i rows', async (count) => {
    for (const metric of METRICS) {
      const vectors = randomVectors({ metric, dim: 5 }, count, 7);
      const graph = openHnswlibFile((await exportGraph(vectors)).path, metric, 5, EF);
      expect(graph.getCurrentCount()).toBe(count);
      const query = randomValues(vectors, 1, 8);
      const { neighbors } = graph.searchKnn(Array.from(query), count);
      expect(new Set(neighbors)).toEqual(new Set(Array.from({ length: count }, (_, row) => row)));
    }
  });

  it('finds all of 500 rows that are the same', async () => {
    for (const metric of METRICS) {
      const vectors = withCopies(randomVectors({ metric, dim: 4 }, 500, 9), 499, 1);
      const graph = openHnswlibFile((await exportGraph(vectors)).path, metric, 4, 500);
      const { neighbors } = graph.searchKnn(Array.from(rowOf(vectors, 0)), 500);
      expect(new Set(neighbors).size).toBe(500);
    }
  });

  it('holds the vectors themselves, and distances that are our scores', async () => {
    const vectors = randomVectors({ metric: 'l2', dim: 9 }, 300, 10);
    const { path, factor } = await exportGraph(vectors);
    const graph = openHnswlibFile(path, 'l2', 9, EF);
    expect(factor).toBe(1);
    expect(graph.getPoint(123)).toEqual(Array.from(rowOf(vectors, 123)));
    const query = randomValues(vectors, 1, 11);
    const { neighbors, distances } = graph.searchKnn(Array.from(query), 10);
    const { rows, scores } = bruteForce(vectors, query, { k: 10 });
    expect(neighbors).toEqual([...rows]);
    for (const [i, distance] of distances.entries()) expect(-Math.sqrt(distance)).toBeCloseTo(scores[i]!, 5);
  });

  it.each([1e18, 1e-18])('multiplies vectors that float32 sums could not hold, of magnitude %d', async (magnitude) => {
    for (const metric of ['l2', 'ip'] as const) {
      const vectors = randomVectors({ metric, dim: 12 }, 1000, 12, magnitude);
      const exported = await exportGraph(vectors);
      expect(exported.factor).not.toBe(1);
      const queries = randomValues(vectors, 20, 13, magnitude);
      expect(await overlapOf(vectors, exported, queries)).toBeGreaterThanOrEqual(0.99);
    }
  });

  it('takes more rows by hnswlib-node and finds them and the old ones', async () => {
    const vectors = withCopies(randomVectors({ metric: 'l2', dim: 10 }, 1000, 14), 200, 10);
    const graph = openHnswlibFile((await exportGraph(vectors)).path, 'l2', 10, EF);
    const more = randomVectors(vectors, 300, 15);
    graph.resizeIndex(1300);
    for (let row = 0; row < 300; row++) graph.addPoint(Array.from(rowOf(more, row)), 1000 + row);
    for (let row = 0; row < 300; row++) {
      expect(graph.searchKnn(Array.from(rowOf(more, row)), 1).neighbors).toEqual([1000 + row]);
    }
    for (let row = 10; row < 800; row++) {
      expect(graph.searchKnn(Array.from(rowOf(vectors, row)), 1).neighbors).toEqual([row]);
    }
  });

  it('has equal bytes each time', async () => {
    const vectors = withCopies(randomVectors({ metric: 'cosine', dim: 15 }, 800, 16), 100, 9);
    const [one, other] = [await exportGraph(vectors), await exportGraph(vectors)];
    expect(readFileSync(one.path).equals(readFileSync(other.path))).toBe(true);
  });
});

describe('exporting a native graph', () => {
  it('refuses a damaged file and a graph of other vectors', async () => {
    const vectors = randomVectors({ metric: 'l2', dim: 8 }, 200, 17);
    const { graphPath } = await exportGraph(vectors);
    const others = randomVectors({ metric: 'l2', dim: 8 }, 200, 18);
    await expect(native.exportHnswlib(graphPath, others, PARAMETERS)).rejects.toMatchObject({ code: 'file_corrupt' });
    const bytes = readFileSync(graphPath);
    bytes[100]! ^= 1;
    writeFileSync(graphPath, bytes);
    await expect(native.exportHnswlib(graphPath, vectors, PARAMETERS)).rejects.toMatchObject({
      code: 'file_corrupt',
      details: { file: graphPath },
    });
  });

  it('refuses blocks that hold no element, and reads after it was closed', async () => {
    const vectors = randomVectors({ metric: 'l2', dim: 8 }, 20, 19);
    const { graphPath } = await exportGraph(vectors);
    const { HnswlibExport } = loadAddon();
    const { metric, ...shape } = shapeOf(vectors, PARAMETERS);
    const { values } = vectors;
    const graph = new HnswlibExport({ ...shape, metric: metricNumber(metric), values, path: graphPath, factor: 1 });
    expect(() => graph.read(new Uint8Array(95))).toThrow();
    expect(graph.read(new Uint8Array(100))).toBe(96);
    expect(() => graph.read('block' as unknown as Uint8Array)).toThrow(TypeError);
    graph.close();
    graph.close();
    expect(() => graph.read(new Uint8Array(4096))).toThrow();
    expect(() => graph.bytes()).toThrow();
  });
});

describe('a graph of hnswlib-node as a file of hnswlib', () => {
  it('is that file, once it was checked against the vectors', async () => {
    const engine = engineOf('hnswlib');
    const vectors = randomVectors({ metric: 'ip', dim: 8 }, 300, 20, 1e-9);
    const [graphPath, path] = [newPath('hnsw'), newPath('hnsw')];
    await engine.build(sourceOf(vectors), PARAMETERS, graphPath);
    const { factor, bytes } = await writeHnswlibFile(engine, graphPath, vectors, PARAMETERS, path);
    expect(readFileSync(path).equals(readFileSync(graphPath))).toBe(true);
    expect(readFileSync(path).length).toBe(bytes);
    const stored = openHnswlibFile(path, 'ip', 8, EF).getPoint(7);
    expect(stored).toEqual(Array.from(rowOf(vectors, 7), (value) => value * factor));
    const others = randomVectors(vectors, 300, 21);
    await expect(engine.exportHnswlib(graphPath, others, PARAMETERS)).rejects.toMatchObject({ code: 'file_corrupt' });
  });
});
