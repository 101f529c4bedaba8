/** A calibration as a table: the ef that reaches each recall, by k and by the share of rows that pass the filter. */
import {
  bestRecall,
  DEFAULT_TARGET_RECALL,
  efForRecall,
  resolveDefaultEf,
  type Calibration,
  type CalibrationBand,
} from '../../retrieve/load/calibration.js';
import { formatCount, formatPlural } from './progress.js';
import { formatTable } from './table.js';

/** The default ef in one line: `ef 48 at k 10, 250 at k 100 for recall 0.99`. */
export function calibrationLine(calibration: Calibration): string {
  const bands = calibration.bands.filter(({ selectivity }) => selectivity === 1);
  const efs = Object.entries(defaultEfs(calibration)).map(
    ([k, ef]) => `${formatCount(ef)} at k ${formatCount(Number(k))}`,
  );
  const best = Math.min(...bands.map((band) => bestRecall(band)));
  const reached = best < DEFAULT_TARGET_RECALL ? `, or the highest recall measured (${(Math.floor(best * 1e4) / 1e4).toFixed(4)})` : ''; // prettier-ignore
  return `ef ${efs.join(', ')} for recall ${DEFAULT_TARGET_RECALL}${reached}`;
}

/** Default ef of searches without a filter, by the values of k that were measured. */
export function defaultEfs(calibration: Calibration): Record<string, number> {
  const bands = calibration.bands.filter(({ selectivity }) => selectivity === 1);
  return Object.fromEntries(bands.map(({ k }) => [k, resolveDefaultEf(calibration, { k })]));
}

const TARGETS = [0.9, 0.95, 0.98, 0.99, 0.999];

export function calibrationLines({ bands, queries, source, format }: Calibration): string[] {
  const from = source === 'file' ? 'from a file' : 'from the index itself';
  const table = formatTable<CalibrationBand>(
    [
      { title: 'rows that pass', value: ({ selectivity }) => describeShare(selectivity), align: 'right' },
      { title: 'k', value: ({ k }) => formatCount(k), align: 'right' },
      ...TARGETS.map((target) => ({
        title: `ef for ${target}`,
        value: (band: CalibrationBand) => String(efForRecall(band, target) ?? '-'),
        align: 'right' as const,
      })),
      { title: 'best', value: (band) => (Math.floor(bestRecall(band) * 1e4) / 1e4).toFixed(4), align: 'right' },
    ],
    bands,
  );
  const note = `best: recall at the largest ef measured. Recall is by distance, over up to ${formatPlural(queries, 'query', 'queries')} ${from}`;
  return [
    `calibration  ${calibrationLine({ bands, queries, source, format })}`,
    ...table.split('\n').map((line) => `  ${line}`),
    `  ${note}`,
  ];
}

function describeShare(selectivity: number): string {
  return selectivity === 1 ? 'all' : `${Number((100 * selectivity).toPrecision(3))} %`;
}
