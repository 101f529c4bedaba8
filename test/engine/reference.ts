/** Test data and exact answers, written the slow and obvious way. */
import assert from 'node:assert/strict';
import { expect } from 'vitest';
import { Bitset } from '../../src/base/bitset.js';
import { normalizeRow, rawKernel, toScore, type Metric } from '../../src/base/metric.js';
import { seededRandom } from '../../src/base/random.js';
import type { ShardVectors } from '../../src/engine/engine.js';
import type { Candidates } from '../../src/engine/exact/scan.js';

/** Deep equality to the bit; on long typed arrays hundreds of times as fast as expect's. */
export function expectSame(actual: unknown, expected: unknown): void {
  assert.deepStrictEqual(actual, expected);
}

export interface Space {
  readonly metric: Metric;
  readonly dim: number;
}

/** Roughly normal components around 0, times `magnitude`; unit rows under cosine. */
export function randomValues({ metric, dim }: Space, count: number, seed: number, magnitude = 1): Float32Array {
  const random = seededRandom(seed);
  const values = new Float32Array(new SharedArrayBuffer(4 * count * dim));
  for (let i = 0; i < values.length; i++) values[i] = (random() + random() + random() - 1.5) * magnitude;
  if (metric === 'cosine') for (let row = 0; row < count; row++) normalizeRow(values, row * dim, dim);
  return values;
}

export function randomVectors(space: Space, count: number, seed: number, magnitude = 1): ShardVectors {
  return { ...space, count, values: randomValues(space, count, seed, magnitude) };
}

export function rowOf({ dim, values }: ShardVectors, row: number): Float32Array {
  return values.slice(row * dim, (row + 1) * dim);
}

export function randomSet(size: number, share: number, seed: number): Bitset {
  const random = seededRandom(seed);
  const set = new Bitset(size);
  for (let row = 0; row < size; row++) if (random() < share) set.add(row);
  return set;
}

export function scoreOf(vectors: ShardVectors, query: Float32Array, row: number): number {
  const { metric, dim, values } = vectors;
  return toScore(metric, rawKernel(metric)(values, row * dim, query, 0, dim));
}

/** The k best allowed rows of [from, to): every row scored, then sorted. */
export function bruteForce(
  vectors: ShardVectors,
  query: Float32Array,
  { k, allow, from = 0, to = vectors.count }: { k: number; allow?: Bitset | undefined; from?: number; to?: number },
): Candidates {
  const scored: { row: number; score: number }[] = [];
  for (let row = from; row < to; row++) {
    if (allow?.has(row) ?? true) scored.push({ row, score: scoreOf(vectors, query, row) });
  }
  scored.sort((a, b) => b.score - a.score || a.row - b.row);
  const best = scored.slice(0, k);
  return { rows: Uint32Array.from(best, ({ row }) => row), scores: Float32Array.from(best, ({ score }) => score) };
}

/** What holds for every answer, exact or not: as many rows as there can be, allowed, in order, with canonical scores. */
export function expectSound(
  answer: Candidates,
  vectors: ShardVectors,
  query: Float32Array,
  { k, allow }: { k: number; allow?: Bitset | undefined },
): void {
  const { rows, scores } = answer;
  expect(rows.length).toBe(Math.min(k, allow?.count() ?? vectors.count));
  expect(new Set(rows).size).toBe(rows.length);
  expect(rows.every((row) => row < vectors.count && (allow?.has(row) ?? true))).toBe(true);
  expectSame(
    scores,
    Float32Array.from(rows, (row) => scoreOf(vectors, query, row)),
  );
  const order = Array.from(rows, (row, i) => ({ row, score: scores[i]! }));
  expectSame(
    [...order].sort((a, b) => b.score - a.score || a.row - b.row),
    order,
  );
}

/** Share of the answer that is as near as the k-th true neighbour. */
export function recallOf(answer: Candidates, truth: Candidates): number {
  if (truth.rows.length === 0) return 1;
  const least = truth.scores.at(-1)!;
  return answer.scores.filter((score) => score >= least).length / truth.rows.length;
}
