/** A calibration as a table for people: the ef that reaches each recall, by k and by the share of rows that a filter passes. */
import { firstReaching, bestRecall, type Calibration, type CalibrationBand } from '../retrieve/calibration.js';
import { formatCount, formatPlural } from './progress.js';
import { formatTable } from './table.js';

/** Targets that are shown. */
const TARGETS = [0.9, 0.95, 0.98, 0.99, 0.999];

export function calibrationLines({ bands, queries, source }: Calibration): string[] {
  const from = source === 'file' ? 'of a file' : 'made of rows of the index';
  const table = formatTable<CalibrationBand>(
    [
      { title: 'rows that pass', value: ({ selectivity }) => describeShare(selectivity), align: 'right' },
      { title: 'k', value: ({ k }) => formatCount(k), align: 'right' },
      ...TARGETS.map((target) => ({
        title: `ef for ${target}`,
        value: (band: CalibrationBand) => String(firstReaching(band, target)?.ef ?? '-'),
        align: 'right' as const,
      })),
      { title: 'most', value: (band) => (Math.floor(bestRecall(band) * 1e4) / 1e4).toFixed(4), align: 'right' },
    ],
    bands,
  );
  const note = `recall by distance that is promised at an ef, by up to ${formatPlural(queries, 'query', 'queries')} ${from}`;
  return ['calibration', ...table.split('\n').map((line) => `  ${line}`), `  ${note}`];
}

function describeShare(selectivity: number): string {
  return selectivity === 1 ? 'all' : `${Number((100 * selectivity).toPrecision(3))} %`;
}
