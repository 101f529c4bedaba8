/** The ef of a search: its own, the one for its target recall, or the default. */
import { ShortlistError } from '../base/errors.js';
import { defaultEf, MAX_EF } from '../base/limits.js';
import { resolveDefaultEf, resolveEf, type Calibration } from './calibration.js';
import { checkRange } from './check-range.js';
import type { LoadedVersion } from './loaded-version.js';
import type { SearchOptions } from './search-options.js';

/** An ef that is asked for is raised to k; one that was calibrated may be below it. */
export interface EfQuestion extends Pick<SearchOptions, 'k' | 'ef' | 'targetRecall' | 'exact'> {
  /** Share of the rows that pass the filter; 1 without one. */
  readonly selectivity: number;
}

/** @throws target_recall_out_of_range, bad_request beside ef or exact, not_calibrated, recall_unreachable, ef_out_of_range */
export function chooseEf(version: LoadedVersion, { k, ef, targetRecall, exact, selectivity }: EfQuestion): number {
  if (targetRecall !== undefined) {
    checkTarget(targetRecall, ef !== undefined || exact === true);
    return resolveEf(requireCalibration(version), { k, targetRecall, selectivity }).ef;
  }
  if (ef !== undefined) return Math.max(k, checkRange('ef_out_of_range', 'ef', ef, MAX_EF));
  const { calibration } = version.calibration();
  return calibration === null ? defaultEf(k) : resolveDefaultEf(calibration, { k, selectivity });
}

function checkTarget(targetRecall: number, hasOther: boolean): void {
  if (!(targetRecall > 0 && targetRecall <= 1)) {
    const message = `target_recall is ${targetRecall}; give a number above 0, up to 1, such as 0.98`;
    throw new ShortlistError('target_recall_out_of_range', message, { field: 'target_recall' });
  }
  if (!hasOther) return;
  const message = 'target_recall chooses the ef of a graph search; give one of ef, target_recall and exact';
  throw new ShortlistError('bad_request', message, { field: 'target_recall' });
}

function requireCalibration(version: LoadedVersion): Calibration {
  const state = version.calibration();
  if (state.calibration !== null) return state.calibration;
  const { index, version: name } = version.manifest;
  const message = `${index}@${name} ${state.reason}, so no ef is known for a target_recall; run: shortlist evaluate ${index}@${name} --calibrate`;
  throw new ShortlistError('not_calibrated', message, { field: 'target_recall' });
}
