/**
 * Calibration: how far a walk through the graph has to go for which recall.
 *
 * Takes a loaded version; gives recall by distance (recall.ts) at rising ef, for several k and several shares of rows
 * that a filter lets through. Queries are rows of the version that are hidden from their own searches
 * (calibration-queries.ts), or are a file's. The work follows from the version alone, never from a clock, so that a
 * version has one calibration on every machine. Its price is that of the truth, which a version of more components
 * has for fewer queries, and of the walks (band-measurement.ts).
 */
import { isMapped } from '../../engine/engines.js';
import type { ExactSearch } from '../../engine/exact-search.js';
import {
  CALIBRATION_FORMAT,
  CALIBRATION_NOTE,
  type Calibration,
  type CalibrationBand,
} from '../../retrieve/load/calibration.js';
import type { LoadedVersion } from '../../retrieve/load/loaded-version.js';
import { writeNote } from '../../version/state/catalog.js';
import type { FileSystem } from '../../version/disk/files.js';
import type { Manifest } from '../../version/sealed/manifest.js';
import { GroupShards } from './group-shards.js';
import { CalibrationWorker } from './calibration-worker.js';
import { drawQueries, hideRows, type CalibrationQueries } from './calibration-queries.js';
import { calibrateShare, CALIBRATION_SEED, MAX_QUERIES } from './share.js';
import type { OnStageProgress } from '../evaluate.js';

/** Shares of rows that pass: below the last an engine scans what passes. */
const SELECTIVITIES = [1, 0.5, 0.2, 0.1, 0.05];

/**
 * Components read for the truth where all rows pass, at most: some 0.3 s of two cores, where that is enough for
 * LEAST_QUERIES.
 */
const TRUTH_COMPONENTS = 2 ** 35;

/** Queries that every version has, whatever their truth costs: 300 that found everything promise 0.999 at k 10. */
const MIN_QUERIES = 300;

/**
 * Of the rows, those that entered late: of earlier ones more is missing when they are hidden than what a new row
 * would find.
 */
const LATE_SHARE = 0.2;

interface CalibrateOptions {
  readonly pool: ExactSearch;
  /** count x dim values; null: rows of the version. */
  readonly queries?: Float32Array | null | undefined;
  /** Where the version lies, if a second thread may be used. It changes nothing in what is found. */
  readonly root?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnStageProgress | undefined;
}

/** @throws as `checkQuery` for queries from outside; what `signal` is aborted with */
export async function calibrate(version: LoadedVersion, options: CalibrateOptions): Promise<Calibration> {
  const { pool, signal } = options;
  const given = options.queries ?? null;
  const size = affordableQueries(version);
  const queries =
    given === null ? hideRows(version, size, CALIBRATION_SEED) : drawQueries(version, given, size, CALIBRATION_SEED);
  const worker = startWorker(version, queries, options.root);
  const folds = new GroupShards(version, queries);
  try {
    const progress = progressOfParts(SELECTIVITIES.length, options.onProgress);
    const bands = await distributeShares(SELECTIVITIES, worker, progress, (selectivity, onProgress) =>
      calibrateShare(folds, selectivity, { pool, signal, onProgress }),
    );
    return { format: CALIBRATION_FORMAT, source: given === null ? 'rows' : 'file', queries: queries.count, bands };
  } finally {
    await worker?.close();
    await folds.close();
  }
}

/** Null where a second copy of the version would have to be read. */
function startWorker(
  { manifest: { index, version, engine } }: LoadedVersion,
  queries: CalibrationQueries,
  root?: string,
): CalibrationWorker | null {
  return root !== undefined && isMapped(engine.name) ? new CalibrationWorker({ root, index, version, queries }) : null;
}

function affordableQueries({ manifest: { count, dim } }: LoadedVersion): number {
  const affordable = Math.floor(TRUTH_COMPONENTS / (count * dim));
  return Math.max(MIN_QUERIES, Math.min(MAX_QUERIES, affordable, Math.floor(count * LATE_SHARE)));
}

/** Told of share `position` which part of it is done; tells of them all. */
function progressOfParts(shares: number, onProgress: OnStageProgress | undefined) {
  const parts = Array.from({ length: shares }, () => 0);
  return (position: number, part: number): void => {
    parts[position] = part;
    onProgress?.('calibrate', Math.floor(100 * parts.reduce((sum, done) => sum + done, 0)), 100 * shares, 'steps');
  };
}

/**
 * Each share is measured by whoever is free first: this thread, or the lane. @returns the bands in the order of the
 * shares
 */
async function distributeShares(
  shares: readonly number[],
  worker: CalibrationWorker | null,
  progress: (position: number, part: number) => void,
  measureHere: (share: number, onProgress: (part: number) => void) => Promise<CalibrationBand[]>,
): Promise<CalibrationBand[]> {
  const bands: CalibrationBand[][] = [];
  const waiting = [...shares.entries()];
  const work = async (measure: (share: number, position: number) => Promise<CalibrationBand[]>): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [position, share] = next;
      bands[position] = await measure(share, position);
      progress(position, 1);
    }
  };
  const here = work((share, position) => measureHere(share, (part) => progress(position, part)));
  const there = worker === null ? Promise.resolve() : work((share) => worker.measure(share));
  there.catch(() => (waiting.length = 0));
  await here; // a failure here ends the lane, and one there is thrown when this thread is done
  await there;
  return bands.flat();
}

/** Stores a calibration beside its version. @throws io_error, disk_full */
export function storeCalibration(
  root: string,
  { index, version }: Manifest,
  calibration: Calibration,
  files?: FileSystem,
): Promise<void> {
  return writeNote(root, index, version, CALIBRATION_NOTE, calibration, files);
}
