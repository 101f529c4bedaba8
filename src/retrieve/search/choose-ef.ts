/** Chooses the ef of a search: the one given, the one for the target recall, or the default. */
import { ShortlistError } from '../../base/errors.js';
import { defaultEf, MAX_EF } from '../../base/limits.js';
import { resolveDefaultEf, resolveEf, type Calibration } from '../load/calibration.js';
import type { LoadedVersion } from '../load/loaded-version.js';
import { checkRange, type SearchOptions } from './search-options.js';

type CalibratedVersion = Pick<LoadedVersion, 'manifest' | 'calibration'>;

/**
 * An ef below k that the caller gives is raised to k; a calibrated ef is not.
 * @param selectivity share of the rows that pass the filter; 1 without a filter
 * @throws target_recall_out_of_range, bad_request beside ef or exact, not_calibrated, recall_unreachable,
 * ef_out_of_range
 */
export function chooseEf(
  version: CalibratedVersion,
  { ef, targetRecall, exact }: Pick<SearchOptions, 'ef' | 'targetRecall' | 'exact'>,
  k: number,
  selectivity: number,
): number {
  if (targetRecall !== undefined) {
    checkTarget(targetRecall, ef !== undefined || exact === true);
    const calibration = requireCalibration(version);
    return cachedEf(
      calibration,
      k,
      targetRecall,
      selectivity,
      () => resolveEf(calibration, { k, targetRecall, selectivity }).ef,
    );
  }
  if (ef !== undefined) return Math.max(k, checkRange('ef_out_of_range', 'ef', ef, MAX_EF));
  const { calibration } = version.calibration();
  if (calibration === null) return defaultEf(k);
  return cachedEf(calibration, k, 0, selectivity, () => resolveDefaultEf(calibration, { k, selectivity }));
}

/** The ef of unfiltered searches, by k and target recall (0: none). Resolving takes a quarter of a short walk. */
const efCache = new WeakMap<Calibration, Map<number, Map<number, number>>>();
/** Targets kept for each k; a caller rarely uses more. */
const MAX_TARGETS = 16;

function cachedEf(
  calibration: Calibration,
  k: number,
  target: number,
  selectivity: number,
  resolve: () => number,
): number {
  if (selectivity !== 1) return resolve();
  let byK = efCache.get(calibration);
  if (byK === undefined) efCache.set(calibration, (byK = new Map<number, Map<number, number>>()));
  let byTarget = byK.get(k);
  if (byTarget === undefined) byK.set(k, (byTarget = new Map<number, number>()));
  let ef = byTarget.get(target);
  if (ef === undefined) {
    ef = resolve();
    if (byTarget.size === MAX_TARGETS) byTarget.clear();
    byTarget.set(target, ef);
  }
  return ef;
}

function checkTarget(targetRecall: number, hasOther: boolean): void {
  if (!(targetRecall > 0 && targetRecall <= 1)) {
    const message = `target_recall is ${targetRecall}; give a number above 0, up to 1, such as 0.98`;
    throw new ShortlistError('target_recall_out_of_range', message, { field: 'target_recall' });
  }
  if (!hasOther) return;
  const message = 'target_recall chooses the ef of a graph search; give only one of ef, target_recall and exact';
  throw new ShortlistError('bad_request', message, { field: 'target_recall' });
}

function requireCalibration(version: CalibratedVersion): Calibration {
  const state = version.calibration();
  if (state.calibration !== null) return state.calibration;
  const { index, version: name } = version.manifest;
  const message = `${index}@${name} ${state.reason}, so target_recall cannot be used; run: shortlist evaluate ${index}@${name} --calibrate`;
  throw new ShortlistError('not_calibrated', message, { field: 'target_recall' });
}
