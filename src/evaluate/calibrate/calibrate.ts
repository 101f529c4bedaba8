/**
 * Calibration: how large ef must be for which recall.
 *
 * Takes a loaded version; returns recall by distance (recall.ts) at rising ef, for several k and several shares of rows
 * that pass a filter. Queries come from a file, or are rows of the version that are hidden from their own searches
 * (calibration-queries.ts). The amount of work follows from the version alone, never from a clock, so a version has the
 * same calibration on every machine. The cost is that of the truth (fewer queries for more components) and of the graph
 * walks (band-measurement.ts).
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

/** Shares of passing rows. Below the last, an engine scans what passes. */
const SELECTIVITIES = [1, 0.5, 0.2, 0.1, 0.05];

/** Maximum components read for the unfiltered truth: about 0.3 s on two cores. MIN_QUERIES takes precedence. */
const TRUTH_COMPONENTS = 2 ** 35;

/** Minimum number of queries, whatever their truth costs: 300 with full recall promise 0.999 at k 10. */
const MIN_QUERIES = 300;

/**
 * Only this share of rows, inserted last, may become queries: hiding older rows removes links that new rows would have.
 */
const LATE_SHARE = 0.2;

interface CalibrateOptions {
  readonly pool: ExactSearch;
  /** count x dim values; null: rows of the version. */
  readonly queries?: Float32Array | null | undefined;
  /** Root of the version, if a second thread may be used. Does not change the result. */
  readonly root?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnStageProgress | undefined;
}

/** @throws as `checkQuery` for given queries; the signal's reason when it is aborted */
export async function calibrate(version: LoadedVersion, options: CalibrateOptions): Promise<Calibration> {
  const { pool, signal } = options;
  const given = options.queries ?? null;
  const size = affordableQueries(version);
  const queries =
    given === null ? hideRows(version, size, CALIBRATION_SEED) : drawQueries(version, given, size, CALIBRATION_SEED);
  const worker = startWorker(version, queries, options.root);
  const groups = new GroupShards(version, queries);
  try {
    const progress = progressOfParts(SELECTIVITIES.length, options.onProgress);
    const bands = await distributeShares(SELECTIVITIES, worker, progress, (selectivity, onProgress) =>
      calibrateShare(groups, selectivity, { pool, signal, onProgress }),
    );
    return { format: CALIBRATION_FORMAT, source: given === null ? 'rows' : 'file', queries: queries.count, bands };
  } finally {
    await worker?.close();
    await groups.close();
  }
}

/** Returns null if a second copy of the version would have to be read. */
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

/** Returns a function that takes the finished part of each share and reports the total. */
function progressOfParts(shares: number, onProgress: OnStageProgress | undefined) {
  const parts = Array.from({ length: shares }, () => 0);
  return (position: number, part: number): void => {
    parts[position] = part;
    onProgress?.('calibrate', Math.floor(100 * parts.reduce((sum, done) => sum + done, 0)), 100 * shares, 'steps');
  };
}

/** Measures each share on this thread or on the worker, whichever is free. @returns bands in the order of the shares */
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
  await here; // if this fails, the caller closes the worker; a failure of the worker is thrown after this thread is done
  await there;
  return bands.flat();
}

/** Stores a calibration as a note of its version. @throws io_error, disk_full */
export function storeCalibration(
  root: string,
  { index, version }: Manifest,
  calibration: Calibration,
  files?: FileSystem,
): Promise<void> {
  return writeNote(root, index, version, CALIBRATION_NOTE, calibration, files);
}
