/** Real indexes for tests, built as users build them, from seeded data. */
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
import { seededRandom } from '../src/base/random.js';
import type { Metric } from '../src/base/metric.js';
import { buildIndex } from '../src/builder/build-index.js';
import type { BuildOptions, BuildResult } from '../src/builder/build-options.js';
import { ENGINE_NAMES } from '../src/engine/engines.js';
import type { EngineName } from '../src/engine/engine.js';
import { CHECK_NAMES } from '../src/gate/checks.js';
import { publish } from '../src/version/state/publish.js';

export interface IndexSpec {
  readonly rows?: number;
  readonly dim?: number;
  readonly seed?: number;
  readonly metric?: Metric;
  readonly shards?: number;
  /** Default: the product's own. */
  readonly engine?: EngineName;
  /** Ids as text, `item-0`; else integers from 0. */
  readonly textIds?: boolean;
  /** A value that every item of this version carries, to tell versions apart. */
  readonly generation?: string;
}

export interface Built {
  readonly version: string;
  readonly vectors: Float32Array;
}

/** A folder that is removed when the test file ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'shortlist-test-'));
  folders.push(folder);
  return folder;
}

const folders: string[] = [];
process.on('exit', () => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

/** Components uniform in [-1, 1). */
export function makeVectors(rows: number, dim: number, seed: number): Float32Array {
  const random = seededRandom(seed);
  return Float32Array.from({ length: rows * dim }, () => random() * 2 - 1);
}

export interface CatalogSpec extends IndexSpec {
  readonly vectors: Float32Array;
  readonly dim: number;
}

/** Writes a catalog with id, title, price (null in every fifth row), generation and embedding. */
export function writeCatalog(path: string, { vectors, dim, textIds = false, generation = 'first' }: CatalogSpec): void {
  const ids = Array.from({ length: vectors.length / dim }, (_, row) => row);
  const list = new FixedSizeList(dim, new Field('item', new Float32(), false));
  const child = makeData({ type: new Float32(), length: vectors.length, nullCount: 0, data: vectors });
  const table = new Table({
    id: textIds ? vectorFromArray(ids.map((id) => `item-${id}`), new Utf8()) : vectorFromArray(ids.map(BigInt), new Int64()),
    title: vectorFromArray(ids.map((id) => `title "${id}" ü`), new Utf8()),
    price: vectorFromArray(ids.map((id) => (id % 5 === 0 ? null : id + 0.25)), new Float64()),
    generation: vectorFromArray(ids.map(() => generation), new Utf8()),
    embedding: new Vector([makeData({ type: list, length: ids.length, nullCount: 0, child })]),
  }); // prettier-ignore
  writeFileSync(path, tableToIPC(table, 'file'));
}

/** A quick build's options; `inputs` are still to be given. */
export function buildOptions(
  root: string,
  index: string,
  inputs: string[],
  more: Partial<BuildOptions> = {},
): BuildOptions {
  return {
    root,
    index,
    inputs,
    attributes: 'all',
    metric: 'cosine',
    shards: 1,
    engine: ENGINE_NAMES[0]!,
    parameters: { m: 8, efConstruction: 60, seed: 42 },
    threads: 1,
    onBadRow: 'fail',
    ...more,
  };
}

/** Builds a version of these vectors without publishing it. */
export async function buildVectors(
  root: string,
  index: string,
  spec: CatalogSpec,
): Promise<BuildResult & { version: string }> {
  const input = join(root, `.input-${index}-${process.pid}.arrow`);
  writeCatalog(input, spec);
  const { metric = 'cosine', shards = 1, engine = ENGINE_NAMES[0]! } = spec;
  const result = await buildIndex(buildOptions(root, index, [input], { metric, shards, engine }));
  rmSync(input);
  return { ...result, version: result.manifest.version };
}

/** Builds a version of seeded random vectors without publishing it. */
export async function buildVersion(root: string, index: string, spec: IndexSpec = {}): Promise<Built> {
  const { rows = 400, dim = 8, seed = 1, generation = `seed ${seed}` } = spec;
  const vectors = makeVectors(rows, dim, seed);
  const { version } = await buildVectors(root, index, { ...spec, vectors, dim, generation });
  return { version, vectors };
}

/** Builds a version and makes it the published one. */
export async function publishVersion(root: string, index: string, spec: IndexSpec = {}): Promise<Built> {
  const built = await buildVersion(root, index, spec);
  await publish(root, index, built.version);
  return built;
}

/** Lets any version that is not damaged pass the gate, since versions of a test have little in common. */
export function openGate(root: string, index: string): void {
  const names = CHECK_NAMES.filter((name) => name !== 'verify');
  const checks = Object.fromEntries(names.map((name) => [name, { warn: null, fail: null }]));
  writeFileSync(join(root, index, 'gate.json'), JSON.stringify({ format: 1, checks }));
}
