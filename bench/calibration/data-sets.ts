/**
 * The data sets of the calibration bench. Fresh queries are random rows that were kept out of the index. Each set is
 * written once to the work folder and reused later.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Metric } from '../../src/base/metric.js';
import { sampleDistinct } from '../../src/base/random.js';
import { writeBaseArrow } from '../lib/base-arrow.js';
import { readFloats, writeValues } from '../lib/float-file.js';
import { loadReadQueries } from '../lib/library.js';
import { generateEmbeddings } from '../engine/generate.js';
import { say } from '../lib/say.js';
import { copies, deviates, diffuse, skewedNorms, textLike } from './generate.js';

const SEED = 7;
/** Rows held out of large sets; a small one holds out a tenth. */
const FRESH = 2_000;

interface Spec {
  readonly name: string;
  readonly dim: number;
  readonly metric: Metric;
  readonly rows: number;
  readonly make: (rows: number) => Float32Array | Promise<Float32Array>;
}

export interface FreshSet {
  readonly name: string;
  readonly folder: string;
  readonly dim: number;
  readonly metric: Metric;
  readonly rows: number;
  readonly base: Float32Array;
  readonly queries: Float32Array;
}

/** Rows are those of index and queries together. */
export const SETS: readonly Spec[] = [
  { name: 'diffuse-100000x256', dim: 256, metric: 'cosine', rows: 102_000, make: (rows) => diffuse(rows, 256, SEED) },
  { name: 'text-500000x96', dim: 96, metric: 'cosine', rows: 502_000, make: (rows) => textLike(rows, 96, SEED) },
  real('siftsmall', 'base.arrow', 128, 'l2', 10_000),
  real('mnist10k', 'base.lz4.arrow', 784, 'l2', 9_000),
  real('pcparts', 'base.zstd.arrow', 64, 'cosine', 65_778),
  real('products', 'base.lz4.arrow', 512, 'cosine', 180),
  { name: 'deviates-50000x32', dim: 32, metric: 'l2', rows: 52_000, make: (rows) => deviates(rows, 32, SEED) },
  { name: 'deviates-50000x4', dim: 4, metric: 'l2', rows: 52_000, make: (rows) => deviates(rows, 4, SEED) },
  { name: 'norms-50000x64', dim: 64, metric: 'ip', rows: 52_000, make: (rows) => skewedNorms(rows, 64, 0.8, SEED) },
  { name: 'copies-60000x64', dim: 64, metric: 'cosine', rows: 62_000, make: (rows) => copies(rows, 64, SEED) },
  { name: 'small-3000x48', dim: 48, metric: 'cosine', rows: 3_300, make: (rows) => textLike(rows, 48, SEED) },
  {
    name: 'embeddings-1000000x96',
    dim: 96,
    metric: 'cosine',
    rows: 1_002_000,
    make: (rows) => generateEmbeddings(rows, 96, SEED).values,
  },
];

function real(name: string, file: string, dim: number, metric: Metric, rows: number): Spec {
  return {
    name,
    dim,
    metric,
    rows,
    make: async () => {
      const root = process.env['SHORTLIST_TEST_DATA'];
      if (root === undefined) throw new Error(`${name} is read from the folder that SHORTLIST_TEST_DATA names; set it`);
      const { readQueries } = await loadReadQueries();
      return (await readQueries([join(root, name, file)], { dim, metric })).vectors;
    },
  };
}

/** Finds the data set in the work folder, or makes it. */
export async function prepareFresh({ name, dim, metric, rows, make }: Spec, work: string): Promise<FreshSet> {
  const folder = join(work, 'fresh', name);
  const marker = join(folder, 'data.json');
  if (!existsSync(marker)) {
    mkdirSync(folder, { recursive: true });
    say(`${name}: making the vectors`);
    const { base, queries } = holdOut(await make(rows), dim);
    writeValues(join(folder, 'base.f32'), base);
    writeValues(join(folder, 'queries.f32'), queries);
    await writeBaseArrow(join(folder, 'base.arrow'), base, dim);
    writeFileSync(`${marker}.part`, JSON.stringify({ rows: base.length / dim }));
    renameSync(`${marker}.part`, marker);
  }
  const data = JSON.parse(readFileSync(marker, 'utf8')) as { readonly rows: number };
  const read = (file: string): Float32Array => readFloats(join(folder, file));
  return { name, folder, dim, metric, rows: data.rows, base: read('base.f32'), queries: read('queries.f32') };
}

function holdOut(values: Float32Array, dim: number): { base: Float32Array; queries: Float32Array } {
  const count = values.length / dim;
  const out = sampleDistinct(count, Math.min(FRESH, Math.floor(count / 10)), SEED);
  const queries = new Float32Array(out.length * dim);
  const base = new Float32Array(values.length - queries.length);
  for (let row = 0, next = 0; row < count; row++) {
    const isOut = out[next] === row;
    const at = isOut ? next++ : row - next;
    (isOut ? queries : base).set(values.subarray(row * dim, (row + 1) * dim), at * dim);
  }
  return { base, queries };
}
