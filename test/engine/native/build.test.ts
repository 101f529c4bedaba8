import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { METRICS, type Metric } from '../../../src/base/metric.js';
import type { GraphBuildOptions, GraphBuilt, GraphParameters, ShardVectors } from '../../../src/engine/engine.js';
import { nativeEngine as native } from '../../../src/engine/native/native.js';
import { openNative, type NativeIndex } from '../../../src/engine/native/open.js';
import { makeFolder, PARAMETERS, shapeOf, sourceOf } from '../graphs.js';
import { ISA_PROGRAM } from './isa-program.js';
import { bruteForce, expectSound, randomValues, randomVectors, recallOf, rowOf } from '../reference.js';

const folder = makeFolder();
afterAll(() => folder.remove());
let files = 0;
const newPath = (): string => join(folder.path, `${files++}.graph`);

function build(
  vectors: ShardVectors,
  path: string,
  options: GraphBuildOptions = {},
  parameters: GraphParameters = PARAMETERS,
): Promise<GraphBuilt> {
  return native.build(sourceOf(vectors), parameters, path, options);
}

async function open(vectors: ShardVectors, options: GraphBuildOptions = { threads: 2 }): Promise<NativeIndex> {
  const path = newPath();
  await build(vectors, path, options);
  return openNative(path, vectors, PARAMETERS);
}

function digest(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

/** `count` rows of which the last `copies` are copies of the first ones, or of the very first alone. */
function withCopies(metric: Metric, count: number, copies: number, ofOne: boolean): ShardVectors {
  const vectors = randomVectors({ metric, dim: 24 }, count, 3);
  for (let i = 0; i < copies; i++) {
    const from = (ofOne ? 0 : i % (count - copies)) * 24;
    vectors.values.copyWithin((count - copies + i) * 24, from, from + 24);
  }
  return vectors;
}

describe('building with the native engine', () => {
  it.each(METRICS)('gives equal bytes for 1, 2, 3 and 8 threads, %s', async (metric) => {
    const vectors = randomVectors({ metric, dim: 48 }, 3000, 1);
    const digests = new Set<string>();
    for (const threads of [1, 2, 3, 8]) {
      const path = newPath();
      await build(vectors, path, { threads });
      digests.add(digest(path));
    }
    expect(digests.size).toBe(1);
  });

  it('gives other bytes for another seed', async () => {
    const vectors = randomVectors({ metric: 'l2', dim: 12 }, 700, 1);
    const [one, other] = [newPath(), newPath()];
    await build(vectors, one);
    await build(vectors, other, {}, { ...PARAMETERS, seed: 43 });
    expect(digest(one)).not.toBe(digest(other));
  });

  it('gives equal bytes and equal answers on every instruction set', async () => {
    const dist = new URL('../../../dist/', import.meta.url).href;
    const run = async (isa: string): Promise<string | null> => {
      try {
        const env = { ...process.env, SHORTLIST_ISA: isa };
        const program = ['--input-type=module', '-e', ISA_PROGRAM, dist, newPath()];
        const { stdout } = await promisify(execFile)(process.execPath, program, { env });
        return stdout;
      } catch (error) {
        // A processor without the set says so; anything else is a failure.
        expect(String(error)).toContain('this processor runs');
        return null;
      }
    };
    const outputs = await Promise.all(['generic', 'avx2', 'avx512'].map(run));
    expect(outputs[0]).toMatch(/[0-9a-f]{64}/);
    expect(new Set(outputs.filter((output) => output !== null)).size).toBe(1);
  });

  it('says how many bytes it wrote and what passes the check', async () => {
    const vectors = randomVectors({ metric: 'l2', dim: 12 }, 700, 1);
    const path = newPath();
    const { bytes } = await build(vectors, path);
    expect(bytes).toBe(statSync(path).size);
    await native.check(path, shapeOf(vectors));
  });

  it('gives the figures of what it built, equal for any number of threads, and those that the file has', async () => {
    const vectors = withCopies('l2', 1500, 300, false);
    const path = newPath();
    const [one, three] = [await build(vectors, path), await build(vectors, newPath(), { threads: 3 })];
    expect(one.figures).toEqual(three.figures);
    const index = await openNative(path, vectors, PARAMETERS);
    const { codeBits, codeRecall, traversalRecall, unreachable, unfound } = index.figures;
    expect(one.figures).toMatchObject({
      code_bits: codeBits,
      code_recall: codeRecall,
      traversal_recall: traversalRecall,
      equal_rows: 300,
      unreachable,
      unfound,
    });
    index.close();
  });

  it.each([0, 1, 2])('has finite figures of %i rows too', async (count) => {
    const { figures } = await build(randomVectors({ metric: 'cosine', dim: 5 }, count, 1), newPath());
    expect(Object.values(figures!).every(Number.isFinite)).toBe(true);
  });

  it('builds from a file that it maps as from rows that it reads', async () => {
    const vectors = randomVectors({ metric: 'cosine', dim: 20 }, 500, 2);
    const [read, mapped, rows] = [newPath(), newPath(), newPath()];
    writeFileSync(rows, Buffer.concat([Buffer.alloc(4096), Buffer.from(vectors.values.slice().buffer)]));
    await build(vectors, read);
    await native.build({ ...sourceOf(vectors), file: { path: rows, offset: 4096 } }, PARAMETERS, mapped);
    expect(digest(mapped)).toBe(digest(read));
  });

  it('reports progress up to the last row', async () => {
    const seen: number[] = [];
    await build(randomVectors({ metric: 'l2', dim: 12 }, 2000, 1), newPath(), {
      onProgress: (rows) => seen.push(rows),
    });
    expect(seen.at(-1)).toBe(2000);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
  });

  it('stops when it is cancelled, and leaves no file', async () => {
    const path = newPath();
    let polls = 0;
    const vectors = randomVectors({ metric: 'l2', dim: 64 }, 20_000, 1);
    const building = build(vectors, path, { threads: 2, isCancelled: () => ++polls > 1 });
    await expect(building).rejects.toMatchObject({ name: 'AbortError' });
    expect(existsSync(path)).toBe(false);
  });

  it('says so when the disk is full, and when the folder is missing', async () => {
    const vectors = randomVectors({ metric: 'l2', dim: 12 }, 300, 1);
    const full = newPath();
    symlinkSync('/dev/full', full);
    await expect(build(vectors, full)).rejects.toMatchObject({ code: 'disk_full', details: { file: full } });
    expect(existsSync(full)).toBe(false);
    const missing = join(folder.path, 'missing', 'one.graph');
    await expect(build(vectors, missing)).rejects.toMatchObject({ code: 'io_error' });
  });
});

describe('rows with equal vectors', () => {
  it.each([
    ['copies of one row', true],
    ['copies of many rows', false],
  ])('do not crowd out others, 30 % %s', async (_, ofOne) => {
    for (const metric of ['l2', 'cosine'] as const) {
      const vectors = withCopies(metric, 3000, 900, ofOne);
      const index = await open(vectors);
      expect(index.figures.equalRows).toBe(900);
      for (let row = 0; row < 3000; row += 7) {
        const query = rowOf(vectors, row);
        const answer = index.search(query, { k: 1, ef: 50 });
        expect(answer.path).toBe('graph');
        expect(answer.scores).toEqual(bruteForce(vectors, query, { k: 1 }).scores);
      }
      index.close();
    }
  });

  it('come back all together, in the order of their rows', async () => {
    const vectors = withCopies('l2', 2000, 600, true);
    const index = await open(vectors);
    const query = rowOf(vectors, 0);
    expect(index.search(query, { k: 500, ef: 50 })).toMatchObject(bruteForce(vectors, query, { k: 500 }));
    index.close();
  });
});

describe('the audit of a graph', () => {
  it('finds every row by its own vector at a moderate ef', async () => {
    for (const metric of ['l2', 'cosine'] as const) {
      const vectors = randomVectors({ metric, dim: 16 }, 4000, 5);
      const index = await open(vectors);
      let missed = 0;
      for (let row = 0; row < 4000; row++) {
        if (index.search(rowOf(vectors, row), { k: 1, ef: 50 }).rows[0] !== row) missed++;
      }
      expect(missed).toBe(0);
      index.close();
    }
  });

  it('links in rows of an inner-product graph that nothing leads to', async () => {
    const vectors = randomVectors({ metric: 'ip', dim: 16 }, 3000, 6);
    for (let row = 0; row < 3000; row++) {
      const scale = 2 ** (row % 7);
      for (let i = row * 16; i < (row + 1) * 16; i++) vectors.values[i] = vectors.values[i]! * scale;
    }
    const index = await open(vectors);
    expect(index.figures.unreachable).toBeGreaterThan(0);
    const query = randomValues(vectors, 1, 7);
    expectSound(index.search(query, { k: 10, ef: 100 }), vectors, query, { k: 10 });
    index.close();
  });
});

describe('codes', () => {
  const recallAt = (index: NativeIndex, queries: Float32Array, ef: number): number => {
    const { dim } = index.vectors;
    let sum = 0;
    for (let from = 0; from < queries.length; from += dim) {
      const query = queries.slice(from, from + dim);
      sum += recallOf(index.search(query, { k: 10, ef }), bruteForce(index.vectors, query, { k: 10 }));
    }
    return sum / (queries.length / dim);
  };

  it.each([
    ['one component far from zero', (value: number, component: number) => (component === 3 ? value + 1e6 : value), 7],
    ['constant components', (value: number, component: number) => (component < 16 ? 5 : value), 7],
    ['one component a thousand times the others', (value: number, i: number) => (i === 3 ? value * 1000 : value), 16],
  ])('answer rightly with %s', async (_, change, bits) => {
    const space = { metric: 'l2', dim: 32 } as const;
    const vectors = randomVectors(space, 3000, 8);
    const queries = randomValues(space, 20, 9);
    for (const values of [vectors.values, queries]) {
      for (let i = 0; i < values.length; i++) values[i] = change(values[i]!, i % 32);
    }
    const index = await open(vectors);
    expect([bits, 32]).toContain(index.figures.codeBits);
    expect(recallAt(index, queries, 200)).toBeGreaterThanOrEqual(0.95);
    index.close();
  });

  it('are given up for float32 where they lose neighbours', async () => {
    // Rows in pairs, far nearer to each other than a step of a code that spans them all.
    const space = { metric: 'l2', dim: 8 } as const;
    const vectors = randomVectors(space, 4000, 10);
    const places = randomValues(space, 40, 11, 1e4);
    for (let i = 0; i < vectors.values.length; i++) {
      const row = Math.floor(i / 8);
      vectors.values[i] = vectors.values[i]! + places[(row % 40) * 8 + (i % 8)]!;
    }
    const index = await open(vectors);
    expect(index.figures.codeBits).toBe(32);
    expect(index.figures.codeRecall).toBeLessThan(0.98);
    expect(recallAt(index, vectors.values.slice(0, 160), 100)).toBeGreaterThanOrEqual(0.95);
    index.close();
  });
});
