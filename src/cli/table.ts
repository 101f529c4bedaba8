/**
 * Plain-text tables: a header, a rule, aligned columns. Numbers stand right, text left. Cells come from data, so control
 * characters are shown as dots: a title must not be able to steer the terminal.
 */

export interface TableColumn<Row> {
  readonly title: string;
  readonly value: (row: Row) => string;
  readonly align?: 'left' | 'right';
}

export function formatTable<Row>(columns: readonly TableColumn<Row>[], rows: readonly Row[]): string {
  const cells = rows.map((row) => columns.map((column) => column.value(row).replace(CONTROL, '·')));
  const widths = columns.map((column, position) =>
    Math.max(displayWidth(column.title), ...cells.map((row) => displayWidth(row[position]!))),
  );
  const line = (values: readonly string[]) =>
    values
      .map((value, position) => pad(value, widths[position]!, columns[position]!.align ?? 'left'))
      .join('  ')
      .trimEnd();
  const titles = line(columns.map((column) => column.title));
  const rule = widths.map((width) => '─'.repeat(width)).join('  ');
  return [titles, rule, ...cells.map(line)].join('\n');
}

function pad(value: string, width: number, align: 'left' | 'right'): string {
  const fill = ' '.repeat(Math.max(0, width - displayWidth(value)));
  return align === 'right' ? fill + value : value + fill;
}

const CONTROL = /\p{Cc}/gu;
const WIDE = /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Emoji_Presentation}]/u;
const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** Columns that a terminal takes for the text. */
function displayWidth(text: string): number {
  let width = 0;
  for (const { segment } of graphemes.segment(text)) width += WIDE.test(segment) ? 2 : 1;
  return width;
}
