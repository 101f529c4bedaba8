/**
 * The truth that a calibration judges by: the nearest rows that may come back, of each query.
 *
 * Scans of float32 values are most of what a calibration would cost. Where the engine can scan its codes, the truth is what
 * is best by float32 scores among twice as many rows as are looked for: 1 ms a query for 3 ms at 50,000 x 768. That is believed only
 * where it names the exact neighbours of the first queries, equal scores aside; else, and where the engine has no codes, float32
 * values are scanned on the pool's threads.
 */
import { setImmediate } from 'node:timers/promises';
import { MAX_K, TRUTH_QUERIES_PER_PASS } from '../base/limits.js';
import { TopK } from '../base/top-k.js';
import type { ExactSearch } from '../engine/exact/exact-search.js';
import type { LoadedVersion } from '../retrieve/loaded-version.js';
import type { Trial } from './calibration-trial.js';
import { queryAt, selfAt } from './queries.js';

/** Best first. */
export interface Neighbors {
  readonly ordinals: Uint32Array;
  readonly scores: Float32Array;
}

export interface TruthPart {
  /** Queries `from` to `to`, exclusive. */
  readonly from: number;
  readonly to: number;
  readonly k: number;
}

/** The k best rows that may come back, for each query of the part. */
export type FindTruth = (trial: Trial, part: TruthPart, signal: AbortSignal | undefined) => Promise<Neighbors[]>;

/** Rows that are best by score are looked for among so many times as many that are best by code, and a few more. */
const CODE_DEPTH = 2;
const CODE_MARGIN = 64;

/** Queries and neighbours by which a scan of codes earns belief. */
const TRIED_QUERIES = 16;
const TRIED_K = 100;

/** How the truth of this trial's version is found. @param trial without a filter */
export async function chooseTruth(trial: Trial, pool: ExactSearch, signal?: AbortSignal): Promise<FindTruth> {
  const exact: FindTruth = (one, part, aborted) => scanValues(one, part, pool, aborted);
  if (!canScanCodes(trial)) return exact;
  const part = { from: 0, to: Math.min(TRIED_QUERIES, trial.queries.count), k: Math.min(TRIED_K, trial.passing) };
  const [wanted, found] = [await exact(trial, part, signal), await scanCodes(trial, part, signal)];
  return wanted.every(({ scores }, position) => areEqual(scores, found[position]!.scores)) ? scanCodes : exact;
}

function canScanCodes({ version, queries }: Trial): boolean {
  const query = queries.vectors.subarray(0, version.manifest.dim);
  return version.shards.every(({ graph, everyRow }) => {
    if (graph.vectors.count === 0) return true;
    graph.search(query, { k: 1, ef: 1, allow: everyRow, plan: 'code_scan' });
    return graph.account?.().plan === 'code_scan';
  });
}

function areEqual(scores: Float32Array, others: Float32Array): boolean {
  return scores.length === others.length && scores.every((score, i) => score === others[i]);
}

/** By codes, on the calling thread, with a look at signals, timers and locks between queries. */
export async function scanCodes(
  { version, queries, filter }: Trial,
  { from, to, k }: TruthPart,
  signal: AbortSignal | undefined,
): Promise<Neighbors[]> {
  const most = queries.selves === null ? k : k + 1;
  const depth = Math.min(MAX_K, CODE_DEPTH * most + CODE_MARGIN);
  const truth: Neighbors[] = [];
  for (let position = from; position < to; position++) {
    await setImmediate();
    signal?.throwIfAborted();
    const query = queryAt(queries, position, version.manifest.dim);
    const parts = version.shards.map(({ graph, everyRow }, shard) => {
      const { rows: allow, count: allowCount } = filter?.[shard] ?? { rows: everyRow, count: everyRow.size };
      return graph.search(query, { k: most, ef: depth, allow, allowCount, plan: 'code_scan' });
    });
    truth.push(withoutSelf(mergeParts(version, parts, most), selfAt(queries, position), k));
  }
  return truth;
}

/** By float32 values, on the pool's threads. */
export async function scanValues(
  { version, queries, filter }: Trial,
  { from, to, k }: TruthPart,
  pool: ExactSearch,
  signal: AbortSignal | undefined,
): Promise<Neighbors[]> {
  const { dim } = version.manifest;
  const shards = version.shards.map(({ graph }) => graph.vectors);
  const most = queries.selves === null ? k : k + 1;
  const options = { k: most, allow: filter?.map(({ rows }) => rows), signal };
  const truth: Neighbors[] = [];
  for (let first = from; first < to; first += TRUTH_QUERIES_PER_PASS) {
    const end = Math.min(to, first + TRUTH_QUERIES_PER_PASS);
    const found = await pool.search(shards, queries.vectors.slice(first * dim, end * dim), end - first, options);
    const merged = found.map((parts) => mergeParts(version, parts, most));
    truth.push(...merged.map((neighbors, i) => withoutSelf(neighbors, selfAt(queries, first + i), k)));
  }
  return truth;
}

/** @param k how many are left at most */
export function withoutSelf({ ordinals, scores }: Neighbors, self: number | undefined, k: number): Neighbors {
  const own = self === undefined ? -1 : ordinals.indexOf(self);
  if (own === -1) return { ordinals: ordinals.subarray(0, k), scores: scores.subarray(0, k) };
  const kept = (_: number, position: number): boolean => position !== own;
  return { ordinals: ordinals.filter(kept).subarray(0, k), scores: scores.filter(kept).subarray(0, k) };
}

interface ShardPart {
  readonly rows: Uint32Array;
  readonly scores: Float32Array;
}

/** The k best of all shards. A version of one shard has rows for ordinals, and they are in order. */
export function mergeParts(version: LoadedVersion, parts: readonly ShardPart[], k: number): Neighbors {
  if (parts.length === 1) {
    const { rows, scores } = parts[0]!;
    return { ordinals: rows.subarray(0, k), scores: scores.subarray(0, k) };
  }
  const best = new TopK(k);
  for (const [shard, { rows, scores }] of parts.entries()) {
    const { ordinals } = version.shards[shard]!;
    for (let i = 0; i < rows.length; i++) best.push(scores[i]!, ordinals[rows[i]!]!);
  }
  const { rows, scores } = best.drain();
  return { ordinals: rows, scores };
}
