import { execFile } from 'node:child_process';
import { cpSync, existsSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import type { ShardIndex, ShardVectors } from '../../../src/engine/engine.js';
import { ENGINE_NAMES, engineOf, isEngineName } from '../../../src/engine/engines.js';
import { scan } from '../../../src/engine/exact/scan.js';
import { queryFactor, rowFactor } from '../../../src/engine/hnswlib/scale.js';
import { planGraphSearch } from '../../../src/engine/hnswlib/plan.js';
import { describeEngineContract } from '../contract.js';
import { buildGraph, hnswlib, makeFolder, PARAMETERS, shapeOf, sourceOf } from '../graphs.js';
import { bruteForce, expectSame, randomSet, randomValues, randomVectors, recallOf } from '../reference.js';

const folder = makeFolder();
afterAll(() => folder.remove());
let files = 0;
const newPath = (): string => join(folder.path, `${files++}.hnsw`);

async function open(vectors: ShardVectors, without?: Uint32Array): Promise<ShardIndex> {
  const path = newPath();
  await buildGraph(vectors, path);
  return hnswlib.open(path, vectors, PARAMETERS, without);
}

describeEngineContract({ name: 'hnswlib', path: 'graph', open, hides: true });

describe('the table of engines', () => {
  it('knows each engine by its own name', () => {
    for (const name of ENGINE_NAMES) expect(engineOf(name).name).toBe(name);
    expect(isEngineName('hnswlib')).toBe(true);
    expect(isEngineName('toString')).toBe(false);
  });
});

describe('building with hnswlib', () => {
  const vectors = randomVectors({ metric: 'l2', dim: 12 }, 700, 1);

  it('gives equal bytes for equal rows, parameters and seed, and other bytes for another seed', async () => {
    const [one, same, other] = [newPath(), newPath(), newPath()];
    await buildGraph(vectors, one);
    await buildGraph(vectors, same);
    await buildGraph(vectors, other, { ...PARAMETERS, seed: 43 });
    expect(readFileSync(same).equals(readFileSync(one))).toBe(true);
    expect(readFileSync(other).equals(readFileSync(one))).toBe(false);
  });

  it('says how many bytes it wrote and what passes the check', async () => {
    const path = newPath();
    expect(await buildGraph(vectors, path)).toEqual({ bytes: statSync(path).size });
    await hnswlib.check(path, shapeOf(vectors));
  });

  it('writes a graph of no rows, which is its header alone', async () => {
    const path = newPath();
    const none = randomVectors({ metric: 'cosine', dim: 7 }, 0, 1);
    expect(await buildGraph(none, path)).toEqual({ bytes: 96 });
    await hnswlib.check(path, shapeOf(none));
  });

  it('reports progress up to the last row', async () => {
    const seen: number[] = [];
    await buildGraph(vectors, newPath(), PARAMETERS, { onProgress: (rows) => seen.push(rows) });
    expect(seen).toEqual([100, 200, 300, 400, 500, 600, 700]);
  });

  it('stops when it is cancelled, and leaves no file', async () => {
    const path = newPath();
    let polls = 0;
    const building = buildGraph(vectors, path, PARAMETERS, { isCancelled: () => ++polls > 50 });
    await expect(building).rejects.toMatchObject({ name: 'AbortError' });
    expect(polls).toBe(51);
    expect(existsSync(path)).toBe(false);
  });

  it('says so when the disk is full, where hnswlib itself does not', async () => {
    const path = newPath();
    symlinkSync('/dev/full', path);
    await expect(buildGraph(vectors, path)).rejects.toMatchObject({ code: 'disk_full', details: { file: path } });
    expect(existsSync(path)).toBe(false);
  });

  it('says so when the folder is missing', async () => {
    const path = join(folder.path, 'missing', 'graph.hnsw');
    await expect(buildGraph(vectors, path)).rejects.toMatchObject({ code: 'io_error', details: { errno: 'ENOENT' } });
  });

  it('refuses more rows than hnswlib can number', async () => {
    const source = { ...sourceOf(vectors), count: 2 ** 31 };
    await expect(hnswlib.build(source, PARAMETERS, newPath())).rejects.toMatchObject({ code: 'usage' });
  });
});

describe('opening with hnswlib', () => {
  it('searches the graph of 5,000 rows, not all of them', async () => {
    const vectors = randomVectors({ metric: 'l2', dim: 24 }, 5000, 2);
    const index = await open(vectors);
    const queries = randomValues(vectors, 50, 3);
    let missed = 0;
    for (let i = 0; i < 50; i++) {
      const query = queries.slice(i * 24, (i + 1) * 24);
      const answer = index.search(query, { k: 10, ef: 10 });
      expect(answer.path).toBe('graph');
      if (recallOf(answer, bruteForce(vectors, query, { k: 10 })) < 1) missed++;
    }
    expect(missed).toBeGreaterThan(0); // an exact search would miss nothing, and prove nothing
    index.close();
  });

  it('is refused a search once it is closed', async () => {
    const index = await open(randomVectors({ metric: 'l2', dim: 4 }, 100, 4));
    index.close();
    expect(() => index.search(new Float32Array(4), { k: 1, ef: 10 })).toThrow('closed');
  });

  it('scans where the graph cannot reach enough rows', async () => {
    // Two places with 1,000 equal rows each: the links of most rows lead to rows of the same place.
    const values = Float32Array.from({ length: 4000 }, (_, i) => (i >> 1) % 2);
    const vectors = { metric: 'l2', dim: 2, count: 2000, values } as const;
    const index = await open(vectors);
    const query = new Float32Array(2);
    expect(index.search(query, { k: 300, ef: 300 }).path).toBe('graph');
    const { path, rows, scores } = index.search(query, { k: 1200, ef: 1200 });
    expectSame({ rows, scores }, bruteForce(vectors, query, { k: 1200 }));
    expect(path).toBe('exact');
    index.close();
  });

  it('scans for a query so far out that float32 distances say nothing', async () => {
    const vectors = randomVectors({ metric: 'l2', dim: 8 }, 2000, 5);
    const index = await open(vectors);
    expect(index.search(randomValues(vectors, 1, 6, 100), { k: 10, ef: 50 }).path).toBe('graph');
    expect(index.search(randomValues(vectors, 1, 6, 1e6), { k: 10, ef: 50 }).path).toBe('exact');
    index.close();
  });

  it('takes the graph while most rows are allowed, and a scan when few are', async () => {
    const vectors = randomVectors({ metric: 'cosine', dim: 16 }, 4000, 7);
    const index = await open(vectors);
    const query = randomValues(vectors, 1, 8);
    const pathAt = (share: number) => index.search(query, { k: 10, ef: 40, allow: randomSet(4000, share, 9) }).path;
    expect([0.99, 0.6, 0.4, 0.02].map(pathAt)).toEqual(['graph', 'graph', 'graph', 'exact']);
    index.close();
  });

  it('loads while the event loop runs', async () => {
    const vectors = randomVectors({ metric: 'l2', dim: 64 }, 3000, 10);
    const path = newPath();
    await buildGraph(vectors, path, { ...PARAMETERS, efConstruction: 20 });
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    const index = await hnswlib.open(path, vectors, { ...PARAMETERS, efConstruction: 20 });
    clearInterval(timer);
    expect(turns).toBeGreaterThan(0);
    index.close();
  });

  it('opens a graph in a plain ArrayBuffer as well, and answers the same', async () => {
    const vectors = randomVectors({ metric: 'ip', dim: 10 }, 600, 11);
    const path = newPath();
    await buildGraph(vectors, path);
    const shared = await hnswlib.open(path, vectors, PARAMETERS);
    const plain = await hnswlib.open(path, { ...vectors, values: Float32Array.from(vectors.values) }, PARAMETERS);
    const query = randomValues(vectors, 1, 12);
    expect(plain.search(query, { k: 20, ef: 50 })).toEqual(shared.search(query, { k: 20, ef: 50 }));
    shared.close();
    plain.close();
  });

  it('estimates the memory of a graph from below its file and above twice its size', () => {
    const bytes = hnswlib.estimateBytes(1_000_000, 768, 16);
    expect(bytes).toBeGreaterThan(1_000_000 * 4 * (768 + 32));
    expect(bytes).toBeLessThan(2 * 1_000_000 * 4 * (768 + 32));
  });
});

describe('the plan of a graph search', () => {
  it('asks for a few rows more than k, as far as ef and the rows go', () => {
    expect(planGraphSearch({ k: 100, ef: 200 }, 10_000, 10_000)).toEqual({ fetch: 116, ef: 200 });
    expect(planGraphSearch({ k: 100, ef: 100 }, 10_000, 10_000)).toEqual({ fetch: 100, ef: 100 });
    expect(planGraphSearch({ k: 100, ef: 10 }, 10_000, 10_000)).toEqual({ fetch: 100, ef: 100 });
    expect(planGraphSearch({ k: 100, ef: 200 }, 50, 50)).toEqual({ fetch: 50, ef: 200 });
  });

  it('asks for the rows that a small filter removes on top', () => {
    expect(planGraphSearch({ k: 100, ef: 200 }, 10_000, 9_999)).toEqual({ fetch: 117, ef: 201 });
    expect(planGraphSearch({ k: 10_000, ef: 10_000 }, 100_000, 99_999)).toEqual({ fetch: 10_001, ef: 10_001 });
  });

  it('leaves few allowed rows, or none, to a scan', () => {
    expect(planGraphSearch({ k: 10, ef: 200 }, 1_000_000, 10_000)).toBeNull();
    expect(planGraphSearch({ k: 10, ef: 200 }, 1_000_000, 0)).toBeNull();
    expect(planGraphSearch({ k: 10, ef: 200 }, 1_000_000, 200_000)).toMatchObject({ ef: 1000 });
  });
});

describe('scaling for float32 sums', () => {
  it('leaves ordinary rows alone, and cosine rows always', () => {
    for (const largest of [1e-5, 0.05, 1, 255, 1e9]) expect(rowFactor('l2', largest)).toBe(1);
    for (const largest of [0.05, 1, 255, 1e9]) expect(rowFactor('ip', largest)).toBe(1);
    for (const largest of [1e-30, 1, 1e18]) expect(rowFactor('cosine', largest)).toBe(1);
    expect(rowFactor('l2', 0)).toBe(1);
  });

  it('brings others to between a half and one, by a power of two', () => {
    for (const largest of [2 ** -149, 1e-40, 1e-18, 2 ** -33, 2 ** 33, 1e18].map(Math.fround)) {
      const factor = rowFactor('l2', largest);
      expect(Number.isInteger(Math.log2(factor))).toBe(true);
      expect(largest * factor).toBeGreaterThanOrEqual(0.5);
      expect(largest * factor).toBeLessThan(1);
    }
  });

  it('scales a query as the rows under l2, and by its own size under ip, where order does not depend on it', () => {
    expect(queryFactor('l2', Float32Array.of(3, -4), 1, 0.25)).toBe(0.25);
    expect(queryFactor('l2', Float32Array.of(3, -5000), 1, 1)).toBeNull();
    expect(queryFactor('ip', Float32Array.of(1e-30, 0), 1, 1)! * 1e-30).toBeGreaterThanOrEqual(2 ** 15);
    expect(queryFactor('ip', Float32Array.of(0, 0), 1, 1)).toBeNull();
    expect(queryFactor('cosine', Float32Array.of(1, 0), 0, 1)).toBe(1);
  });
});

describe('an addon that is not there', () => {
  it.each(['not installed', 'not compiled'])('is named with the command that helps: %s', async (state) => {
    const elsewhere = makeFolder();
    const dist = fileURLToPath(new URL('../../../dist', import.meta.url));
    const modules = fileURLToPath(new URL('../../../node_modules', import.meta.url));
    for (const part of ['base', 'engine']) cpSync(join(dist, part), join(elsewhere.path, part), { recursive: true });
    writeFileSync(join(elsewhere.path, 'package.json'), '{"type": "module"}');
    if (state === 'not compiled') {
      for (const part of ['hnswlib-node/lib', 'hnswlib-node/package.json', 'bindings', 'file-uri-to-path']) {
        cpSync(join(modules, part), join(elsewhere.path, 'node_modules', part), { recursive: true });
      }
    }
    const script = `
      const { loadGraphClass } = await import(process.argv[1]);
      await loadGraphClass().catch(({ code, message }) => console.log(code + ': ' + message));`;
    const addon = join(elsewhere.path, 'engine/hnswlib/addon.js');
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script, addon]);
    expect(stdout).toMatch(/^addon_missing: .*npm rebuild hnswlib-node\n$/);
    elsewhere.remove();
  });
});

describe('scanning a shard that a graph is open on', () => {
  it('gives the same scores to the bit', async () => {
    const vectors = randomVectors({ metric: 'cosine', dim: 100 }, 1000, 13);
    const index = await open(vectors);
    const query = randomValues(vectors, 1, 14);
    const byGraph = index.search(query, { k: 50, ef: 400 });
    const [byScan] = scan(vectors, query, 1, { k: 50 });
    expect(byGraph.path).toBe('graph');
    expectSame({ rows: byGraph.rows, scores: byGraph.scores }, byScan);
    index.close();
  });
});
