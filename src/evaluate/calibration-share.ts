/** The bands of one share of passing rows: a trial, its truth, and a climb for each k. Any thread with the version can measure them. */
import type { ExactSearch } from '../engine/exact/exact-search.js';
import type { CalibrationBand } from '../retrieve/calibration.js';
import type { LoadedVersion } from '../retrieve/loaded-version.js';
import { climb, queriesFor } from './calibration-climb.js';
import { drawTrial } from './calibration-trial.js';
import { scanForTruth, type Neighbors } from './calibration-truth.js';
import type { QuerySet } from './queries.js';

/** Sizes of k: up to the first a search finds its few neighbours with the same ef; beyond the last ef grows with k. */
const KS = [10, 100, 1000];

/** Of the rows that pass a trial's filter, and of queries. */
export const CALIBRATION_SEED = 42;

/** What is measured. */
export interface Share {
  /** Of the rows that pass. */
  readonly selectivity: number;
  readonly queries: QuerySet;
}

export interface ShareOptions {
  readonly pool: ExactSearch;
  readonly signal: AbortSignal | undefined;
  /** Told which part of the work is done, from 0 to 1. */
  readonly onProgress: (part: number) => void;
}

/** None where no row passes. */
export async function calibrateShare(
  version: LoadedVersion,
  { selectivity, queries }: Share,
  { pool, signal, onProgress }: ShareOptions,
): Promise<CalibrationBand[]> {
  const trial = drawTrial(version, queries, selectivity, CALIBRATION_SEED);
  if (trial.passing === 0) return [];
  const most = Math.max(1, queries.selves === null ? trial.passing : trial.passing - 1);
  const ks = [...new Set(KS.map((k) => Math.min(k, most)))];
  const truth: Neighbors[] = [];
  // A larger k is asked of fewer queries: each query needs the truth of the largest k that it is asked for.
  for (const k of [...ks].reverse()) {
    const to = Math.min(queries.count, queriesFor(k));
    truth.push(...(await scanForTruth(trial, { from: truth.length, to, k }, pool, signal)));
    onProgress(truth.length / queries.count / (ks.length + 1));
  }
  const bands: CalibrationBand[] = [];
  for (const k of ks) {
    bands.push({ selectivity, k, points: await climb({ trial, truth, k, signal }) });
    onProgress((bands.length + 1) / (ks.length + 1));
  }
  return bands;
}
