/**
 * Measures the calibration bands of one share of passing rows, one band per k. Any thread with the version can do it.
 */
import type { ExactSearch } from '../../engine/exact-search.js';
import type { CalibrationBand } from '../../retrieve/load/calibration.js';
import { measureBand, type QueryBudget } from './band-measurement.js';
import type { GroupShards } from './group-shards.js';
import { Trial } from './trial.js';
import { TruthOnDemand } from './hidden-truth.js';

/** Measured k. Up to the first, the same ef is needed; beyond the last, ef grows with k. */
const KS = [10, 100, 1000];

/** Seed of the rows that pass a trial's filter, and of the queries. */
export const CALIBRATION_SEED = 42;

/** Queries at k 10 and at 100: the recall of a query varies equally at both. At 1,000, fewer queries tell as much. */
const FIRST_QUERIES = 300;
const MIN_QUERIES = 32;
const JUDGED_NEIGHBORS = 64_000;
export const MAX_QUERIES = 1_000;
/** How far the promise at 0.99 may lie below the mean, without and with a filter, if there are enough queries. */
const WIDTH = 0.0025;
const FILTERED_WIDTH = 0.005;
/** Filtered searches are measured with this share of the queries. */
const FILTERED_PART = 0.5;

interface ShareOptions {
  readonly pool: ExactSearch;
  readonly signal: AbortSignal | undefined;
  /** Called with the finished part of the work, from 0 to 1. */
  readonly onProgress: (part: number) => void;
}

/** @param selectivity share of the rows that pass @returns no bands if no row passes */
export async function calibrateShare(
  groups: GroupShards,
  selectivity: number,
  { pool, signal, onProgress }: ShareOptions,
): Promise<CalibrationBand[]> {
  const trial = new Trial(groups, selectivity, CALIBRATION_SEED);
  const { available } = await trial.searchSpaceOf(0);
  if (available === 0) return [];
  const truth = new TruthOnDemand(trial, pool, signal);
  const bands: CalibrationBand[] = [];
  const ks = [...new Set(KS.map((k) => Math.min(k, available)))];
  // Largest k first: a query that was scanned for many neighbours needs no scan for few.
  for (const k of ks.toReversed()) {
    const budget = budgetOf(k, selectivity);
    bands.unshift({ selectivity, k, points: await measureBand({ trial, truth, k, budget, signal }) });
    onProgress(bands.length / ks.length);
  }
  return bands;
}

function budgetOf(k: number, selectivity: number): QueryBudget {
  const part = selectivity === 1 ? 1 : FILTERED_PART;
  const first = Math.min(FIRST_QUERIES, Math.max(MIN_QUERIES, Math.floor(JUDGED_NEIGHBORS / k)));
  const max = Math.min(MAX_QUERIES, (MAX_QUERIES * 20) / k + FIRST_QUERIES);
  return {
    first: Math.max(MIN_QUERIES, Math.ceil(part * first)),
    max: Math.ceil(part * max),
    width: selectivity === 1 ? WIDTH : FILTERED_WIDTH,
  };
}
