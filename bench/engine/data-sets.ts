/**
 * The data sets of the bench. Generated ones resemble embeddings (generate.ts); real ones come from the Arrow files of
 * SHORTLIST_TEST_DATA. Each is written once to the work folder, in the two forms that engines read, and reused later.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { textLike } from '../calibration/generate.js';
import { writeBaseArrow } from '../lib/base-arrow.js';
import { writeValues } from '../lib/float-file.js';
import { loadReadQueries } from '../lib/library.js';
import { generateEmbeddings } from './generate.js';
import type { DataSet } from './peer.js';
import { say } from '../lib/say.js';

/** Of generated data; files are made again when it changes. */
const GENERATOR_SEED = 7;

/** Rows of a real data set at most: more are not there, and none is left out. */
const MAX_QUERIES = 1_000;

export type DataSpec =
  | { readonly kind: 'generated' | 'text'; readonly name: string; readonly rows: number; readonly dim: number; readonly queries: number }
  | { readonly kind: 'real'; readonly name: string; readonly base: string; readonly dim: number; readonly metric: DataSet['metric'] }; // prettier-ignore

export function generated(rows: number, dim: number, queries = 1_000): DataSpec {
  return { kind: 'generated', name: `embeddings-${rows}x${dim}`, rows, dim, queries };
}

export function text(rows: number, dim: number, queries = 1_000): DataSpec {
  return { kind: 'text', name: `text-${rows}x${dim}`, rows, dim, queries };
}

export const FULL_DATA: readonly DataSpec[] = [
  generated(50_000, 768),
  generated(200_000, 128),
  generated(1_000_000, 96),
];
export const QUICK_DATA: readonly DataSpec[] = [generated(3_000, 64, 200)];

/** What there is with SHORTLIST_TEST_DATA. */
export const REAL_DATA: readonly DataSpec[] = [
  { kind: 'real', name: 'siftsmall', base: 'base.arrow', dim: 128, metric: 'l2' },
  { kind: 'real', name: 'mnist10k', base: 'base.lz4.arrow', dim: 784, metric: 'l2' },
  { kind: 'real', name: 'pcparts', base: 'base.zstd.arrow', dim: 64, metric: 'cosine' },
];

/** Finds the data set in the work folder, or makes it. */
export async function prepareData(spec: DataSpec, work: string): Promise<DataSet> {
  const folder = join(work, spec.name);
  const marker = join(folder, 'data.json');
  if (existsSync(marker)) return { ...(JSON.parse(readFileSync(marker, 'utf8')) as DataSet), folder };
  mkdirSync(folder, { recursive: true });
  say(`${spec.name}: making the vectors`);
  const { base, queries, metric } = spec.kind === 'real' ? await readReal(spec) : generate(spec);
  const { dim } = spec;
  writeValues(join(folder, 'base.f32'), base);
  writeValues(join(folder, 'queries.f32'), queries);
  await writeBaseArrow(join(folder, 'base.arrow'), base, dim);
  const data = { name: spec.name, folder, rows: base.length / dim, dim, metric, queries: queries.length / dim };
  writeFileSync(`${marker}.part`, JSON.stringify(data));
  renameSync(`${marker}.part`, marker);
  return data;
}

interface Vectors {
  readonly base: Float32Array;
  readonly queries: Float32Array;
  readonly metric: DataSet['metric'];
}

function generate({ kind, rows, dim, queries }: Exclude<DataSpec, { kind: 'real' }>): Vectors {
  const make = (count: number): Float32Array =>
    kind === 'text' ? textLike(count, dim, GENERATOR_SEED) : generateEmbeddings(count, dim, GENERATOR_SEED).values;
  const values = make(rows + queries);
  return { base: values.subarray(0, rows * dim), queries: values.subarray(rows * dim), metric: 'cosine' };
}

async function readReal({ name, base, dim, metric }: Extract<DataSpec, { kind: 'real' }>): Promise<Vectors> {
  const root = process.env['SHORTLIST_TEST_DATA'];
  if (root === undefined) throw new Error(`${name} is read from the folder that SHORTLIST_TEST_DATA names; set it`);
  const { readQueries } = await loadReadQueries();
  const read = async (file: string): Promise<Float32Array> =>
    (await readQueries([join(root, name, file)], { dim, metric })).vectors;
  const queries = await read('queries.arrow');
  return { base: await read(base), queries: queries.subarray(0, MAX_QUERIES * dim), metric };
}
