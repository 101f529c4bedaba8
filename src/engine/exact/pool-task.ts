/**
 * The messages between the pool and its threads, and how a call is cut into tasks.
 *
 * Takes the shards and queries of one call; gives its tasks one by one, since a call over many rows and queries has
 * millions.
 */
import assert from 'node:assert/strict';
import type { Bitset } from '../../base/bitset.js';
import type { Metric } from '../../base/metric.js';
import type { ShardVectors } from '../engine.js';
import { TILE_QUERIES } from './kernels.js';
import type { Candidates } from './scan.js';

/** The next task of a thread: some queries over some rows of one shard. All arrays are in shared memory. */
export interface PoolTask {
  readonly shard: number;
  readonly metric: Metric;
  readonly dim: number;
  readonly count: number;
  /**
   * The memory of the shard's values. The buffer is sent and not the array, since Node cuts the length of a view to
   * 32 bits.
   */
  readonly memory: SharedArrayBuffer;
  readonly memoryOffset: number;
  readonly firstQuery: number;
  readonly queryCount: number;
  readonly queries: Float32Array;
  readonly k: number;
  /** The words of the set of allowed rows. */
  readonly allow: Uint32Array | undefined;
  readonly fromRow: number;
  readonly toRow: number;
}

export interface PoolRequest {
  readonly id: number;
  readonly task: PoolTask;
}

export interface PoolReply {
  readonly id: number;
  /** One per query of the task. */
  readonly answers: readonly Candidates[];
}

/**
 * Products (one component of a row with one of a query) of one task: 1 to 15 ms at 0.4 ns each. Shorter tasks cost
 * more in messages; longer ones abort later.
 */
const MIN_TASK_PRODUCTS = 2 ** 21;
const MAX_TASK_PRODUCTS = 2 ** 25;

/** Tasks for each thread, if the call is large enough, so that the threads end together. */
const TASKS_PER_THREAD = 4;

/**
 * Queries of one task: 16 share a block of rows while it is in the cache. With more, a task would have too few rows.
 */
const TASK_QUERIES = 4 * TILE_QUERIES;

/** Rows of one task in multiples of k: with fewer, a task would do little but fill its lists. */
const MIN_ROWS_PER_K = 4;

interface PoolQuery {
  readonly queries: Float32Array;
  readonly queryCount: number;
  readonly k: number;
  /** Allowed rows, shard by shard; absent or undefined: all. */
  readonly allow: readonly (Bitset | undefined)[] | undefined;
  /** Threads that share the work. */
  readonly threads: number;
}

/**
 * The tasks of a call, rows outermost, so that consecutive tasks read the same rows. Copies arguments into shared
 * memory, except the vectors, which must be there.
 */
export function planTasks(shards: readonly ShardVectors[], query: PoolQuery): Generator<PoolTask, void, void> {
  const { queries, queryCount, k, allow } = query;
  shards.forEach(sharedMemory);
  assert(
    shards.every(({ dim }) => queries.length === queryCount * dim),
    `${queries.length} values for ${queryCount} queries`,
  );
  assert(Number.isSafeInteger(k) && k >= 1, `k is ${k}`);
  assert(allow === undefined || allow.length === shards.length, 'one set of allowed rows per shard');
  const plans = planShards(shards, query);
  return cutTasks(shards, plans, shareFloats(queries), queryCount, k);
}

interface ShardPlan {
  readonly rowsPerTask: number;
  readonly allow: Uint32Array | undefined;
  readonly isEmpty: boolean;
}

function planShards(shards: readonly ShardVectors[], { queryCount, k, allow, threads }: PoolQuery): ShardPlan[] {
  const allowed = shards.map(({ count }, i) => allow?.[i]?.count() ?? count);
  const products = shards.reduce((sum, { dim }, i) => sum + allowed[i]! * dim * queryCount, 0);
  const fair = products / (threads * TASKS_PER_THREAD);
  const perTask = Math.min(MAX_TASK_PRODUCTS, Math.max(MIN_TASK_PRODUCTS, fair));
  const queries = Math.max(1, Math.min(queryCount, TASK_QUERIES));
  return shards.map(({ dim, count }, i) => {
    const scored = Math.max(MIN_ROWS_PER_K * k, perTask / (dim * queries));
    const rowsPerTask = Math.max(1, Math.ceil((scored * count) / Math.max(1, allowed[i]!)));
    const set = allow?.[i];
    return { rowsPerTask, allow: set && shareWords(set.words), isEmpty: allowed[i] === 0 };
  });
}

function* cutTasks(
  shards: readonly ShardVectors[],
  plans: readonly ShardPlan[],
  queries: Float32Array,
  queryCount: number,
  k: number,
): Generator<PoolTask, void, void> {
  for (const [shard, vectors] of shards.entries()) {
    const { rowsPerTask, allow, isEmpty } = plans[shard]!;
    if (isEmpty) continue;
    const { metric, dim, count } = vectors;
    const memory = sharedMemory(vectors);
    const common = { shard, metric, dim, count, memory, memoryOffset: vectors.values.byteOffset, k, allow };
    for (let fromRow = 0; fromRow < count; fromRow += rowsPerTask) {
      const rows = { ...common, fromRow, toRow: Math.min(count, fromRow + rowsPerTask) };
      for (let firstQuery = 0; firstQuery < queryCount; firstQuery += TASK_QUERIES) {
        const last = Math.min(queryCount, firstQuery + TASK_QUERIES);
        const mine = queries.subarray(firstQuery * dim, last * dim);
        yield { ...rows, firstQuery, queryCount: last - firstQuery, queries: mine };
      }
    }
  }
}

function sharedMemory({ values }: ShardVectors): SharedArrayBuffer {
  const { buffer } = values;
  assert(buffer instanceof SharedArrayBuffer, 'the pool scans vectors in a SharedArrayBuffer only');
  return buffer;
}

function shareFloats(values: Float32Array): Float32Array {
  if (values.buffer instanceof SharedArrayBuffer) return values;
  const shared = new Float32Array(new SharedArrayBuffer(values.byteLength));
  shared.set(values);
  return shared;
}

function shareWords(words: Uint32Array): Uint32Array {
  if (words.buffer instanceof SharedArrayBuffer) return words;
  const shared = new Uint32Array(new SharedArrayBuffer(words.byteLength));
  shared.set(words);
  return shared;
}
