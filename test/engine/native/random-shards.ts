/** Shards and queries of every kind that a shard may have, from a few numbers, which fast-check can shrink. */
import fc from 'fast-check';
import { Bitset } from '../../../src/base/bitset.js';
import { METRICS, normalizeRow, type Metric } from '../../../src/base/metric.js';
import { seededRandom } from '../../../src/base/random.js';
import type { ShardVectors } from '../../../src/engine/engine.js';

/** Rows times dimensions of one shard at most: the checks score all of them in JavaScript, for each query. */
const MAX_VALUES = 120_000;
const MAX_DIM = 2048;
/** One less, as many, one more than what a register or a cache line holds. */
const EDGES = [1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 768, 2047, 2048];
/** Of contract.ts: the largest that is admitted, and what float32 holds only roughly. */
const MAGNITUDES = [1, 1, 1, 6e17, 1e9, 1e-9, 1e-18, 1e-30, 3e-44];

export interface Spec {
  readonly metric: Metric;
  readonly dim: number;
  readonly count: number;
  readonly seed: number;
  readonly m: number;
  readonly efConstruction: number;
  readonly threads: number;
  /** Share of rows that are copies of others. */
  readonly copies: number;
  /** Components are one of so few values, so that many scores tie; 0: any value. */
  readonly levels: number;
  /** `mixed`: every row has a magnitude of its own, under l2 and ip. */
  readonly magnitude: number | 'mixed';
  /** Size of the queries over that of the rows. */
  readonly farness: number;
  readonly k: number;
  readonly ef: number;
  /** Share of rows that may be returned; null: no filter. */
  readonly allowed: number | null;
}

const dim = fc.oneof(fc.constantFrom(...EDGES), fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: MAX_DIM }));
const share = fc.constantFrom(0, 0, 0.01, 0.3, 0.9, 1);

export const spec: fc.Arbitrary<Spec> = dim
  .chain((size) =>
    fc.tuple(fc.constant(size), fc.integer({ min: 0, max: Math.min(2500, Math.floor(MAX_VALUES / size)) })),
  )
  .chain(([size, count]) =>
    fc.record({
      metric: fc.constantFrom(...METRICS),
      dim: fc.constant(size),
      count: fc.oneof(fc.constantFrom(0, 1, 2, 3), fc.constant(count), fc.constant(count)),
      seed: fc.nat(),
      m: fc.constantFrom(4, 5, 8, 16, 33),
      efConstruction: fc.constantFrom(1, 20, 60),
      threads: fc.integer({ min: 1, max: 3 }),
      copies: share,
      levels: fc.constantFrom(0, 0, 0, 2, 3),
      magnitude: fc.oneof(fc.constantFrom(...MAGNITUDES), fc.constant('mixed' as const)),
      farness: fc.constantFrom(1, 1, 1, 1e-9, 1e3, 1e9),
      k: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constantFrom(1, 100, count + 1, 10_000)),
      ef: fc.oneof(fc.integer({ min: 1, max: 200 }), fc.constant(10_000)),
      allowed: fc.option(share),
    }),
  );

/** Components that no rule of the project refuses: up to 1e18, and no zero vector under cosine. */
function fillRow(row: Float32Array, { metric, levels, magnitude }: Spec, farness: number, random: () => number): void {
  const size = magnitude === 'mixed' ? 10 ** (36 * random() - 18) : magnitude;
  const scale = metric === 'cosine' ? 1 : Math.min(6e17, size * farness);
  for (let i = 0; i < row.length; i++) {
    const value = levels > 0 ? Math.floor(random() * levels) : random() + random() + random() - 1.5;
    row[i] = value * scale;
  }
  if (metric !== 'cosine') return;
  if (!normalizeRow(row, 0, row.length)) row[0] = 1;
}

export function makeShard(given: Spec): ShardVectors {
  const { metric, dim, count, seed, copies } = given;
  const random = seededRandom(seed);
  const values = new Float32Array(new SharedArrayBuffer(4 * count * dim));
  for (let row = 0; row < count; row++) {
    const to = values.subarray(row * dim, (row + 1) * dim);
    const from = row > 0 && random() < copies ? Math.floor(random() * row) : null;
    if (from === null) fillRow(to, given, 1, random);
    else to.set(values.subarray(from * dim, (from + 1) * dim));
  }
  return { metric, dim, count, values };
}

/** Queries like the rows, one of which is a row, and one of zeros where the metric has them. */
export function makeQueries(given: Spec, shard: ShardVectors): Float32Array[] {
  const { metric, dim, count, seed, farness } = given;
  const random = seededRandom(seed + 1);
  const queries = Array.from({ length: 4 }, () => {
    const query = new Float32Array(dim);
    fillRow(query, given, farness, random);
    return query;
  });
  const row = Math.floor(random() * count);
  if (count > 0) queries[1] = shard.values.slice(row * dim, (row + 1) * dim);
  if (metric !== 'cosine') queries[2]!.fill(0);
  return queries;
}

export function makeFilter({ allowed, count, seed }: Spec): Bitset | undefined {
  if (allowed === null) return undefined;
  const random = seededRandom(seed + 2);
  const set = new Bitset(count);
  for (let row = 0; row < count; row++) if (random() < allowed) set.add(row);
  return set;
}
