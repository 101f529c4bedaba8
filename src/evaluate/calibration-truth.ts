/** The truth that a calibration judges by: the nearest rows that may come back, of each query, by scans of all float32 values. */
import { TRUTH_QUERIES_PER_PASS } from '../base/limits.js';
import { TopK } from '../base/top-k.js';
import type { ExactSearch } from '../engine/exact/exact-search.js';
import type { LoadedVersion } from '../retrieve/loaded-version.js';
import type { Trial } from './calibration-trial.js';
import { selfAt } from './queries.js';

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

/** The k best rows that may come back, for each query of the part, on the pool's threads. */
export async function scanForTruth(
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
