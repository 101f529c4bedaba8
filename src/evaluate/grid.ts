/**
 * The grid of k and ef: recall, then speed, at each point. Recall is computed before anything is timed, and that pass
 * is also the warm-up. Searches run one after the other on one thread, as a server's worker runs them.
 */
import type { EventLoopYielder } from '../base/event-loop-yielder.js';
import type { LoadedVersion } from '../retrieve/load/loaded-version.js';
import { search } from '../retrieve/search/run-search.js';
import { planSearch } from '../retrieve/search/search-plan.js';
import { type SearchOptions } from '../retrieve/search/search-options.js';
import { queryAt, selfAt, type QuerySet } from './queries.js';
import { recallOf, summarizeRecall, type Recall } from './recall.js';
import type { Truth } from './truth.js';

/** Names are those of the JSON output. */
export interface GridPoint {
  readonly k: number;
  /** As asked for. */
  readonly ef: number;
  /** As used: an ef below k is raised to k. */
  readonly ef_used: number;
  /** True for the ef of a search that names none. */
  readonly is_default: boolean;
  /** Mean recall@k by distance. */
  readonly recall: number;
  readonly recall_by_id: number;
  /** Recall of the worst query. */
  readonly recall_worst: number;
  /** Searches per second on one thread. */
  readonly qps: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
}

/**
 * Least time that a point is measured for, so that small query sets are repeated: the clock and the collector then
 * even out.
 */
const MEASURED_MS = 500;
/** Most rounds over the queries, so that a tiny index ends too. */
const MAX_ROUNDS = 50;

/** Where on the grid, and which rows may come back; without ef as a search that names none. */
type PointOptions = Pick<SearchOptions, 'k' | 'filter' | 'ef'>;

/** @param truth of the same filter @throws what the turns' signal is aborted with */
export async function measurePoint(
  version: LoadedVersion,
  queries: QuerySet,
  truth: Truth,
  options: PointOptions,
  turns: EventLoopYielder,
): Promise<GridPoint> {
  const { k } = options;
  const used = planSearch(version, options).ef;
  const { dim } = version.manifest;
  const recalls: Recall[] = [];
  for (const [position, neighbors] of truth.neighbors.entries()) {
    const query = queryAt(queries, position, dim);
    const answer = search(version, query, options, selfAt(queries, position));
    recalls.push(recallOf(version, query, answer.ordinals, neighbors, k));
    await turns.yieldIfDue();
  }
  const recall = summarizeRecall(recalls);
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
      search(version, queryAt(queries, position, dim), options, selfAt(queries, position));
      latencies.push(performance.now() - before);
      await turns.yieldIfDue();
    }
  }
  return latencies;
}

/** Nearest-rank percentile of ascending values; 0 of none. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? 0;
}
