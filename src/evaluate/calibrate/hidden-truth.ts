/**
 * The truth that a calibration judges by: the nearest rows that may come back, of each query, by scans of all float32
 * values. Found for as many queries as are asked, and as deep, when they are: a query that was scanned for 1,000
 * neighbours needs no scan for 10.
 */
import { TRUTH_QUERIES_PER_PASS } from '../../base/limits.js';
import { TopK } from '../../base/top-k.js';
import type { ExactSearch } from '../../engine/exact-search.js';
import type { LoadedVersion } from '../../retrieve/load/loaded-version.js';
import type { Neighbors, Trial } from './trial.js';

export class TruthOnDemand {
  private readonly trial: Trial;
  private readonly pool: ExactSearch;
  private readonly signal: AbortSignal | undefined;
  private readonly known: { readonly k: number; readonly neighbors: Neighbors }[] = [];

  constructor(trial: Trial, pool: ExactSearch, signal?: AbortSignal) {
    this.trial = trial;
    this.pool = pool;
    this.signal = signal;
  }

  /** At least the k nearest of the first `count` queries, fewer only where fewer rows may come back. */
  async find(count: number, k: number): Promise<readonly Neighbors[]> {
    for (let from = 0; from < count;) {
      const to = await this.endOfMissing(from, count, k);
      if (to > from) await this.scan(from, to, k);
      from = Math.max(to, from + 1);
    }
    return this.known.slice(0, count).map(({ neighbors }) => neighbors);
  }

  /** Where the queries from here on end that lack neighbours, have one fold and fit into one pass. */
  private async endOfMissing(from: number, count: number, k: number): Promise<number> {
    const { group } = await this.trial.searchSpaceOf(from);
    const most = Math.min(count, group.to, from + TRUTH_QUERIES_PER_PASS);
    let to = from;
    while (to < most && (this.known[to]?.k ?? 0) < k) to++;
    return to;
  }

  private async scan(from: number, to: number, k: number): Promise<void> {
    const { version, queries } = this.trial;
    const { dim } = version.manifest;
    const { allow } = await this.trial.searchSpaceOf(from);
    const shards = version.shards.map(({ graph }) => graph.vectors);
    const options = { k, allow: allow ?? undefined, signal: this.signal };
    const vectors = queries.vectors.slice(from * dim, to * dim);
    const found = await this.pool.search(shards, vectors, to - from, options);
    for (const [i, parts] of found.entries()) this.known[from + i] = { k, neighbors: mergeParts(version, parts, k) };
  }
}

interface ShardPart {
  readonly rows: Uint32Array;
  readonly scores: Float32Array;
}

/** The k best of all shards. A version of one shard has rows for ordinals, and they are in order. */
function mergeParts(version: LoadedVersion, parts: readonly ShardPart[], k: number): Neighbors {
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
