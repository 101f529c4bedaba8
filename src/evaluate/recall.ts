/**
 * Recall, as the gate, `evaluate`, tests and benchmarks define it.
 *
 * By distance: a candidate counts if its true score, in float64, is within 1e-6 x |q||x| of the k-th true neighbour's.
 * Under l2 the tolerance is also at most 1e-6 of the k-th distance: |q||x| grows with the distance of the data from the
 * origin, and would accept anything for data far from it. Equally near rows therefore count alike, whichever of them
 * the truth lists (ann-benchmarks does the same). The denominator is min(k, allowed rows), never the number of rows
 * found. By id: the share of the truth's ids that were found.
 */
import { dot, rawKernel, toScore64, type Metric } from '../base/metric.js';
import type { EventLoopYielder } from '../base/event-loop-yielder.js';
import type { LoadedVersion } from '../retrieve/load/loaded-version.js';
import { search } from '../retrieve/search/run-search.js';
import type { SearchOptions } from '../retrieve/search/search-options.js';
import { queryAt, selfOrdinalAt, type QuerySet } from './queries.js';
import type { Truth } from './truth.js';

/** How far a candidate may be below the k-th true score, relative to |q||x|: float32 scores are no more precise. */
const TOLERANCE = 1e-6;

export interface Recall {
  readonly byDistance: number;
  readonly byId: number;
}

/**
 * Recall of the first k candidates of one answer.
 * @param query checked, `dim` values
 * @param found ordinals of the answer
 * @param truth ordinals of the true neighbours, best first, at least min(k, allowed rows)
 */
export function recallOf(
  version: LoadedVersion,
  query: Float32Array,
  found: Uint32Array,
  truth: Uint32Array,
  k: number,
): Recall {
  const expected = Math.min(k, truth.length);
  if (expected === 0) return { byDistance: 1, byId: 1 };
  const score = scorer(version, query);
  const minScore = score(truth[expected - 1]!).score;
  const maxTolerance = version.manifest.metric === 'l2' ? TOLERANCE * Math.abs(minScore) : Infinity;
  const trueIds = new Set(truth.subarray(0, expected));
  let correct = 0;
  let sameIds = 0;
  for (const ordinal of new Set(found.subarray(0, k))) {
    if (trueIds.has(ordinal)) {
      // The truth is sorted by float32 scores, whose rounding is well within the tolerance: no need to score it again.
      correct++;
      sameIds++;
      continue;
    }
    const candidate = score(ordinal);
    if (candidate.score >= minScore - Math.min(candidate.tolerance, maxTolerance)) correct++;
  }
  return { byDistance: Math.min(correct, expected) / expected, byId: sameIds / expected };
}

function scorer(version: LoadedVersion, query: Float32Array) {
  const { dim } = version.manifest;
  const metric: Metric = version.manifest.metric;
  const raw = rawKernel(metric);
  const queryNorm = Math.sqrt(dot(query, 0, query, 0, dim));
  return (ordinal: number) => {
    const { shard, row } = version.locate(ordinal);
    const { values } = version.shards[shard]!.graph.vectors;
    const rowNorm = Math.sqrt(dot(values, row * dim, values, row * dim, dim));
    return {
      score: toScore64(metric, raw(query, 0, values, row * dim, dim)),
      tolerance: TOLERANCE * queryNorm * rowNorm,
    };
  };
}

/** The mean of several recalls, and the worst. */
export function summarizeRecall(recalls: readonly Recall[]): Recall & { readonly worst: number } {
  const mean = (pick: (recall: Recall) => number) =>
    recalls.reduce((sum, recall) => sum + pick(recall), 0) / Math.max(1, recalls.length);
  // More than six places would be false precision, and sums of decimals would print as 0.9998800000000001.
  const round = (value: number) => Math.round(value * 1e6) / 1e6;
  return {
    byDistance: recalls.length === 0 ? 1 : round(mean((recall) => recall.byDistance)),
    byId: recalls.length === 0 ? 1 : round(mean((recall) => recall.byId)),
    worst: recalls.reduce((worst, recall) => Math.min(worst, recall.byDistance), 1),
  };
}

/** Recall of all queries. @param truth for the same filter @throws the signal's reason when it is aborted */
export async function measureRecall(
  version: LoadedVersion,
  queries: QuerySet,
  truth: Truth,
  options: SearchOptions,
  turns: EventLoopYielder,
): Promise<Recall & { readonly worst: number }> {
  const recalls: Recall[] = [];
  for (const [position, neighbors] of truth.neighbors.entries()) {
    const query = queryAt(queries, position, version.manifest.dim);
    const answer = search(version, query, options, selfOrdinalAt(queries, position));
    recalls.push(recallOf(version, query, answer.ordinals, neighbors, options.k));
    await turns.yieldIfDue();
  }
  return summarizeRecall(recalls);
}
