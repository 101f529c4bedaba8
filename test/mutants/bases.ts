/** The sound versions that mutants are made of: both engines, one shard and several, every metric, kind of codes and type of id. */
import { seededRandom } from '../../src/base/random.js';
import type { Metric } from '../../src/base/metric.js';
import type { EngineName } from '../../src/engine/engine.js';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { shortlist } from '../cli/process.js';
import { writeCatalog } from '../indexes.js';

export interface Base {
  readonly index: string;
  readonly engine: EngineName;
  readonly metric: Metric;
  readonly rows: number;
  readonly dim: number;
  readonly shards: number;
  readonly textIds: boolean;
}

export const BASES: readonly Base[] = [
  { index: 'native-cosine', engine: 'native', metric: 'cosine', rows: 240, dim: 8, shards: 1, textIds: false },
  { index: 'native-ip', engine: 'native', metric: 'ip', rows: 200, dim: 12, shards: 1, textIds: true },
  { index: 'native-shards', engine: 'native', metric: 'l2', rows: 240, dim: 8, shards: 3, textIds: true },
  { index: 'native-narrow', engine: 'native', metric: 'cosine', rows: 300, dim: 128, shards: 1, textIds: false },
  { index: 'native-halves', engine: 'native', metric: 'l2', rows: 300, dim: 32, shards: 1, textIds: false },
  { index: 'native-floats', engine: 'native', metric: 'l2', rows: 400, dim: 8, shards: 2, textIds: false },
  { index: 'hnswlib-cosine', engine: 'hnswlib', metric: 'cosine', rows: 200, dim: 8, shards: 2, textIds: true },
  { index: 'hnswlib-l2', engine: 'hnswlib', metric: 'l2', rows: 200, dim: 6, shards: 1, textIds: false },
];

/** Builds all of them. @returns their versions by index */
export async function buildBases(root: string, bases: readonly Base[] = BASES): Promise<Record<string, string>> {
  const versions: Record<string, string> = {};
  for (const base of bases) {
    versions[base.index] = await buildBase(root, base);
  }
  return versions;
}

async function buildBase(root: string, base: Base): Promise<string> {
  const { index, engine, metric, shards } = base;
  const input = join(root, `.${index}.arrow`);
  writeCatalog(input, { ...base, vectors: makeRows(base) });
  const options = [
    '--engine',
    engine,
    '--metric',
    metric,
    '--shards',
    String(shards),
    '--m',
    '8',
    '--ef-construction',
    '60',
  ];
  const run = await shortlist([
    '--root',
    root,
    '--json',
    'build',
    index,
    '--input',
    input,
    ...options,
    '--no-calibrate',
  ]);
  if (run.code !== 0) throw new Error(run.stderr);
  rmSync(input);
  return (JSON.parse(run.stdout) as { version: string }).version;
}

/**
 * Each tenth row is a copy of an earlier one, so that graphs have chains of equal rows. What else is special makes the build choose other
 * codes than those of 7 bits: rows of few degrees of freedom, one component far larger than the others, places far apart.
 */
function makeRows({ index, rows, dim }: Base): Float32Array {
  const random = seededRandom(index.length);
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const draw = (count: number, scale = 1): Float64Array => Float64Array.from({ length: count }, () => scale * normal());
  const vectors = Float32Array.from({ length: rows * dim }, normal);
  if (index === 'native-narrow') {
    const directions = Array.from({ length: 6 }, () => draw(dim));
    for (let row = 0; row < rows; row++) {
      const place = draw(6);
      for (let j = 0; j < dim; j++)
        vectors[row * dim + j] = directions.reduce((sum, one, i) => sum + place[i]! * one[j]!, 0);
    }
  }
  if (index === 'native-halves') for (let i = 3; i < vectors.length; i += dim) vectors[i]! *= 1000;
  if (index === 'native-floats') {
    const places = draw(4 * dim, 1e4);
    for (let i = 0; i < vectors.length; i++) {
      vectors[i] = vectors[i]! / 100 + places[(Math.floor(i / dim) % 4) * dim + (i % dim)]!;
    }
  }
  for (let row = 10; row < rows; row += 10) vectors.copyWithin(row * dim, (row / 10 - 1) * dim, (row / 10) * dim);
  return vectors;
}
