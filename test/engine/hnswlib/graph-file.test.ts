import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ShardVectors } from '../../../src/engine/engine.js';
import { elementBytes, HEADER, level0Bytes, upperListBytes } from '../../../src/engine/hnswlib/layout.js';
import { buildGraph, hnswlib, makeFolder, PARAMETERS, shapeOf } from '../graphs.js';
import { expectSound, randomValues, randomVectors, rowOf } from '../reference.js';

const folder = makeFolder();
afterAll(() => folder.remove());

const vectors = randomVectors({ metric: 'l2', dim: 6 }, 400, 1);
const path = join(folder.path, 'original.hnsw');
let original = Buffer.alloc(0);

beforeAll(async () => {
  await buildGraph(vectors, path);
  original = readFileSync(path);
});

const ROW_BYTES = elementBytes(6, PARAMETERS.m);
const rowStart = (row: number): number => 96 + row * ROW_BYTES;
const UPPER_START = rowStart(400);

/** Opens these bytes as the file of `vectors`. */
async function openBytes(bytes: Buffer): Promise<void> {
  const copy = join(folder.path, 'changed.hnsw');
  writeFileSync(copy, bytes);
  (await hnswlib.open(copy, vectors, PARAMETERS)).close();
}

/** Opens a copy of the file that was changed in place. */
function openChanged(change: (bytes: Buffer) => void): Promise<void> {
  const bytes = Buffer.from(original);
  change(bytes);
  return openBytes(bytes);
}

const corrupt = (what: RegExp) => ({ code: 'file_corrupt', message: expect.stringMatching(what) as string });

/** Where the record of the upper levels of each row that has some begins. */
function upperRecords(): { row: number; at: number; levels: number }[] {
  const records = [];
  for (let row = 0, at = UPPER_START; row < 400; row++) {
    const bytes = original.readUInt32LE(at);
    if (bytes > 0) records.push({ row, at, levels: bytes / upperListBytes(PARAMETERS.m) });
    at += 4 + bytes;
  }
  return records;
}

describe('a graph file', () => {
  it('opens as it was written', async () => {
    await openBytes(original);
    expect(upperRecords().length).toBeGreaterThan(10); // or the tests below would prove nothing
  });

  it.each(Object.entries(HEADER))('is refused with another %s in its header', async (field, at) => {
    const width = field === 'maxLevel' || field === 'entryPoint' ? 4 : 8;
    const values = [-1n, 1n << 31n, 1n << 40n, 399n, 401n, 7n].filter((value) => width === 8 || value < 1n << 32n);
    for (const value of values) {
      const change = (bytes: Buffer) => {
        if (width === 8) bytes.writeBigInt64LE(value, at);
        else bytes.writeUInt32LE(Number(value & 0xffffffffn), at);
      };
      await expect(openChanged(change), `${value}`).rejects.toMatchObject({
        ...corrupt(new RegExp(`as ${field}`)),
        details: { file: join(folder.path, 'changed.hnsw'), field },
      });
    }
  });

  it('is refused when it ends anywhere but at its end', async () => {
    const lengths = [
      0,
      1,
      95,
      96,
      97,
      rowStart(1),
      UPPER_START - 4,
      UPPER_START,
      UPPER_START + 4,
      original.length - 4,
      original.length - 1,
    ];
    for (const length of lengths) {
      await expect(openBytes(original.subarray(0, length)), `${length} bytes`).rejects.toMatchObject(corrupt(/bytes/));
    }
    for (const more of [1, 4, 36]) {
      const longer = openBytes(Buffer.concat([original, Buffer.alloc(more)]));
      await expect(longer, `${more} more`).rejects.toMatchObject(corrupt(/bytes/));
    }
  });

  it('is refused when links of level 0 lead nowhere, to themselves, or are too many', async () => {
    const at = rowStart(123);
    for (const to of [400, 0xffffffff, 0x80000000, 123]) {
      await expect(openChanged((b) => b.writeUInt32LE(to, at + 4))).rejects.toMatchObject(corrupt(/links row 123/));
    }
    for (const links of [17, 0xffff, 0x10001]) {
      await expect(openChanged((b) => b.writeUInt32LE(links, at))).rejects.toMatchObject(corrupt(/links on row 123/));
    }
  });

  it('is refused when links of an upper level lead nowhere, to a row without that level, or are too many', async () => {
    const { row, at } = upperRecords()[3]!;
    const low = Array.from({ length: 400 }, (_, i) => i).find(
      (i) => !upperRecords().some((record) => record.row === i),
    )!;
    for (const to of [400, 0xffffffff, row, low]) {
      const change = (bytes: Buffer) => {
        bytes.writeUInt32LE(1, at + 4);
        bytes.writeUInt32LE(to, at + 8);
      };
      await expect(openChanged(change)).rejects.toMatchObject(corrupt(new RegExp(`links row ${row}, level 1`)));
    }
    await expect(openChanged((b) => b.writeUInt32LE(9, at + 4))).rejects.toMatchObject(corrupt(/9 links on row/));
  });

  it('is refused when a row has another number of levels', async () => {
    const { at, levels } = upperRecords()[0]!;
    for (const bytes of [0, levels * 36 + 4, (levels + 1) * 36, 64 * 36, 0xffffffff]) {
      await expect(
        openChanged((b) => b.writeUInt32LE(bytes, at)),
        `${bytes}`,
      ).rejects.toMatchObject(corrupt(/./));
    }
  });

  it('is refused when its entry point is not at the highest level', async () => {
    const highest = Math.max(...upperRecords().map(({ levels }) => levels));
    for (const { row } of upperRecords().filter(({ levels }) => levels < highest)) {
      await expect(openChanged((b) => b.writeUInt32LE(row, HEADER.entryPoint))).rejects.toMatchObject(
        corrupt(/entryPoint/),
      );
    }
  });

  it('is refused when a label or a component differs', async () => {
    const vector = rowStart(7) + level0Bytes(PARAMETERS.m);
    await expect(openChanged((b) => (b[vector + 2]! ^= 1))).rejects.toMatchObject(corrupt(/vector of row 7/));
    await expect(openChanged((b) => (b[vector + 24]! ^= 1))).rejects.toMatchObject(corrupt(/label/));
    await expect(openChanged((b) => (b[vector + 28]! ^= 1))).rejects.toMatchObject(corrupt(/label/));
  });

  it('is refused for other vectors, another number of rows, another length, and other parameters', async () => {
    const others: ShardVectors[] = [
      randomVectors({ metric: 'l2', dim: 6 }, 400, 2),
      randomVectors({ metric: 'l2', dim: 6 }, 399, 1),
      randomVectors({ metric: 'l2', dim: 6 }, 401, 1),
      randomVectors({ metric: 'l2', dim: 5 }, 400, 1),
      randomVectors({ metric: 'l2', dim: 4096 }, 400, 1),
      randomVectors({ metric: 'cosine', dim: 6 }, 400, 1),
      randomVectors({ metric: 'l2', dim: 6 }, 0, 1),
    ];
    for (const other of others) {
      await expect(hnswlib.open(path, other, PARAMETERS)).rejects.toMatchObject({
        code: 'file_corrupt',
        details: { file: path },
      });
    }
    await expect(hnswlib.open(path, vectors, { ...PARAMETERS, m: 9 })).rejects.toMatchObject(corrupt(/./));
    await expect(hnswlib.open(path, vectors, { ...PARAMETERS, efConstruction: 99 })).rejects.toMatchObject(
      corrupt(/efConstruction/),
    );
  });

  it('holds no trace of its metric: as another one it opens, and its answers are sound', async () => {
    const asProduct = { ...vectors, metric: 'ip' } as const;
    const index = await hnswlib.open(path, asProduct, PARAMETERS);
    const query = rowOf(vectors, 5);
    expectSound(index.search(query, { k: 10, ef: 100 }), asProduct, query, { k: 10 });
    index.close();
  });

  it('is checked without its vectors too, where a component must be finite', async () => {
    await hnswlib.check(path, shapeOf(vectors));
    const copy = join(folder.path, 'not-finite.hnsw');
    for (const value of [NaN, Infinity]) {
      const bytes = Buffer.from(original);
      bytes.writeFloatLE(value, rowStart(8) + level0Bytes(PARAMETERS.m) + 4);
      writeFileSync(copy, bytes);
      await expect(hnswlib.check(copy, shapeOf(vectors))).rejects.toMatchObject(corrupt(/vector of row 8/));
    }
  });

  it('is named when it is missing or cannot be read', async () => {
    const missing = join(folder.path, 'missing.hnsw');
    await expect(hnswlib.check(missing, shapeOf(vectors))).rejects.toMatchObject({
      code: 'file_missing',
      details: { file: missing },
    });
    await expect(hnswlib.check(folder.path, shapeOf(vectors))).rejects.toMatchObject({
      details: { file: folder.path },
    });
  });

  it('is checked across the blocks that it is read in', async () => {
    // 3,000 rows of 640 components are 9 blocks of elements; 40,000 rows of 1 have upper levels that cross the end of one.
    for (const [dim, count] of [
      [640, 3000],
      [1, 40_000],
    ] as const) {
      const large = randomVectors({ metric: 'l2', dim }, count, 3);
      const file = join(folder.path, 'large.hnsw');
      const parameters = { m: 64, efConstruction: 4, seed: 1 };
      await buildGraph(large, file, parameters);
      const index = await hnswlib.open(file, large, parameters);
      const query = randomValues(large, 1, 4);
      expectSound(index.search(query, { k: 10, ef: 50 }), large, query, { k: 10 });
      index.close();
    }
  });

  it.each([1, 3])('damaged in any way is refused or searched safely, seed %i', async (seed) => {
    const program = fileURLToPath(new URL('./graph-mutants.ts', import.meta.url));
    const run = promisify(execFile)(process.execPath, ['--import', 'tsx', program, folder.path, String(seed), '400']);
    const { stdout } = await run.catch((error: unknown) => {
      const mutation = readFileSync(join(folder.path, 'mutation.txt'), 'utf8');
      throw new Error(`after ${mutation}`, { cause: error });
    });
    const { refused, searched } = JSON.parse(stdout) as { refused: number; searched: number };
    expect(refused + searched).toBe(400);
    expect(refused).toBeGreaterThan(250);
    expect(searched).toBeGreaterThan(0);
  });
});
