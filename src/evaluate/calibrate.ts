/**
 * Calibration: how far a walk through the graph has to go for which recall.
 *
 * Takes a loaded version; gives recall by distance (recall.ts) at rising ef, for several k and several shares of rows that
 * a filter lets through. Queries are made of the version's rows (calibration-queries.ts), or are a file's. The work follows
 * from the version alone, never from a clock, so that a version has one calibration on every machine. Its price is that of
 * the truth, which a version of more components has for fewer queries, and of the walks (calibration-climb.ts).
 */
import type { ExactSearch } from '../engine/exact/exact-search.js';
import {
  CALIBRATION_FORMAT,
  CALIBRATION_NOTE,
  type Calibration,
  type CalibrationBand,
} from '../retrieve/calibration.js';
import type { LoadedVersion } from '../retrieve/loaded-version.js';
import { writeNote } from '../version/catalog.js';
import type { FileSystem } from '../version/files.js';
import type { Manifest } from '../version/manifest.js';
import { climb, queriesFor, MAX_QUERIES } from './calibration-climb.js';
import { drawQueries, moveRows } from './calibration-queries.js';
import { drawTrial } from './calibration-trial.js';
import { chooseTruth, type FindTruth, type Neighbors } from './calibration-truth.js';
import type { OnStageProgress } from './evaluate.js';
import type { QuerySet } from './queries.js';

/** Sizes of k: up to the first a search finds its few neighbours with the same ef; beyond the last ef grows with k. */
const KS = [10, 100, 1000];

/** Shares of rows that pass: below the last an engine scans what passes. */
const SELECTIVITIES = [1, 0.5, 0.2, 0.1, 0.05];

const SEED = 42;

/** Components read for the truth where all rows pass, about 0.1 s by codes; half as many queries are filtered. */
const TRUTH_COMPONENTS = 2 ** 32;

/** Queries that every version has, whatever their truth costs: 150 that found everything promise 0.998 at k 10. */
const LEAST_QUERIES = 150;
const LEAST_FILTERED_QUERIES = 75;

export interface CalibrateOptions {
  readonly pool: ExactSearch;
  /** count x dim values; null: queries made of the version's rows. */
  readonly queries?: Float32Array | null | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnStageProgress | undefined;
}

/** @throws as `checkQuery` for queries from outside; what `signal` is aborted with */
export async function calibrate(version: LoadedVersion, options: CalibrateOptions): Promise<Calibration> {
  const { count, dim } = version.manifest;
  const affordable = Math.floor(TRUTH_COMPONENTS / (count * dim));
  const size = Math.min(MAX_QUERIES, Math.max(LEAST_QUERIES, affordable));
  const given = options.queries ?? null;
  const queries = given === null ? moveRows(version, size, SEED) : drawQueries(version, given, size, SEED);
  const findTruth = await chooseTruth(drawTrial(version, queries, 1, SEED), options.pool, options.signal);
  const bands: CalibrationBand[] = [];
  for (const [step, selectivity] of SELECTIVITIES.entries()) {
    const onProgress = (part: number): void =>
      options.onProgress?.('calibrate', Math.floor(100 * (step + part)), 100 * SELECTIVITIES.length, 'steps');
    const asked = selectivity === 1 ? queries : firstOf(queries, Math.max(LEAST_FILTERED_QUERIES, size >>> 1), dim);
    bands.push(
      ...(await calibrateShare(version, asked, selectivity, { findTruth, signal: options.signal, onProgress })),
    );
    onProgress(1);
  }
  return { format: CALIBRATION_FORMAT, source: given === null ? 'rows' : 'file', queries: queries.count, bands };
}

/** Stores a calibration beside its version. @throws io_error, disk_full */
export function keepCalibration(
  root: string,
  { index, version }: Manifest,
  calibration: Calibration,
  files?: FileSystem,
): Promise<void> {
  return writeNote(root, index, version, CALIBRATION_NOTE, calibration, files);
}

function firstOf(queries: QuerySet, most: number, dim: number): QuerySet {
  const count = Math.min(queries.count, most);
  const { vectors, selves } = queries;
  return { count, vectors: vectors.subarray(0, count * dim), selves: selves?.subarray(0, count) ?? null };
}

interface ShareOptions {
  readonly findTruth: FindTruth;
  readonly signal: AbortSignal | undefined;
  /** Told which part of the work is done, from 0 to 1. */
  readonly onProgress: (part: number) => void;
}

/** The bands of one share of rows; none where no row passes. */
async function calibrateShare(
  version: LoadedVersion,
  queries: QuerySet,
  selectivity: number,
  { findTruth, signal, onProgress }: ShareOptions,
): Promise<CalibrationBand[]> {
  const trial = drawTrial(version, queries, selectivity, SEED);
  if (trial.passing === 0) return [];
  const most = Math.max(1, queries.selves === null ? trial.passing : trial.passing - 1);
  const ks = [...new Set(KS.map((k) => Math.min(k, most)))];
  const truth: Neighbors[] = [];
  // A larger k is asked of fewer queries: each query needs the truth of the largest k that it is asked for.
  for (const k of [...ks].reverse()) {
    const to = Math.min(queries.count, queriesFor(k));
    truth.push(...(await findTruth(trial, { from: truth.length, to, k }, signal)));
    onProgress(truth.length / queries.count / (ks.length + 1));
  }
  const bands: CalibrationBand[] = [];
  for (const k of ks) {
    bands.push({ selectivity, k, points: await climb({ trial, truth, k, signal }) });
    onProgress((bands.length + 1) / (ks.length + 1));
  }
  return bands;
}
