/**
 * Exact search: the truth for every measurement of recall.
 *
 * Takes a shard's vectors and any number of queries; gives for each query the k best of a range of rows, in the
 * contract's order and with canonical scores. Hides the blocking: a block of rows stays in the cache while all
 * queries pass over it.
 */
import assert from 'node:assert/strict';
import type { Bitset } from '../../base/bitset.js';
import { toScore, type Metric } from '../../base/metric.js';
import { TopK } from '../../base/top-k.js';
import type { ShardVectors } from '../engine.js';
import { kernelsOf, packTile, TILE_QUERIES, type Kernels } from './kernels.js';

/** Rows of one shard with their scores, best first. */
export interface Candidates {
  readonly rows: Uint32Array;
  readonly scores: Float32Array;
}

interface ScanOptions {
  /** The most rows to return; from 1. */
  readonly k: number;
  /** Rows that may be returned; absent: all. */
  readonly allow?: Bitset | undefined;
}

/** Bytes of the rows of one block: with the packed queries they fit a second-level cache of 512 KiB. */
const BLOCK_BYTES = 128 * 1024;
const MIN_BLOCK_ROWS = 4;
const MAX_BLOCK_ROWS = 1024;

/** Components in one view, so that the kernels' indexes are small integers for any size of shard. */
const WINDOW_COMPONENTS = 2 ** 28;

/**
 * The k best rows of [fromRow, toRow) for each query.
 * @param queries queryCount x dim values, unit length under cosine
 */
export function scan(
  vectors: ShardVectors,
  queries: Float32Array,
  queryCount: number,
  options: ScanOptions,
  fromRow = 0,
  toRow = vectors.count,
): Candidates[] {
  checkScan(vectors, queries, queryCount, options, fromRow, toRow);
  const { dim, metric, values } = vectors;
  const lists = openLists(metric, queryCount, Math.min(options.k, toRow - fromRow));
  const pass = openPass(metric, dim, queries, queryCount);
  const windowRows = Math.max(MIN_BLOCK_ROWS, Math.floor(WINDOW_COMPONENTS / dim));
  for (let base = fromRow; base < toRow; base += windowRows) {
    const end = Math.min(toRow, base + windowRows);
    const window = values.subarray(base * dim, end * dim);
    for (let row = base; row < end;) {
      row = pickRows(pass.picked, options.allow, base, row, end);
      scoreBlock(pass, window, base, lists);
    }
  }
  return lists.map((list) => list.top.drain());
}

/**
 * The k best of the given rows, each given once. Rows that are not finite are left out, as by `scan`, since they
 * have no place in an order.
 */
export function rankRows(vectors: ShardVectors, query: Float32Array, rows: ArrayLike<number>, k: number): Candidates {
  const { dim, metric, values } = vectors;
  const { strip } = kernelsOf(metric);
  const wide = Float64Array.from(query);
  const raw = new Float64Array(4);
  const top = new TopK(Math.min(k, rows.length));
  const last = rows.length - 1;
  for (let i = 0; i <= last; i += 4) {
    const at = (n: number): number => rows[Math.min(i + n, last)]! * dim;
    strip(values, at(0), at(1), at(2), at(3), wide, dim, raw, 0);
    for (let n = 0; n < 4 && i + n <= last; n++) {
      if (!Number.isNaN(raw[n])) top.push(toScore(metric, raw[n]!), rows[i + n]!);
    }
  }
  return top.drain();
}

function checkScan(
  vectors: ShardVectors,
  queries: Float32Array,
  queryCount: number,
  options: ScanOptions,
  fromRow: number,
  toRow: number,
): void {
  const { count, dim, values } = vectors;
  assert(values.length === count * dim, `${values.length} values are not ${count} x ${dim}`);
  assert(queries.length === queryCount * dim, `${queries.length} values are not ${queryCount} queries x ${dim}`);
  assert(Number.isSafeInteger(options.k) && options.k >= 1, `k is ${options.k}`);
  assert(0 <= fromRow && fromRow <= toRow && toRow <= count, `rows ${fromRow} to ${toRow} of ${count}`);
  const size = options.allow?.size ?? count;
  assert(size === count, `the set of allowed rows is made for ${size} rows, the shard has ${count}`);
}

/** The best of one query so far. */
interface List {
  readonly top: TopK;
  /** +1, or -1 under l2: raw sums times `sign` grow with the score. */
  readonly sign: 1 | -1;
  /**
   * A row with a signed sum at or below this one cannot enter. Rounding is monotonic, and the threshold is a float32
   * whose square is exact in float64. So such a sum has a score at or below the threshold, and of equal scores the
   * earlier row, which is the lower one, stays.
   */
  limit: number;
}

function openLists(metric: Metric, queryCount: number, k: number): List[] {
  const sign = metric === 'l2' ? -1 : 1;
  return Array.from({ length: queryCount }, () => ({ top: new TopK(k), sign, limit: -Infinity }));
}

function limitOf(metric: Metric, threshold: number): number {
  return metric === 'l2' ? -(threshold * threshold) : threshold;
}

/** The state that one scan keeps between blocks. */
interface Pass {
  readonly metric: Metric;
  readonly dim: number;
  readonly kernels: Kernels;
  /** Queries in fours, then the remaining ones. */
  readonly tiles: readonly Float64Array[];
  readonly singles: readonly Float64Array[];
  readonly picked: Picked;
  readonly raw: Float64Array;
}

/** Rows of one block, counted from the first row of the window. The last one is repeated to fill a group of four. */
interface Picked {
  readonly rows: Int32Array;
  readonly capacity: number;
  count: number;
}

function openPass(metric: Metric, dim: number, queries: Float32Array, queryCount: number): Pass {
  const capacity = Math.max(MIN_BLOCK_ROWS, Math.min(MAX_BLOCK_ROWS, Math.floor(BLOCK_BYTES / (4 * dim))));
  const tiled = queryCount - (queryCount % TILE_QUERIES);
  const tiles: Float64Array[] = [];
  for (let q = 0; q < tiled; q += TILE_QUERIES) tiles.push(packTile(queries, q, dim));
  const singles: Float64Array[] = [];
  for (let q = tiled; q < queryCount; q++) singles.push(Float64Array.from(queries.subarray(q * dim, (q + 1) * dim)));
  const picked = { rows: new Int32Array(capacity + 3), capacity, count: 0 };
  const raw = new Float64Array(TILE_QUERIES * (capacity + 3));
  return { metric, dim, kernels: kernelsOf(metric), tiles, singles, picked, raw };
}

/** Fills `picked` with allowed rows from `row` up to `end`. @returns the row to continue at */
function pickRows(picked: Picked, allow: Bitset | undefined, base: number, row: number, end: number): number {
  const next = allow === undefined ? pickAll(picked, base, row, end) : pickAllowed(picked, allow.words, base, row, end);
  if (picked.count > 0) picked.rows.fill(picked.rows[picked.count - 1]!, picked.count, picked.count + 3);
  return next;
}

function pickAll(picked: Picked, base: number, row: number, end: number): number {
  const stop = Math.min(end, row + picked.capacity);
  picked.count = stop - row;
  for (let i = 0; i < picked.count; i++) picked.rows[i] = row - base + i;
  return stop;
}

function pickAllowed(picked: Picked, words: Uint32Array, base: number, from: number, end: number): number {
  let row = from;
  let count = 0;
  while (row < end) {
    const word = words[Math.floor(row / 32)]! >>> (row % 32);
    if (word === 0) {
      row += 32 - (row % 32);
      continue;
    }
    row += 31 - Math.clz32(word & -word);
    if (row >= end) break;
    picked.rows[count++] = row - base;
    row++;
    if (count === picked.capacity) break;
  }
  picked.count = count;
  return Math.min(row, end);
}

function scoreBlock(pass: Pass, window: Float32Array, base: number, lists: readonly List[]): void {
  if (pass.picked.count === 0) return;
  const { picked, raw, metric } = pass;
  pass.tiles.forEach((tile, group) => {
    sumTile(pass, window, tile);
    for (let q = 0; q < TILE_QUERIES; q++) {
      pushSums(metric, lists[group * TILE_QUERIES + q]!, raw, q, TILE_QUERIES, picked, base);
    }
  });
  pass.singles.forEach((query, i) => {
    sumStrip(pass, window, query);
    pushSums(metric, lists[pass.tiles.length * TILE_QUERIES + i]!, raw, 0, 1, picked, base);
  });
}

/** raw[4 i + q]: the sum of picked row i with query q of the tile. */
function sumTile(pass: Pass, window: Float32Array, query: Float64Array): void {
  const { dim, raw, picked } = pass;
  const { tile } = pass.kernels;
  for (let i = 0; i < picked.count; i += 2) {
    tile(window, picked.rows[i]! * dim, picked.rows[i + 1]! * dim, query, dim, raw, TILE_QUERIES * i);
  }
}

/** raw[i]: the sum of picked row i with the query. */
function sumStrip(pass: Pass, window: Float32Array, query: Float64Array): void {
  const { dim, raw, picked } = pass;
  const { rows } = picked;
  const { strip } = pass.kernels;
  for (let i = 0; i < picked.count; i += 4) {
    strip(window, rows[i]! * dim, rows[i + 1]! * dim, rows[i + 2]! * dim, rows[i + 3]! * dim, query, dim, raw, i);
  }
}

// prettier-ignore
function pushSums(
  metric: Metric, list: List, raw: Float64Array, first: number, step: number, picked: Picked, base: number,
): void {
  const { top, sign } = list;
  let limit = list.limit;
  for (let i = 0, at = first; i < picked.count; i++, at += step) {
    const sum = raw[at]!;
    if (!(sign * sum > limit)) continue; // also where the row is not finite, so that the sum is no number
    top.push(toScore(metric, sum), base + picked.rows[i]!);
    limit = limitOf(metric, top.threshold);
  }
  list.limit = limit;
}
