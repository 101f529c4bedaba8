/**
 * A data set of the engine bench with attributes. Each attribute is a rank from 0 to rows - 1, so `{"lot": {"$lt": n}}`
 * passes exactly n rows. `lot` is random; `side` ranks rows by their position along a random direction, farthest first.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dot, normalizeRow } from '../../src/base/metric.js';
import { seededRandom } from '../../src/base/random.js';
import { writeBaseArrow } from '../lib/base-arrow.js';
import { prepareData, type DataSpec } from '../engine/data-sets.js';
import { readFloats } from '../lib/float-file.js';
import { EF_CONSTRUCTION, M, SEED, type DataSet } from '../engine/peer.js';
import { INDEX, runCli } from '../engine/peers/shortlist.js';
import { say } from '../lib/say.js';

export const ATTRIBUTES = ['lot', 'side'] as const;
export type Attribute = (typeof ATTRIBUTES)[number];

const LOT_SEED = 11;
const DIRECTION_SEED = 12;

export interface Attributed {
  readonly data: DataSet;
  /** Holds the index INDEX with a published version. */
  readonly root: string;
  readonly base: Float32Array;
  readonly queries: Float32Array;
  readonly ranks: Readonly<Record<Attribute, Uint32Array>>;
  /** How far each query lies along the direction of `side`. */
  readonly querySides: Float64Array;
}

/** Makes the data set and its index in the work folder, or finds them there. @param reuse searches the index that is there */
export async function prepareAttributed(spec: DataSpec, work: string, reuse: boolean): Promise<Attributed> {
  const data = await prepareData(spec, work);
  const base = readFloats(join(data.folder, 'base.f32'));
  const queries = readFloats(join(data.folder, 'queries.f32'));
  const direction = drawDirection(data.dim);
  const ranks = { lot: drawRanks(data.rows), side: rankDescending(project(base, direction)) };
  const root = join(data.folder, 'attributed');
  const marker = join(root, 'built.json');
  if (!(reuse && existsSync(marker))) await build(data, base, ranks, root, marker);
  say(`${data.name}: index of ${readFileSync(marker, 'utf8')}`);
  const querySides = project(queries, direction);
  // As an index keeps them: under cosine of length 1, which rows that were rounded to float16 are not.
  if (data.metric === 'cosine') for (const vectors of [base, queries]) normalizeRows(vectors, data.dim);
  return { data, root, base, queries, ranks, querySides };
}

function normalizeRows(vectors: Float32Array, dim: number): void {
  for (let at = 0; at < vectors.length; at += dim) normalizeRow(vectors, at, dim);
}

async function build(
  data: DataSet,
  base: Float32Array,
  ranks: Attributed['ranks'],
  root: string,
  marker: string,
): Promise<void> {
  const input = join(data.folder, 'attributed.arrow');
  if (!existsSync(input)) await writeBaseArrow(input, base, data.dim, ranks);
  rmSync(root, { recursive: true, force: true });
  mkdirSync(root, { recursive: true });
  say(`${data.name}: building an index with attributes`);
  const { version, seconds } = await runCli<{ readonly version: string; readonly seconds: number }>([
    ...['build', INDEX, '--root', root, '--input', input, '--metric', data.metric, '--seed', String(SEED)],
    ...['--m', String(M), '--ef-construction', String(EF_CONSTRUCTION), '--publish'],
  ]);
  writeFileSync(marker, JSON.stringify({ version, seconds }));
}

/** Every rank once, in random order, by Fisher and Yates. */
function drawRanks(rows: number): Uint32Array {
  const random = seededRandom(LOT_SEED);
  const ranks = Uint32Array.from({ length: rows }, (_, row) => row);
  for (let last = rows - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [ranks[last], ranks[other]] = [ranks[other]!, ranks[last]!];
  }
  return ranks;
}

/** Uniform components do: only the order along it matters. */
function drawDirection(dim: number): Float32Array {
  const random = seededRandom(DIRECTION_SEED);
  return Float32Array.from({ length: dim }, () => random() - 0.5);
}

function project(vectors: Float32Array, direction: Float32Array): Float64Array {
  const dim = direction.length;
  return Float64Array.from({ length: vectors.length / dim }, (_, row) => dot(vectors, row * dim, direction, 0, dim));
}

function rankDescending(values: Float64Array): Uint32Array {
  const order = Uint32Array.from(values, (_, row) => row).sort((a, b) => values[b]! - values[a]! || a - b);
  const ranks = new Uint32Array(order.length);
  for (const [rank, row] of order.entries()) ranks[row] = rank;
  return ranks;
}
