/**
 * Measures the grid of k and ef: at each point recall, then speed. The recall pass runs first and is also the warm-up.
 * Searches run one after the other on one thread, as in a server's worker.
 */
import type { EventLoopYielder } from '../base/event-loop-yielder.js';
import type { LoadedVersion } from '../retrieve/load/loaded-version.js';
import { search } from '../retrieve/search/run-search.js';
import { planSearch } from '../retrieve/search/search-plan.js';
import { type SearchOptions } from '../retrieve/search/search-options.js';
import { queryAt, selfOrdinalAt, type QuerySet } from './queries.js';
import { measureRecall } from './recall.js';
import type { Truth } from './truth.js';

/** Names are those of the JSON output. */
export interface GridPoint {
  readonly k: number;
  readonly ef: number;
  /** The ef that was used: an ef below k is raised to k. */
  readonly ef_used: number;
  /** True if a search without ef would use it. */
  readonly is_default: boolean;
  /** Mean recall@k by distance. */
  readonly recall: number;
  readonly recall_by_id: number;
  readonly recall_worst: number;
  /** Searches per second on one thread. */
  readonly qps: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
}

/** Minimum time to measure a point. Small query sets are repeated, which evens out clock and garbage collector. */
const MEASURED_MS = 500;
/** Maximum rounds over the queries, so that a tiny index ends too. */
const MAX_ROUNDS = 50;

/** The point, and which rows may be returned; without ef, the default is used. */
type PointOptions = Pick<SearchOptions, 'k' | 'filter' | 'ef'>;

/** @param truth for the same filter @throws the signal's reason when it is aborted */
export async function measurePoint(
  version: LoadedVersion,
  queries: QuerySet,
  truth: Truth,
  options: PointOptions,
  turns: EventLoopYielder,
): Promise<GridPoint> {
  const { k } = options;
  const used = planSearch(version, options).ef;
  const recall = await measureRecall(version, queries, truth, options, turns);
  const latencies = await timeSearches(version, queries, options, turns);
  const total = latencies.reduce((sum, ms) => sum + ms, 0);
  const sorted = latencies.sort((a, b) => a - b);
  return {
    k,
    ef: options.ef ?? used,
    ef_used: used,
    is_default: used === planSearch(version, { ...options, ef: undefined }).ef,
    recall: recall.byDistance,
    recall_by_id: recall.byId,
    recall_worst: recall.worst,
    qps: (sorted.length / total) * 1000,
    p50_ms: percentile(sorted, 0.5),
    p99_ms: percentile(sorted, 0.99),
  };
}

async function timeSearches(
  version: LoadedVersion,
  queries: QuerySet,
  options: PointOptions,
  turns: EventLoopYielder,
): Promise<number[]> {
  const { dim } = version.manifest;
  const latencies: number[] = [];
  const started = performance.now();
  for (let round = 0; round < MAX_ROUNDS && performance.now() - started < MEASURED_MS; round++) {
    for (let position = 0; position < queries.count; position++) {
      const before = performance.now();
      search(version, queryAt(queries, position, dim), options, selfOrdinalAt(queries, position));
      latencies.push(performance.now() - before);
      await turns.yieldIfDue();
    }
  }
  return latencies;
}

/** Nearest-rank percentile of ascending values; 0 if there are none. */
export function percentile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? 0;
}
