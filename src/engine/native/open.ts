/**
 * An open graph of the native engine behind the engines' interface. The file is mapped, not read; every process that
 * opens it shares one copy. One search at a time, on the calling thread.
 */
import assert from 'node:assert/strict';
import type { Bitset } from '../../base/bitset.js';
import { Lane } from '../../base/lane.js';
import { MAX_K } from '../../base/limits.js';
import {
  SHARD_PLANS,
  type GraphParameters,
  type LaterAnswer,
  type SearchAccount,
  type ShardAnswer,
  type ShardIndex,
  type ShardPlan,
  type ShardQuery,
  type ShardVectors,
} from '../engine.js';
import {
  addonError,
  callAddon,
  loadAddon,
  metricNumber,
  type AddonBuffers,
  type AddonShard,
  type GraphFigures,
} from './addon.js';

/**
 * Components that `searchGraph` scans at most: about 0.4 ms of float32 values, or as long over the codes of more
 * rows.
 */
const SHORT_SCAN = 2 ** 20;
/** And `searchLater`: what takes longer is shared by the threads of scans. */
const LONG_SCAN = 2 ** 26;
const MOST_SCANNED = 2 ** 32 - 1;
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

/** The addon's thread makes one at a time; another waits there, so that it goes on at once. */
const longSearches = new Lane(2);

/** Nodes expanded and distances computed by all searches of graphs on this thread. They only grow. */
export const searchTotals = { visited: 0, computed: 0 };

export class NativeIndex implements ShardIndex {
  readonly vectors: ShardVectors;
  readonly residentBytes: number;
  readonly figures: GraphFigures;
  private readonly shard: AddonShard;
  private readonly buffers: AddonBuffers;
  /** Rows that may be found where no filter says less. */
  private readonly visible: number;
  private closed = false;

  constructor(
    private readonly path: string,
    vectors: ShardVectors,
    parameters: Pick<GraphParameters, 'm' | 'efConstruction'>,
    hidden?: Uint32Array,
  ) {
    const { metric, dim, count, values } = vectors;
    const { m, efConstruction } = parameters;
    const most = Math.min(count, MAX_K);
    this.vectors = vectors;
    this.visible = count - (hidden?.length ?? 0);
    this.buffers = makeBuffers(dim, most);
    const shape = { metric: metricNumber(metric), dim, count, m, efConstruction };
    const { Shard } = loadAddon();
    this.shard = callAddon('open', path, () => new Shard({ ...shape, path, values, hidden, ...this.buffers }));
    this.figures = this.shard.figures();
    this.residentBytes = estimateNativeBytes(count, dim, m);
  }

  search(query: Float32Array, options: ShardQuery): ShardAnswer {
    return this.run(query, options, MOST_SCANNED)!;
  }

  searchGraph(query: Float32Array, options: ShardQuery): ShardAnswer | null {
    return this.run(query, options, SHORT_SCAN);
  }

  /** @see ShardIndex.scanRows */
  scanRows(query: Float32Array, options: ShardQuery & { readonly allow: Bitset }): ShardAnswer {
    return this.run(query, { ...options, plan: 'exact_scan' }, MOST_SCANNED)!;
  }

  /** @see ShardIndex.verify */
  verify(): void {
    callAddon('verify', this.path, () => this.shard.verify());
  }

  /** What the last search did, for those who ask. */
  account(): SearchAccount {
    return accountOf(this.buffers.counters);
  }

  /** @see ShardIndex.searchLater */
  async searchLater(query: Float32Array, options: ShardQuery, signal?: AbortSignal): Promise<LaterAnswer | null> {
    const found = await longSearches
      .run(() => {
        const { wanted, ef, words, allowed, plan, allowList } = this.check(query, options);
        return this.shard.searchLater(wanted, ef, words, allowed, plan, LONG_SCAN, allowList, query);
      }, signal)
      .catch((error: unknown) => {
        throw addonError('search', this.path, error);
      });
    const { rows, scores, counters } = found;
    const path = count(counters);
    return path && { rows, scores, path, account: accountOf(counters) };
  }

  close(): void {
    if (!this.closed) this.shard.close();
    this.closed = true;
  }

  private run(query: Float32Array, options: ShardQuery, most: number): ShardAnswer | null {
    const { wanted, ef, words, allowed, plan, allowList } = this.check(query, options);
    const { foundRows, foundScores, counters } = this.buffers;
    this.buffers.query.set(query);
    const found = this.shard.search(wanted, ef, words, allowed, plan, most, allowList);
    const path = count(counters);
    return path && { rows: foundRows.slice(0, found), scores: foundScores.slice(0, found), path };
  }

  private check(query: Float32Array, { k, ef, allow, allowCount, allowList, plan }: ShardQuery) {
    const { count, dim } = this.vectors;
    // Spelt out, since the message of an assertion is made before it is known whether it holds.
    if (this.closed) assert.fail('search of a closed index');
    if (query.length !== dim) assert.fail(`a query of ${query.length} components for ${dim}`);
    if (allow !== undefined && allow.size !== count) assert.fail(`a set of ${allow.size} rows for a shard of ${count}`);
    return {
      wanted: Math.min(k, this.buffers.foundRows.length),
      ef: Math.min(ef, count),
      words: allow?.words,
      allowed: allow === undefined ? this.visible : (allowCount ?? allow.count()),
      plan: planNumber(plan),
      allowList,
    };
  }
}

/** Adds a search to the totals. @returns how its answer was found; null where there is none */
function count(counters: Float64Array): ShardAnswer['path'] | null {
  searchTotals.visited += counters[0]!;
  searchTotals.computed += counters[1]!;
  const way = SHARD_PLANS[counters[2]!]!;
  if (way === 'auto') return null;
  return way === 'exact_scan' ? 'exact' : 'graph';
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

/** In one piece of memory, since the addon looks at each before it touches it. */
function makeBuffers(dim: number, most: number): AddonBuffers {
  const counterBytes = ACCOUNT_NUMBERS * Float64Array.BYTES_PER_ELEMENT;
  const memory = new ArrayBuffer(counterBytes + 4 * (dim + 2 * most));
  return {
    counters: new Float64Array(memory, 0, ACCOUNT_NUMBERS),
    query: new Float32Array(memory, counterBytes, dim),
    foundRows: new Uint32Array(memory, counterBytes + 4 * dim, most),
    foundScores: new Float32Array(memory, counterBytes + 4 * (dim + most), most),
  };
}

/** Codes, links and upper levels, as they lie in the file. */
export function estimateNativeBytes(count: number, dim: number, m: number): number {
  const code = 64 * Math.ceil((dim + 1) / 64);
  const list = 64 * Math.ceil((2 * m) / 16);
  const upper = (4 + 64 * Math.ceil(m / 16)) / (m - 1);
  return Math.ceil(count * (code + list + upper + 1)) + 8 * (dim + 1);
}
