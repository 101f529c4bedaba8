/**
 * Exact search on all cores, off the caller's thread: with the native engine's addon if it is available, else in
 * JavaScript.
 */
import type { ShardVectors } from './engine.js';
import { hasAddon } from './native/addon.js';
import { NativePool } from './native/native-pool.js';
import { ExactPool, type PoolOptions } from './exact/exact-pool.js';
import type { Candidates } from './exact/scan.js';

export interface ExactSearch {
  /**
   * The k best rows of every shard for every query, as [query][shard].
   * @param queries queryCount x dim values, unit length under cosine; they and `allow` are copied before this returns
   */
  search(
    shards: readonly ShardVectors[],
    queries: Float32Array,
    queryCount: number,
    options: PoolOptions,
  ): Promise<Candidates[][]>;
  /** Ends the threads. Calls in flight are rejected with `not_ready`. */
  close(): Promise<void>;
}

/** @param threads at most; default all cores. Both kinds give the same rows and scores, to the bit. */
export function openExactSearch(threads?: number): ExactSearch {
  return hasAddon() ? new NativePool(threads) : new ExactPool(threads);
}
