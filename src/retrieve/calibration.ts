/**
 * The calibration of a version: which recall was measured at which ef, and what follows for a search.
 *
 * Takes the note that `evaluate/calibrate.ts` writes and what a search asks for; gives the smallest ef that keeps the
 * promise. A promise rests on `recall_low`, the lower end of the confidence interval, never on the mean that one sample
 * happened to show. Where a search lies between two bands (in k, or in the share of rows that its filter passes), the
 * larger ef of both is taken.
 */
import { ShortlistError } from '../base/errors.js';
import { MAX_EF, MAX_K } from '../base/limits.js';
import type { Fields } from '../version/fields.js';
import { readCheckedNote } from '../version/notes.js';

/** Changes with the members of the note, and when an engine changes so that an ef finds something else. */
export const CALIBRATION_FORMAT = 2;
export const CALIBRATION_NOTE = 'calibration';

/** Recall that a search aims for which names neither ef nor a target: rankers do not see what is beyond. */
export const DEFAULT_TARGET_RECALL = 0.99;

/** Where the default target is out of reach: a recall this close to the best is not worth a walk many times as long. */
const SAME_RECALL = 0.0025;

/** More than any calibration has: 5 shares x 3 sizes of k, and a grid of some 25 ef. */
const MAX_BANDS = 256;
const MAX_POINTS = 256;

/** Names are those of the note and of JSON answers. */
export interface CalibrationPoint {
  readonly ef: number;
  /** Queries that were asked at this ef. */
  readonly queries: number;
  /** Mean recall@k by distance. */
  readonly recall: number;
  /** What the mean recall of further queries of the same kind is at least, at the confidence of the calibration. */
  readonly recall_low: number;
}

/** What was measured for one k and one share of rows that may come back. */
export interface CalibrationBand {
  /** Share of the rows that pass the filter; 1 without one. */
  readonly selectivity: number;
  readonly k: number;
  /** By ascending ef; at least one. */
  readonly points: readonly CalibrationPoint[];
}

export interface Calibration {
  readonly format: number;
  /** Where the queries came from: a file, or rows of the index, moved a little. */
  readonly source: 'rows' | 'file';
  readonly queries: number;
  /** By descending selectivity, then ascending k; at least one. */
  readonly bands: readonly CalibrationBand[];
}

/** A calibration, or why there is none: one clause for an error's message. */
export type CalibrationState =
  { readonly calibration: Calibration } | { readonly calibration: null; readonly reason: string };

export const UNCALIBRATED: CalibrationState = { calibration: null, reason: 'was never calibrated' };

/** @returns null where there is none. @throws state_corrupt for a note that is damaged or of another format */
export function readCalibration(root: string, index: string, version: string): Promise<Calibration | null> {
  return readCheckedNote(root, index, version, CALIBRATION_NOTE, checkCalibration);
}

/** As `readCalibration`, for those who can do without: a damaged note must not keep a version from answering. */
export async function findCalibration(root: string, index: string, version: string): Promise<CalibrationState> {
  try {
    const calibration = await readCalibration(root, index, version);
    return calibration === null ? UNCALIBRATED : { calibration };
  } catch (error) {
    if (!(error instanceof ShortlistError)) throw error;
    return { calibration: null, reason: `has a calibration that cannot be used (${error.message})` };
  }
}

function checkCalibration(fields: Fields): Calibration {
  const format = fields.integer('format');
  if (format !== CALIBRATION_FORMAT) fields.fail('format', `is ${format}; this release reads ${CALIBRATION_FORMAT}`);
  const bands = fields.list('bands', checkBand);
  if (bands.length === 0 || bands.length > MAX_BANDS) fields.fail('bands', `has ${bands.length} members`);
  return { format, source: fields.oneOf('source', ['rows', 'file']), queries: fields.integer('queries', 1), bands };
}

function checkBand(fields: Fields): CalibrationBand {
  const selectivity = checkShare(fields, 'selectivity');
  if (selectivity === 0) fields.fail('selectivity', 'is 0');
  const points = fields.list('points', checkPoint);
  if (points.length === 0 || points.length > MAX_POINTS) fields.fail('points', `has ${points.length} members`);
  if (points.some((point, position) => point.ef <= (points[position - 1]?.ef ?? 0)))
    fields.fail('points', 'is not sorted by ef');
  return { selectivity, k: fields.integer('k', 1, MAX_K), points };
}

function checkPoint(fields: Fields): CalibrationPoint {
  return {
    ef: fields.integer('ef', 1, MAX_EF),
    queries: fields.integer('queries', 1),
    recall: checkShare(fields, 'recall'),
    recall_low: checkShare(fields, 'recall_low'),
  };
}

function checkShare(fields: Fields, name: string): number {
  const value = fields.number(name);
  return value >= 0 && value <= 1 ? value : fields.fail(name, 'is not a number from 0 to 1');
}

/** What a search must find, and among what. */
export interface EfRequest {
  readonly k: number;
  readonly targetRecall: number;
  /** Share of the rows that pass the filter; default 1. */
  readonly selectivity?: number | undefined;
}

/**
 * The smallest calibrated ef that reaches the target. It may be below k: an ef is how far a walk goes, and one step finds
 * many rows.
 * @throws recall_unreachable naming the best recall that was reached
 */
export function resolveEf(calibration: Calibration, request: EfRequest): { readonly ef: number } {
  const { k, targetRecall } = request;
  const bands = bandsAround(calibration, request);
  const found = bands.map((band) => ({ band, point: firstReaching(band, targetRecall) }));
  const missed = found.filter(({ point }) => point === undefined).map(({ band }) => bestRecall(band));
  if (missed.length > 0) throw unreachable(request, Math.min(...missed));
  return { ef: scaleEf(Math.max(...found.map(({ point }) => point!.ef)), bands, k) };
}

/** The ef of a search that names neither ef nor a target: for `DEFAULT_TARGET_RECALL`, or for the best that was reached. */
export function resolveDefaultEf(calibration: Calibration, request: Omit<EfRequest, 'targetRecall'>): number {
  const bands = bandsAround(calibration, request);
  const points = bands.map(
    (band) => firstReaching(band, DEFAULT_TARGET_RECALL) ?? firstReaching(band, bestRecall(band) - SAME_RECALL)!,
  );
  return scaleEf(Math.max(...points.map(({ ef }) => ef)), bands, request.k);
}

/** The point of smallest ef that promises the recall. */
export function firstReaching(band: CalibrationBand, targetRecall: number): CalibrationPoint | undefined {
  return band.points.find((point) => point.recall_low >= targetRecall);
}

/** The most that the band can promise. */
export function bestRecall({ points }: CalibrationBand): number {
  return Math.max(...points.map((point) => point.recall_low));
}

/** The bands on both sides of the request, in both directions; the nearest one where it lies beyond them all. */
function bandsAround({ bands }: Calibration, { k, selectivity = 1 }: Omit<EfRequest, 'targetRecall'>) {
  const shares = around([...new Set(bands.map((band) => band.selectivity))], selectivity);
  return shares.flatMap((share) => {
    const same = bands.filter((band) => band.selectivity === share);
    const ks = around(same.map((band) => band.k), k); // prettier-ignore
    return same.filter((band) => ks.includes(band.k));
  });
}

/** Of these values the nearest at or below and at or above. */
function around(values: readonly number[], value: number): number[] {
  const below = Math.max(...values.filter((known) => known <= value));
  const above = Math.min(...values.filter((known) => known >= value));
  return [...new Set([below, above])].filter((known) => Number.isFinite(known));
}

/** Beyond the largest k that was measured, a walk goes as much farther as it has more to find: more than it needs. */
function scaleEf(ef: number, bands: readonly CalibrationBand[], k: number): number {
  const largest = Math.max(...bands.map((band) => band.k));
  return Math.min(MAX_EF, Math.ceil(ef * Math.max(1, k / largest)));
}

function unreachable({ k, targetRecall, selectivity = 1 }: EfRequest, best: number): ShortlistError {
  const among = selectivity < 1 ? ` where the filter passes ${Number((100 * selectivity).toPrecision(3))} % of the rows` : ''; // prettier-ignore
  const reached = Math.floor(best * 1e4) / 1e4;
  const message = `a recall of ${targetRecall} at k ${k}${among} is more than the calibration can promise, which is ${reached}; ask for that, or for exact: true`;
  return new ShortlistError('recall_unreachable', message, { field: 'target_recall', best_recall: reached });
}
