/**
 * What one share of passing rows is calibrated with: queries, the rows that may come back, the truth among them, and the
 * recall of a search at any ef. Takes a loaded version and queries. One that is a row of the version is left out of its answer
 * and its truth by asking for one more: taking it out of the rows that may come back would make any search a filtered one.
 */
import { Bitset } from '../base/bitset.js';
import { MAX_K, TRUTH_QUERIES_PER_PASS } from '../base/limits.js';
import { seededRandom } from '../base/random.js';
import { TopK } from '../base/top-k.js';
import type { ExactSearch } from '../engine/exact/exact-search.js';
import type { LoadedVersion } from '../retrieve/loaded-version.js';
import { planSearch, runPlan, type SearchPlan } from '../retrieve/search.js';
import { queryAt, selfAt, type QuerySet } from './queries.js';
import { recallOf } from './recall.js';

/** The rows of one shard that a filter lets through. */
interface Allowed {
  readonly rows: Bitset;
  readonly count: number;
}

export interface Trial {
  readonly version: LoadedVersion;
  readonly queries: QuerySet;
  /** Shard by shard; null where every row may come back. */
  readonly filter: readonly Allowed[] | null;
  /** Rows that may come back. */
  readonly passing: number;
}

/** @param selectivity each row passes with this chance */
export function drawTrial(version: LoadedVersion, queries: QuerySet, selectivity: number, seed: number): Trial {
  if (selectivity === 1) return { version, queries, filter: null, passing: version.manifest.count };
  const random = seededRandom(seed);
  const filter = version.shards.map(({ graph }) => {
    const rows = new Bitset(graph.vectors.count);
    for (let row = 0; row < rows.size; row++) if (random() < selectivity) rows.add(row);
    return { rows, count: rows.count() };
  });
  return { version, queries, filter, passing: filter.reduce((sum, { count }) => sum + count, 0) };
}

export interface TruthPart {
  /** Queries `from` to `to`, exclusive. */
  readonly from: number;
  readonly to: number;
  readonly k: number;
}

/** Ordinals of the k best rows that may come back, for each query of the part. */
export async function findTruthAmong(
  { version, queries, filter }: Trial,
  { from, to, k }: TruthPart,
  pool: ExactSearch,
  signal: AbortSignal | undefined,
): Promise<Uint32Array[]> {
  const { dim } = version.manifest;
  const shards = version.shards.map(({ graph }) => graph.vectors);
  const most = queries.selves === null ? k : k + 1;
  const options = { k: most, allow: filter?.map(({ rows }) => rows), signal };
  const truth: Uint32Array[] = [];
  for (let first = from; first < to; first += TRUTH_QUERIES_PER_PASS) {
    const end = Math.min(to, first + TRUTH_QUERIES_PER_PASS);
    const found = await pool.search(shards, queries.vectors.slice(first * dim, end * dim), end - first, options);
    const merged = found.map((parts) => mergeParts(version, parts, most));
    truth.push(...merged.map((ordinals, i) => withoutSelf(ordinals, selfAt(queries, first + i), k)));
  }
  return truth;
}

/** Recall@k by distance of the graph's answer at exactly this ef, also where it is below k. */
export function recallAt(
  { version, queries, filter }: Trial,
  truth: Uint32Array,
  position: number,
  { k, ef }: Pick<SearchPlan, 'k' | 'ef'>,
): number {
  const query = queryAt(queries, position, version.manifest.dim);
  const self = selfAt(queries, position);
  const asked = { k: self === undefined ? k : Math.min(MAX_K, k + 1), ef };
  const found = filter === null ? searchAll(version, query, asked) : searchFiltered(version, query, filter, asked);
  return recallOf(version, query, withoutSelf(found, self, k), truth, k).byDistance;
}

function searchAll(version: LoadedVersion, query: Float32Array, { k, ef }: Pick<SearchPlan, 'k' | 'ef'>): Uint32Array {
  return runPlan(version.shards, query, { ...planSearch(version, { k, ef }), ef }).ordinals;
}

function searchFiltered(
  version: LoadedVersion,
  query: Float32Array,
  filter: readonly Allowed[],
  { k, ef }: Pick<SearchPlan, 'k' | 'ef'>,
): Uint32Array {
  const parts = version.shards.map(({ graph }, shard) => {
    const { rows: allow, count: allowCount } = filter[shard]!;
    return graph.search(query, { k, ef, allow, allowCount });
  });
  return mergeParts(version, parts, k);
}

function withoutSelf(ordinals: Uint32Array, self: number | undefined, k: number): Uint32Array {
  return self === undefined ? ordinals : ordinals.filter((ordinal) => ordinal !== self).subarray(0, k);
}

interface ShardPart {
  readonly rows: Uint32Array;
  readonly scores: Float32Array;
}

/** Ordinals of the k best of all shards. */
function mergeParts(version: LoadedVersion, parts: readonly ShardPart[], k: number): Uint32Array {
  const best = new TopK(k);
  for (const [shard, { rows, scores }] of parts.entries()) {
    const { ordinals } = version.shards[shard]!;
    for (let i = 0; i < rows.length; i++) best.push(scores[i]!, ordinals[rows[i]!]!);
  }
  return best.drain().rows;
}
