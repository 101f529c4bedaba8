/** Real indexes for the tests of the server, built as users build them, from seeded data. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Field,
  FixedSizeList,
  Float32,
  Float64,
  Int64,
  Table,
  Utf8,
  Vector,
  makeData,
  tableToIPC,
  vectorFromArray,
} from 'apache-arrow';
import { buildIndex } from '../../src/build/build-index.js';
import { publish } from '../../src/version/publish.js';
import type { Metric } from '../../src/base/metric.js';

export interface Catalog {
  readonly rows: number;
  readonly dim: number;
  /** Row after row. */
  readonly vectors: Float32Array;
}

export interface IndexSpec {
  readonly rows?: number;
  readonly dim?: number;
  readonly seed?: number;
  readonly metric?: Metric;
  readonly shards?: number;
  /** Ids as text, `item-0`; else integers from 0. */
  readonly textIds?: boolean;
  /** A value that every item of this version carries, to tell versions apart. */
  readonly generation?: string;
}

/** A folder that is removed when the test file ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'shortlist-serve-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** mulberry32: small, seeded, the same everywhere. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

export function makeVectors(rows: number, dim: number, seed: number): Float32Array {
  const random = seededRandom(seed);
  return Float32Array.from({ length: rows * dim }, () => random() * 2 - 1);
}

/** Builds a version without publishing it. */
export async function buildVersion(
  root: string,
  index: string,
  spec: IndexSpec = {},
): Promise<{ version: string; catalog: Catalog }> {
  const {
    rows = 400,
    dim = 8,
    seed = 1,
    metric = 'cosine',
    shards = 1,
    textIds = false,
    generation = `seed ${seed}`,
  } = spec;
  const vectors = makeVectors(rows, dim, seed);
  const ids = Array.from({ length: rows }, (_, row) => row);
  const item = new Field('item', new Float32(), false);
  const list = new FixedSizeList(dim, item);
  const embedding = new Vector([
    makeData({
      type: list,
      length: rows,
      nullCount: 0,
      child: makeData({ type: new Float32(), length: vectors.length, nullCount: 0, data: vectors }),
    }),
  ]);
  const table = new Table({
    id: textIds
      ? vectorFromArray(
          ids.map((id) => `item-${id}`),
          new Utf8(),
        )
      : vectorFromArray(ids.map(BigInt), new Int64()),
    title: vectorFromArray(
      ids.map((id) => `title "${id}" ü`),
      new Utf8(),
    ),
    price: vectorFromArray(
      ids.map((id) => (id % 5 === 0 ? null : id + 0.25)),
      new Float64(),
    ),
    generation: vectorFromArray(
      ids.map(() => generation),
      new Utf8(),
    ),
    embedding,
  });
  const input = join(root, `.input-${index}-${seed}.arrow`);
  writeFileSync(input, tableToIPC(table, 'file'));
  const { manifest } = await buildIndex({
    root,
    index,
    inputs: [input],
    attributes: 'all',
    metric,
    shards,
    engine: 'hnswlib',
    parameters: { m: 8, efConstruction: 60, seed: 42 },
    threads: 1,
    onBadRow: 'fail',
  });
  rmSync(input);
  return { version: manifest.version, catalog: { rows, dim, vectors } };
}

/** Builds a version and makes it the published one. */
export async function publishVersion(
  root: string,
  index: string,
  spec: IndexSpec = {},
): Promise<{ version: string; catalog: Catalog }> {
  const built = await buildVersion(root, index, spec);
  await publish(root, index, built.version);
  return built;
}
