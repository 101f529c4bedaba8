/** Figures measured while the graphs of a version were built: a table by shard, or one line for all shards. */
import { formatFixed } from '../../base/number-text.js';
import type { Manifest } from '../../version/sealed/manifest.js';
import { formatCount } from './progress.js';
import { formatHanging, formatTable, screenWidth, type TableColumn } from './table.js';

type Shards = Manifest['shards'];

/** Decimals of a share: recall is measured on some thousand rows. */
const DECIMALS = 4;

/** One row per shard, one column per figure; null if no shard has figures. */
export function formatFigureTable(shards: Shards): string | null {
  const names = figureNames(shards);
  if (names.length === 0) return null;
  const rows = shards.map((entry, shard) => ({ shard, ...entry }));
  type Row = (typeof rows)[number];
  const columns: TableColumn<Row>[] = [
    { title: 'shard', value: ({ shard }) => String(shard), align: 'right' },
    { title: 'rows', value: ({ count }) => formatCount(count), align: 'right' },
    ...names.map((name): TableColumn<Row> => ({
      title: figureTitle(name),
      value: ({ figures }) => formatFigure(figures[name]),
      align: 'right',
    })),
  ];
  return formatTable(columns, rows);
}

/** Explains the figures that these shards have. */
export function explainFigures(shards: Shards): string {
  const known = figureNames(shards).flatMap((name) =>
    FIGURE_HELP[name] === undefined ? [] : `${figureTitle(name)}: ${FIGURE_HELP[name]}`,
  );
  return formatHanging('', known.join('; '), screenWidth() - 2); // indented below a heading
}

const FIGURE_HELP: Readonly<Record<string, string>> = {
  code_bits: 'bits per component of the codes that a search compares first (32: the vectors themselves)',
  code_recall: 'share of the 10 nearest rows that are among the 20 nearest by their codes',
  traversal_recall: 'share of the results of a search with full vectors that a search with codes finds too',
  equal_rows: 'rows represented by another row with an equal vector',
  unreachable: 'rows that no link led to; links to them were added',
  unfound: 'rows that a search for their own vector missed; links to them were added',
};

/** `code bits 7, unreachable 0 to 3`: the range of each figure over the shards. */
export function formatFigureLine(shards: Shards): string | null {
  const ranges = figureNames(shards).map((name) => {
    const values = shards.flatMap(({ figures }) => figures[name] ?? []);
    const [min, max] = [Math.min(...values), Math.max(...values)].map(formatFigure);
    return `${figureTitle(name)} ${min === max ? min : `${min} to ${max}`}`;
  });
  return ranges.length === 0 ? null : ranges.join(', ');
}

function figureNames(shards: Shards): string[] {
  return [...new Set(shards.flatMap(({ figures }) => Object.keys(figures)))];
}

function figureTitle(name: string): string {
  return name.replaceAll('_', ' ');
}

function formatFigure(value: number | undefined): string {
  if (value === undefined) return '';
  return Number.isInteger(value) ? formatCount(value) : formatFixed(value, DECIMALS);
}
