/** Prints a comparison of two versions: the cause first, then answers, ids, values, queries, and the contents. */
import type { ChangedQuery } from '../../evaluate/diff/changed-queries.js';
import type { Change } from '../../evaluate/diff/id-tally.js';
import type { Mover } from '../../evaluate/diff/movers.js';
import type { DiffPoint } from '../../evaluate/diff/point-tally.js';
import { formatNumber } from '../../base/number-text.js';
import type { AttributeDrift, Drift } from '../../gate/drift.js';
import {
  describeItem,
  describeQueries,
  formatAttributeValue,
  formatChange,
  formatCosine,
  formatEf,
  formatFigure,
  formatOverlap,
  formatPercent,
  formatQuantile,
  formatShare,
  formatShift,
  formatSignedCount,
  type DiffReport,
} from './diff-report.js';
import { formatCount, formatPlural } from './progress.js';
import { clean, formatHanging, formatPairs, formatTable, screenWidth, type TableColumn } from './table.js';

/** Rows of each table. `--json` and `--report` have more. */
const SHOWN = 5;
const SHOWN_VALUES = 8;
const SHOWN_IDS = 10;
/** Smaller changes of a value's share are chance. */
const MIN_CHANGE = 0.001;
/** Also where no terminal limits it: a line of ids is read, not searched. */
const MAX_WIDTH = 100;

export function describeDiff(report: DiffReport): string {
  const { diff, drift, verdict } = report;
  const sections = [
    [verdict.sentence, ...verdict.notes].map((line) => fold('', line)).join('\n'),
    [pointTable(diff.points), fold('', LEGEND), queriesLine(report)].join('\n'),
    [describeChange('entered', diff.entered), describeChange('left', diff.left)].join('\n'),
    valueTable(report),
    queryTable(diff.changed_queries),
    moverTable('returned less often', diff.losers),
    moverTable('returned more often', diff.winners),
    describeDrift(drift),
  ];
  return sections.filter((section) => section !== '').join('\n\n');
}

const width = (): number => Math.min(MAX_WIDTH, screenWidth());

function fold(lead: string, text: string): string {
  return formatHanging(lead, clean(text), width());
}

function tableOf<Row>(columns: readonly TableColumn<Row>[], rows: readonly Row[]): string {
  return formatTable(columns, rows, width());
}

const right = <Row>(title: string, value: (row: Row) => string): TableColumn<Row> => ({ title, value, align: 'right' });

function pointTable(points: readonly DiffPoint[]): string {
  const columns: TableColumn<DiffPoint>[] = [
    right('k', ({ k }) => formatCount(k)),
    right('overlap', ({ overlap }) => formatOverlap(overlap)),
    right('p5', (point) => formatQuantile(point.overlap_p5)),
    right('p50', (point) => formatQuantile(point.overlap_p50)),
    right('below half', (point) => formatShare(point.below_half)),
    right('top-heavy', (point) => formatOverlap(point.rank_biased_overlap)),
    right('rank shift', ({ rank_shift: shift }) => (shift === null ? '' : formatNumber(shift.mean, 2))),
    right('p95', ({ rank_shift: shift }) => (shift === null ? '' : formatCount(shift.p95))),
    right('score at k', ({ last_score_shift: shift }) => formatShift(shift?.mean)),
    right('ef of v1', ({ ef }) => formatEf(ef.from)),
    right('ef of v2', ({ ef }) => formatEf(ef.to)),
  ];
  return tableOf(columns, points);
}

const LEGEND =
  'overlap: mean share of candidates that both versions return, with percentiles over queries; below half: share of ' +
  'queries with an overlap below 0.5; top-heavy: overlap that counts first ranks more; rank shift: mean change of rank ' +
  'of candidates in both, and p95; score at k: mean of new minus old, + is nearer';

function queriesLine(report: DiffReport): string {
  const { same_first: sameFirst } = report.diff;
  return fold('', `${describeQueries(report)}; the best candidate is the same for ${formatCount(sameFirst)}`);
}

function describeChange(verb: 'entered' | 'left', { total, by, ids }: Change): string {
  const lead = `${formatPlural(total, 'id')} ${verb}`;
  if (total === 0) return lead;
  const [catalogue, ranking] = verb === 'entered' ? ['new', 'there before'] : ['gone', 'still there'];
  const parts = `${formatCount(by.catalogue.ids)} ${catalogue} (${formatPlural(by.catalogue.places, 'place')}), ${formatCount(by.ranking.ids)} ${ranking} (${formatPlural(by.ranking.places, 'place')})`;
  const listed = ids.slice(0, SHOWN_IDS).map(({ id, queries, cause }) => `${id} (${formatCount(queries)}${cause === 'catalogue' ? `, ${catalogue}` : ''})`); // prettier-ignore
  return [fold('', `${lead}: ${parts}`), fold('  ', `by number of queries: ${listed.join(', ')}`)].join('\n');
}

function valueTable({ diff }: DiffReport): string {
  const rows = diff.values.flatMap(({ attribute, values }) =>
    values.filter(({ change }) => Math.abs(change) >= MIN_CHANGE).map((value) => ({ attribute, ...value })),
  );
  const k = formatCount(diff.points.at(-1)!.k);
  const names = diff.values.map(({ attribute }) => attribute).join(', ');
  if (rows.length === 0)
    return names === ''
      ? ''
      : fold('', `no value of ${names} changed its share of all candidates at k ${k} by 0.1 points`);
  rows.sort((a, b) => Math.abs(b.change) - Math.abs(a.change));
  type Row = (typeof rows)[number];
  const columns: TableColumn<Row>[] = [
    { title: 'attribute', value: ({ attribute }) => attribute },
    { title: 'value', value: ({ value }) => (value === null ? '(none)' : formatAttributeValue(value)) },
    right('v1', ({ from }) => formatPercent(from)),
    right('v2', ({ to }) => formatPercent(to)),
    right('change', ({ change }) => formatChange(change)),
  ];
  return [`share of all candidates at k ${k}, by value:`, tableOf(columns, rows.slice(0, SHOWN_VALUES))].join('\n');
}

function queryTable(queries: readonly ChangedQuery[]): string {
  if (queries.length === 0) return '';
  const ids = ({ total, ids: listed }: ChangedQuery['entered']): string => {
    const shown = listed.slice(0, 3).map(({ id, rank }) => `${id} #${rank}`);
    return total > shown.length ? `${shown.join(', ')}, +${formatCount(total - shown.length)}` : shown.join(', ');
  };
  const isRow = queries[0]!.id !== undefined;
  const columns: TableColumn<ChangedQuery>[] = [
    isRow
      ? { title: 'query (id)', value: ({ id }) => id! }
      : right('query', ({ position }) => formatCount(position)),
    right('overlap', ({ overlap }) => formatOverlap(overlap)),
    { title: 'entered, with rank', value: ({ entered }) => ids(entered) },
    { title: 'left, with rank', value: ({ left }) => ids(left) },
  ]; // prettier-ignore
  return ['queries that changed most:', tableOf(columns, queries.slice(0, SHOWN))].join('\n');
}

const stateOf = ({ state }: Mover): string => (state === 'kept' ? '' : state);

function moverTable(title: string, movers: readonly Mover[]): string {
  if (movers.length === 0) return '';
  const columns: TableColumn<Mover>[] = [
    { title: 'id', value: ({ id }) => id },
    ...(movers.every(({ state }) => state === 'kept') ? [] : [{ title: '', value: stateOf }]),
    right('v1', ({ queries }) => formatCount(queries.from)),
    right('v2', ({ queries }) => formatCount(queries.to)),
    right('change', ({ change }) => formatSignedCount(change)),
    { title: 'item', value: describeItem },
  ];
  return [`${title}, in queries:`, tableOf(columns, movers.slice(0, SHOWN))].join('\n');
}

function describeDrift(drift: Drift): string {
  const { rows, vectors, settings, attributes } = drift;
  const pairs: [string, string][] = [
    ['rows', `${formatCount(rows.from)} → ${formatCount(rows.to)}: ${formatCount(rows.kept)} kept, ${formatCount(rows.entered)} new, ${formatCount(rows.left)} gone`], // prettier-ignore
    ['vectors', describeVectors(drift)],
  ];
  if (vectors.norm.from !== null && vectors.norm.to !== null)
    pairs.push(['mean length', `${formatFigure(vectors.norm.from)} → ${formatFigure(vectors.norm.to)}`]);
  if (settings.length > 0)
    pairs.push(['settings', settings.map(({ name, from, to }) => `${name} ${String(from)} → ${String(to)}`).join(', ')]); // prettier-ignore
  for (const attribute of attributes) {
    const text = describeAttribute(attribute);
    if (text !== null) pairs.push([attribute.name, text]);
  }
  return ['contents, v1 → v2:', formatPairs(pairs, width())].join('\n');
}

export function describeVectors({ rows, vectors: { ids, identical, moved, cosine } }: Drift): string {
  if (cosine === null) return rows.kept === 0 ? 'no id is in both versions' : 'not compared: the dimensions differ';
  if (identical === 1) return `equal for all ${formatPlural(ids, 'sampled id')} in both`;
  const shares = identical === null || moved === null ? [] : [`${formatPercent(identical)} equal`, `${formatPercent(moved)} moved far`]; // prettier-ignore
  const quantiles = `cosine of old and new p1 ${formatCosine(cosine.p1)}, p5 ${formatCosine(cosine.p5)}, p50 ${formatCosine(cosine.p50)}`;
  return [`of ${formatPlural(ids, 'sampled id')} in both`, ...shares, quantiles].join(', ');
}

/** What changed; null if nothing did. */
export function describeAttribute({ type, filled, numbers, values }: AttributeDrift): string | null {
  if (type.from !== type.to) {
    if (type.to === null) return `gone (was ${type.from!})`;
    return type.from === null ? `new (${type.to})` : `type ${type.from} → ${type.to}`;
  }
  const parts: string[] = [];
  const add = (lead: string, from: string, to: string): void => {
    if (from !== to) parts.push(`${lead} ${from} → ${to}`);
  };
  if (filled !== undefined) add('with a value', formatPercent(filled.from), formatPercent(filled.to));
  if (numbers?.from && numbers.to)
    for (const figure of ['mean', 'p5', 'p50', 'p95'] as const)
      add(figure, formatFigure(numbers.from[figure]), formatFigure(numbers.to[figure]));
  const changed = values?.filter(({ change }) => change !== 0).slice(0, 3) ?? [];
  for (const { value, from, to } of changed) add(formatAttributeValue(value), formatPercent(from), formatPercent(to));
  return parts.length === 0 ? null : parts.join(', ');
}
