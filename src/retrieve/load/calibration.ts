/**
 * The calibration of a version: which recall was measured at which ef, and which ef a search needs.
 *
 * Takes the note that `evaluate/calibrate/calibrate.ts` writes and the search's target; returns the smallest ef that
 * keeps the promise. A promise rests on `recall_low`, the lower end of the confidence interval, not on the mean of one
 * sample. Between two points, ef is interpolated over the missed recall, in logarithms: what is missed falls as a power
 * of ef. Between two bands (in k or in the share of rows that pass the filter) it is interpolated in logarithms too: ef
 * grows no faster than a power of k. At a point where the engine scanned, ef means nothing: next to it the larger ef is
 * used.
 */
import { ShortlistError } from '../../base/errors.js';
import { MAX_EF, MAX_K } from '../../base/limits.js';
import type { Fields } from '../../version/disk/fields.js';
import { nodeFiles, type FileSystem } from '../../version/disk/files.js';
import { readCheckedNote } from '../../version/state/notes.js';

/** Changes with the fields of the note, and when an engine changes what an ef finds. */
export const CALIBRATION_FORMAT = 3;
/** In this format queries were slightly moved rows of the index. It can still be read, and its promises hold. */
const OLDEST_FORMAT = 2;
export const CALIBRATION_NOTE = 'calibration';

/** Target recall of a search that gives neither ef nor a target. Rankers do not notice what is beyond. */
export const DEFAULT_TARGET_RECALL = 0.99;

/** If the default target cannot be reached: recall this close to the best is not worth a walk many times as long. */
const RECALL_MARGIN = 0.0025;

/** A recall of 1 counts as missing this much, since there is no logarithm of 0. */
const MIN_MISSED = 1e-6;
/** Rounding error that logarithms may add to a whole number. */
const ROUNDING = 1e-9;

/** More than any calibration has: 5 shares x 3 sizes of k, and a grid of about 25 ef. */
const MAX_ENTRIES = 256;

/** Names are those of the note and of JSON answers. */
export interface CalibrationPoint {
  readonly ef: number;
  readonly queries: number;
  /** Mean recall@k by distance. */
  readonly recall: number;
  /** Lower bound of the mean recall of further queries of the same kind, at the confidence of the calibration. */
  readonly recall_low: number;
  /** True if the engine scanned the rows that pass, so that no ef changes the answer. */
  readonly scanned?: boolean;
}

/** Measurements for one k and one share of rows that may be returned. */
export interface CalibrationBand {
  /** Share of the rows that pass the filter; 1 without one. */
  readonly selectivity: number;
  readonly k: number;
  /** By ascending ef; at least one. */
  readonly points: readonly CalibrationPoint[];
}

export interface Calibration {
  readonly format: number;
  /** Where the queries came from: a file, or rows of the index. */
  readonly source: 'rows' | 'file';
  readonly queries: number;
  /** By descending selectivity, then ascending k; at least one. */
  readonly bands: readonly CalibrationBand[];
}

/** A calibration, or the reason why there is none: a clause for an error message. */
export type CalibrationState =
  { readonly calibration: Calibration } | { readonly calibration: null; readonly reason: string };

const UNCALIBRATED: CalibrationState = { calibration: null, reason: 'was never calibrated' };

/** @returns null if there is none. @throws state_corrupt for a note that is damaged or has an unknown format */
export function readCalibration(
  root: string,
  index: string,
  version: string,
  files: FileSystem = nodeFiles,
): Promise<Calibration | null> {
  return readCheckedNote(root, index, version, CALIBRATION_NOTE, checkCalibration, files);
}

/** As `readCalibration`, but does not throw: a damaged note must not keep a version from answering. */
export async function findCalibration(
  root: string,
  index: string,
  version: string,
  files: FileSystem = nodeFiles,
): Promise<CalibrationState> {
  try {
    const calibration = await readCalibration(root, index, version, files);
    return calibration === null ? UNCALIBRATED : { calibration };
  } catch (error) {
    if (!(error instanceof ShortlistError)) throw error;
    return { calibration: null, reason: `has a calibration that cannot be used (${error.message})` };
  }
}

/** @throws FieldError */
export function checkCalibration(fields: Fields): Calibration {
  const format = fields.integer('format');
  if (format < OLDEST_FORMAT || format > CALIBRATION_FORMAT)
    fields.fail('format', `is ${format}; this release reads formats ${OLDEST_FORMAT} to ${CALIBRATION_FORMAT}`);
  const bands = fields.list('bands', checkBand);
  if (bands.length === 0 || bands.length > MAX_ENTRIES) fields.fail('bands', `has ${bands.length} entries`);
  return { format, source: fields.oneOf('source', ['rows', 'file']), queries: fields.integer('queries', 1), bands };
}

function checkBand(fields: Fields): CalibrationBand {
  const selectivity = checkShare(fields, 'selectivity');
  if (selectivity === 0) fields.fail('selectivity', 'is 0');
  const points = fields.list('points', checkPoint);
  if (points.length === 0 || points.length > MAX_ENTRIES) fields.fail('points', `has ${points.length} entries`);
  if (points.some((point, position) => point.ef <= (points[position - 1]?.ef ?? 0)))
    fields.fail('points', 'is not sorted by ef');
  return { selectivity, k: fields.integer('k', 1, MAX_K), points };
}

function checkPoint(fields: Fields): CalibrationPoint {
  const scanned = fields.names().includes('scanned') ? { scanned: fields.flag('scanned') } : {};
  return {
    ef: fields.integer('ef', 1, MAX_EF),
    queries: fields.integer('queries', 1),
    recall: checkShare(fields, 'recall'),
    recall_low: checkShare(fields, 'recall_low'),
    ...scanned,
  };
}

function checkShare(fields: Fields, name: string): number {
  const value = fields.number(name);
  return value >= 0 && value <= 1 ? value : fields.fail(name, 'is not a number from 0 to 1');
}

interface EfRequest {
  readonly k: number;
  readonly targetRecall: number;
  /** Share of the rows that pass the filter; default 1. */
  readonly selectivity?: number | undefined;
}

/**
 * The smallest ef that reaches the target. It may be below k: one step of a walk finds many rows.
 * @throws recall_unreachable with the best recall that can be promised
 */
export function resolveEf(calibration: Calibration, request: EfRequest): { readonly ef: number } {
  const { targetRecall } = request;
  const missed: number[] = [];
  const ef = resolveInBands(calibration, request, (band) => {
    const found = estimateEf(band, targetRecall);
    if (found === undefined) missed.push(bestRecall(band));
    return found ?? { ef: MAX_EF, isScan: false };
  });
  if (missed.length > 0) throw unreachableRecall(request, Math.min(...missed));
  return { ef };
}

/** The ef of a search without ef and target: for `DEFAULT_TARGET_RECALL`, or for the best recall reached. */
export function resolveDefaultEf(calibration: Calibration, request: Omit<EfRequest, 'targetRecall'>): number {
  return resolveInBands(
    calibration,
    request,
    (band) => estimateEf(band, DEFAULT_TARGET_RECALL) ?? estimateEf(band, bestRecall(band) - RECALL_MARGIN)!,
  );
}

interface EfEstimate {
  readonly ef: number;
  /** True if the engine scanned, so that no ef changes the answer. */
  readonly isScan: boolean;
}

/** The ef at which the band reaches the recall; undefined if it does not. */
export function efForRecall(band: CalibrationBand, targetRecall: number): number | undefined {
  const found = estimateEf(band, targetRecall);
  return found && Math.ceil(found.ef - ROUNDING);
}

function estimateEf({ points }: CalibrationBand, targetRecall: number): EfEstimate | undefined {
  const position = points.findIndex((point) => point.recall_low >= targetRecall);
  const point = points[position];
  if (point === undefined) return undefined;
  const below = points[position - 1];
  if (point.scanned === true) return { ef: point.ef, isScan: true };
  if (below === undefined) return { ef: point.ef, isScan: false };
  const missed = (recall: number): number => Math.log(Math.max(MIN_MISSED, 1 - recall));
  const part =
    (missed(below.recall_low) - missed(targetRecall)) / (missed(below.recall_low) - missed(point.recall_low));
  return { ef: interpolate(below.ef, point.ef, part), isScan: false };
}

/** Interpolates between two values in logarithms. @param part 0 for the first, 1 for the second */
function interpolate(first: number, second: number, part: number): number {
  return Math.exp(Math.log(first) + Math.min(1, Math.max(0, part)) * Math.log(second / first));
}

/** The highest recall that the band can promise. */
export function bestRecall({ points }: CalibrationBand): number {
  return Math.max(...points.map((point) => point.recall_low));
}

/** Interpolates between the bands around the request; outside of all bands, uses the nearest. */
function resolveInBands(
  { bands }: Calibration,
  { k, selectivity = 1 }: Omit<EfRequest, 'targetRecall'>,
  efOf: (band: CalibrationBand) => EfEstimate,
): number {
  const shares = bracket([...new Set(bands.map((band) => band.selectivity))], selectivity);
  let largest = 0;
  const atShares = shares.map((share) => {
    const same = bands.filter((band) => band.selectivity === share);
    const ks = bracket(same.map((band) => band.k), k); // prettier-ignore
    largest = Math.max(largest, ...ks);
    return interpolateEf(ks, k, ks.map((own) => efOf(same.find((band) => band.k === own)!))); // prettier-ignore
  });
  return scaleEf(interpolateEf(shares, selectivity, atShares).ef, k / largest);
}

/** The nearest value at or below and the nearest at or above; one value if they are equal. */
function bracket(values: readonly number[], value: number): number[] {
  const below = Math.max(...values.filter((known) => known <= value));
  const above = Math.min(...values.filter((known) => known >= value));
  return [...new Set([below, above])].filter((known) => Number.isFinite(known));
}

/** Interpolates at `value`, which lies between one or two places. */
function interpolateEf(places: readonly number[], value: number, reached: readonly EfEstimate[]): EfEstimate {
  const [first, second] = reached as [EfEstimate, EfEstimate?];
  if (second === undefined) return first;
  if (first.isScan || second.isScan)
    return { ef: Math.max(first.ef, second.ef), isScan: first.isScan && second.isScan };
  const part = Math.log(value / places[0]!) / Math.log(places[1]! / places[0]!);
  return { ef: interpolate(first.ef, second.ef, part), isScan: false };
}

/** Beyond the largest measured k, ef grows in proportion to k, which is more than needed. */
function scaleEf(ef: number, times: number): number {
  return Math.min(MAX_EF, Math.ceil(ef * Math.max(1, times) - ROUNDING));
}

function unreachableRecall({ k, targetRecall, selectivity = 1 }: EfRequest, best: number): ShortlistError {
  const among = selectivity < 1 ? ` where the filter passes ${Number((100 * selectivity).toPrecision(3))} % of the rows` : ''; // prettier-ignore
  const reached = Math.floor(best * 1e4) / 1e4;
  const message = `the calibration cannot promise a recall of ${targetRecall} at k ${k}${among}; the highest it can promise is ${reached}; set target_recall to at most that, or use exact: true`;
  return new ShortlistError('recall_unreachable', message, { field: 'target_recall', best_recall: reached });
}
