/**
 * An open graph of the native engine behind the engines' interface. The file is mapped and not read; processes that
 * open it share one copy. Searches run on the calling thread, one at a time.
 */
import assert from 'node:assert/strict';
import { Bitset } from '../../base/bitset.js';
import { TaskQueue } from '../../base/task-queue.js';
import { MAX_K } from '../../base/limits.js';
import {
  type GraphParameters,
  type SearchAccount,
  type ShardAnswer,
  type ShardIndex,
  type ShardQuery,
  type ShardVectors,
} from '../engine.js';
import { SHARD_PLANS, type ShardPlan } from '../../wire/shard-plans.js';
import { scanAllowed } from '../exact/exact.js';
import {
  addonError,
  callAddon,
  loadAddon,
  metricNumber,
  type AddonBuffers,
  type AddonShard,
  type GraphFigures,
} from './addon.js';

/** Components that `searchGraph` scans at most: about 0.4 ms of float32 values, or the same time over codes. */
const SHORT_SCAN = 2 ** 20;
/** The same for `searchLater`. The scan threads share longer scans. */
const LONG_SCAN = 2 ** 26;
const NO_SCAN_LIMIT = 2 ** 32 - 1;
/** Numbers in the account of a search. */
const ACCOUNT_NUMBERS = 8;

/** @see GraphEngine.open */
export function openNative(
  path: string,
  vectors: ShardVectors,
  parameters: Pick<GraphParameters, 'm' | 'efConstruction'>,
  without?: Uint32Array,
): Promise<NativeIndex> {
  return Promise.resolve(new NativeIndex(path, vectors, parameters, without));
}

/** The addon's thread runs one search. A second one waits there, so that the thread never idles. */
const longSearches = new TaskQueue(2);

/** Nodes expanded and distances computed by all searches of graphs on this thread. They only grow. */
export const searchTotals = { visited: 0, computed: 0 };

export class NativeIndex implements ShardIndex {
  readonly vectors: ShardVectors;
  readonly residentBytes: number;
  readonly figures: GraphFigures;
  private readonly shard: AddonShard;
  private readonly buffers: AddonBuffers;
  /** Rows that may be found without a filter. */
  private readonly visible: number;
  private readonly hidden: Uint32Array | undefined;
  /** Those rows as a set, made on first use. Rows are taken out of it while the addon reads it. */
  private visibleRows: Bitset | null = null;
  private closed = false;

  constructor(
    private readonly path: string,
    vectors: ShardVectors,
    parameters: Pick<GraphParameters, 'm' | 'efConstruction'>,
    hidden?: Uint32Array,
  ) {
    const { metric, dim, count, values } = vectors;
    const { m, efConstruction } = parameters;
    const capacity = Math.min(count, MAX_K);
    this.vectors = vectors;
    this.visible = count - (hidden?.length ?? 0);
    this.hidden = hidden;
    this.buffers = makeBuffers(dim, capacity);
    const shape = { metric: metricNumber(metric), dim, count, m, efConstruction };
    const { Shard } = loadAddon();
    this.shard = callAddon('open', path, () => new Shard({ ...shape, path, values, hidden, ...this.buffers }));
    this.figures = this.shard.figures();
    this.residentBytes = estimateNativeBytes(count, dim, m);
  }

  search(query: Float32Array, options: ShardQuery): ShardAnswer {
    return this.run(query, options, NO_SCAN_LIMIT)!;
  }

  searchGraph(query: Float32Array, options: ShardQuery): ShardAnswer | null {
    return this.run(query, options, SHORT_SCAN);
  }

  /** @see ShardIndex.scanRows */
  scanRows(query: Float32Array, options: ShardQuery): ShardAnswer {
    const { leftOut = NO_ROWS } = options;
    const allow = options.allow ?? (leftOut.length === 0 ? this.everyRow : undefined);
    const scan: ShardQuery = { ...options, plan: 'exact_scan', ...(allow && { allow }) };
    return options.k > MAX_K ? scanAllowed(this.vectors, query, scan) : this.run(query, scan, NO_SCAN_LIMIT)!;
  }

  /** @see ShardIndex.verify */
  verify(): void {
    callAddon('verify', this.path, () => this.shard.verify());
  }

  /** @see ShardIndex.searchLater */
  async searchLater(query: Float32Array, options: ShardQuery, signal?: AbortSignal): Promise<ShardAnswer | null> {
    const start = () => {
      this.requireFit(query, options);
      const { allow, allowList, leftOut = NO_ROWS } = options;
      const k = Math.min(options.k, this.buffers.foundRows.length);
      const ef = Math.min(options.ef, this.vectors.count);
      const [plan, passing] = [planNumber(options.plan), this.countPassing(options) - leftOut.length];
      const later = (words: Uint32Array | undefined) =>
        this.shard.searchLater(k, ef, words, passing, plan, LONG_SCAN, allowList, query);
      return leftOut.length === 0 ? later(allow?.words) : this.without(leftOut, allow, later);
    };
    const { rows, scores, counters } = await longSearches.run(start, signal).catch((error: unknown) => {
      throw addonError('search', this.path, error);
    });
    const path = count(counters);
    if (path === null) return null;
    return options.account === true ? { rows, scores, path, account: accountOf(counters) } : { rows, scores, path };
  }

  close(): void {
    if (!this.closed) this.shard.close();
    this.closed = true;
  }

  private run(query: Float32Array, options: ShardQuery, maxScanned: number): ShardAnswer | null {
    this.requireFit(query, options);
    const { allow, allowList, leftOut, plan } = options;
    const { foundRows, foundScores, counters, query: queryBuffer } = this.buffers;
    queryBuffer.set(query);
    const k = Math.min(options.k, foundRows.length);
    const ef = Math.min(options.ef, this.vectors.count);
    const passing = this.countPassing(options);
    const found =
      leftOut === undefined || leftOut.length === 0
        ? this.shard.search(k, ef, allow?.words, passing, planNumber(plan), maxScanned, allowList)
        : this.without(leftOut, allow, (words) =>
            this.shard.search(k, ef, words, passing - leftOut.length, planNumber(plan), maxScanned, allowList),
          );
    const path = count(counters);
    if (path === null) return null;
    const best = { rows: foundRows.slice(0, found), scores: foundScores.slice(0, found), path };
    return options.account === true ? { ...best, account: accountOf(counters) } : best;
  }

  /** Allowed rows before `leftOut` is subtracted. */
  private countPassing({ allow, allowCount }: ShardQuery): number {
    return allow === undefined ? this.visible : (allowCount ?? allow.count());
  }

  /**
   * Calls the addon with the allowed rows without `leftOut`. The addon has read or copied them when the call
   * returns. So without a filter, rows are taken out of the index's own set for that time.
   */
  private without<T>(leftOut: readonly number[], allow: Bitset | undefined, call: (words: Uint32Array) => T): T {
    const rows = allow === undefined ? this.everyRow : new Bitset(this.vectors.count, allow.words.slice());
    for (const row of leftOut) rows.delete(row);
    try {
      return call(rows.words);
    } finally {
      if (allow === undefined) for (const row of leftOut) rows.add(row);
    }
  }

  private get everyRow(): Bitset {
    if (this.visibleRows === null) {
      this.visibleRows = Bitset.full(this.vectors.count);
      for (const row of this.hidden ?? []) this.visibleRows.delete(row);
    }
    return this.visibleRows;
  }

  /** Not `assert`, whose message would be formatted on every call. */
  private requireFit(query: Float32Array, { allow }: ShardQuery): void {
    const { count, dim } = this.vectors;
    if (this.closed) assert.fail('search of a closed index');
    if (query.length !== dim) assert.fail(`a query of ${query.length} components for ${dim}`);
    if (allow !== undefined && allow.size !== count) assert.fail(`a set of ${allow.size} rows for a shard of ${count}`);
  }
}

const NO_ROWS: readonly number[] = [];

/** Adds a search to the totals. @returns how its answer was found; null if there is none */
function count(counters: Float64Array): ShardAnswer['path'] | null {
  searchTotals.visited += counters[0]!;
  searchTotals.computed += counters[1]!;
  const plan = SHARD_PLANS[counters[2]!]!;
  if (plan === 'auto') return null;
  return plan === 'exact_scan' ? 'exact' : 'graph';
}

function accountOf(counters: Float64Array): SearchAccount {
  const [visited, computed, plan, nearShare, widened, twoHop, codeScan, exactScan] = counters;
  return {
    plan: SHARD_PLANS[plan!]!,
    visited: visited!,
    computed: computed!,
    nearShare: nearShare!,
    costs: { widened: widened!, two_hop: twoHop!, code_scan: codeScan!, exact_scan: exactScan! },
  };
}

function planNumber(plan: ShardPlan | undefined): number {
  return plan === undefined ? 0 : SHARD_PLANS.indexOf(plan);
}

/** In one ArrayBuffer, since the addon checks each one before use. */
function makeBuffers(dim: number, capacity: number): AddonBuffers {
  const counterBytes = ACCOUNT_NUMBERS * Float64Array.BYTES_PER_ELEMENT;
  const memory = new ArrayBuffer(counterBytes + 4 * (dim + 2 * capacity));
  return {
    counters: new Float64Array(memory, 0, ACCOUNT_NUMBERS),
    query: new Float32Array(memory, counterBytes, dim),
    foundRows: new Uint32Array(memory, counterBytes + 4 * dim, capacity),
    foundScores: new Float32Array(memory, counterBytes + 4 * (dim + capacity), capacity),
  };
}

/** Codes, links and upper levels, as in the file. */
export function estimateNativeBytes(count: number, dim: number, m: number): number {
  const code = 64 * Math.ceil((dim + 1) / 64);
  const list = 64 * Math.ceil((2 * m) / 16);
  const upper = (4 + 64 * Math.ceil(m / 16)) / (m - 1);
  return Math.ceil(count * (code + list + upper + 1)) + 8 * (dim + 1);
}
