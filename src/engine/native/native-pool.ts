/**
 * Exact search on the addon's threads, with the interface of ExactPool. Vectors may be in any memory, since no other
 * thread of JavaScript is involved.
 */
import assert from 'node:assert/strict';
import type { Bitset } from '../../base/bitset.js';
import { ShortlistError } from '../../base/errors.js';
import { availableCores } from '../../base/machine.js';
import type { ShardVectors } from '../engine.js';
import type { PoolOptions } from '../exact/exact-pool.js';
import type { Candidates } from '../exact/scan.js';
import { addonError, loadAddon, metricNumber, type AddonScanPool } from './addon.js';

/** With this many threads, scans wait for memory and not for cores. */
const MAX_DEFAULT_THREADS = 16;

export class NativePool {
  private readonly pool: AddonScanPool;
  /** Flags that cancel the calls in flight. */
  private readonly flags = new Set<Int32Array>();
  private closed = false;

  constructor(threads = Math.min(MAX_DEFAULT_THREADS, availableCores())) {
    const { ScanPool } = loadAddon();
    this.pool = new ScanPool(threads);
  }

  /** @see ExactSearch.search */
  async search(
    shards: readonly ShardVectors[],
    queries: Float32Array,
    queryCount: number,
    { k, allow, signal }: PoolOptions,
  ): Promise<Candidates[][]> {
    signal?.throwIfAborted();
    if (this.closed) throw closedError();
    checkCall(shards, queries, queryCount, k, allow);
    const cancel = new Int32Array(new SharedArrayBuffer(4));
    const onAbort = (): void => void Atomics.store(cancel, 0, 1);
    signal?.addEventListener('abort', onAbort);
    this.flags.add(cancel);
    try {
      const perShard = await Promise.all(
        shards.map(({ metric, dim, count, values }, shard) => {
          const words = allow?.[shard]?.words;
          const options = { metric: metricNumber(metric), dim, count, values, queries, k, allow: words, cancel };
          return this.pool.scan(options);
        }),
      );
      signal?.throwIfAborted(); // a short scan may end before it sees the flag, and an aborted call has no answer
      return Array.from({ length: queryCount }, (_, query) => perShard.map((answers) => answers[query]!));
    } catch (error) {
      signal?.throwIfAborted();
      if (this.isClosed()) throw closedError();
      throw addonError('scan', 'vectors', error);
    } finally {
      signal?.removeEventListener('abort', onAbort);
      this.flags.delete(cancel);
    }
  }

  /** @see ExactSearch.close */
  close(): Promise<void> {
    if (this.closed) return Promise.resolve();
    this.closed = true;
    for (const flag of this.flags) Atomics.store(flag, 0, 1);
    this.pool.close();
    return Promise.resolve();
  }

  /** For use after an await, when `close` may have been called. */
  private isClosed(): boolean {
    return this.closed;
  }
}

function checkCall(
  shards: readonly ShardVectors[],
  queries: Float32Array,
  queryCount: number,
  k: number,
  allow: readonly (Bitset | undefined)[] | undefined,
): void {
  assert(Number.isSafeInteger(k) && k >= 1, `k is ${k}`);
  assert(allow === undefined || allow.length === shards.length, 'one set of allowed rows per shard');
  shards.forEach(({ dim, count, values }, shard) => {
    assert(queries.length === queryCount * dim, `${queries.length} values for ${queryCount} queries`);
    assert(values.length === count * dim, `${values.length} values are not ${count} x ${dim}`);
    const size = allow?.[shard]?.size ?? count;
    assert(size === count, `the set of allowed rows is made for ${size} rows, the shard has ${count}`);
  });
}

function closedError(): ShortlistError {
  return new ShortlistError('not_ready', 'the pool of exact search is closed, since the process is shutting down');
}
