/**
 * Recall, the one definition that the gate, `evaluate`, tests and benchmarks share.
 *
 * By distance: a candidate counts when its true score, in float64, is within 1e-6 x |q||x| of the k-th true
 * neighbour's. Under l2 the tolerance is at most 1e-6 of the k-th distance too: |q||x| grows with the distance of the
 * data from the origin, and data far from it would pass whatever was found. So equally near rows count alike,
 * whichever of them the truth happened to name (ann-benchmarks judges the same way). The denominator is min(k, rows
 * that could come back), never what was found. By id: the share of the truth's own ids.
 */
import { dot, rawKernel, toScore64, type Metric } from '../base/metric.js';
import type { LoadedVersion } from '../retrieve/load/loaded-version.js';

/** How far below the k-th true score a candidate may be, relative to |q||x|: float32 scores carry no more. */
const TOLERANCE = 1e-6;

export interface Recall {
  readonly byDistance: number;
  readonly byId: number;
}

/**
 * Recall of one answer among its first k.
 * @param query checked, `dim` values
 * @param found ordinals of the answer
 * @param truth ordinals of the true neighbours, best first, at least min(k, rows that could come back)
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
      // Truth is in the order of float32 scores, whose rounding is well within the tolerance: it need not be scored
      // again.
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

/** The mean of many, and the worst. */
export function summarizeRecall(recalls: readonly Recall[]): Recall & { readonly worst: number } {
  const mean = (pick: (recall: Recall) => number) =>
    recalls.reduce((sum, recall) => sum + pick(recall), 0) / Math.max(1, recalls.length);
  // Six places are more than any number of queries supports, and sums of decimals print as 0.9998800000000001
  // otherwise.
  const round = (value: number) => Math.round(value * 1e6) / 1e6;
  return {
    byDistance: recalls.length === 0 ? 1 : round(mean((recall) => recall.byDistance)),
    byId: recalls.length === 0 ? 1 : round(mean((recall) => recall.byId)),
    worst: recalls.reduce((least, recall) => Math.min(least, recall.byDistance), 1),
  };
}
