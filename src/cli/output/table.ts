/**
 * Plain-text tables: a header, a rule and aligned columns; numbers right, text left. Control characters in cells become
 * dots, since data must not control the terminal.
 *
 * At a terminal, tables fit its width: first titles and then texts are folded; if that is not enough, each row becomes
 * a block of lines. Elsewhere each row is one line of any length, so that it can be searched.
 *
 * Written by hand, except for string-width: cli-table3 and table do not fit columns to the terminal.
 */
import stringWidth from 'string-width';

export interface TableColumn<Row> {
  readonly title: string;
  readonly value: (row: Row) => string;
  readonly align?: 'left' | 'right';
  /** Never folded, such as the name of a version. Numbers are never folded either. */
  readonly noWrap?: boolean;
}

const GAP = '  ';
/** Narrower columns of text are unreadable. */
const MIN_TEXT_WIDTH = 7;
/** Indentation of tables below a heading. */
const INDENT = 2;

/** Columns of the terminal; Infinity if stdout is not one. */
export function screenWidth(): number {
  return process.stdout.isTTY ? Math.max(40, process.stdout.columns) : Infinity;
}

export function formatTable<Row>(
  columns: readonly TableColumn<Row>[],
  rows: readonly Row[],
  width: number = screenWidth() - INDENT,
): string {
  const cells = rows.map((row) => columns.map((column) => clean(column.value(row))));
  const titles = columns.map(({ title }) => title);
  const widths = fitWidths(columns, titles, cells, width);
  if (widths === null) return formatBlocks(titles, cells, width);
  const line = (values: readonly string[]) =>
    values
      .map((value, position) => pad(value, widths[position]!, columns[position]!.align ?? 'left'))
      .join(GAP)
      .trimEnd();
  const rule = widths.map((columnWidth) => '─'.repeat(columnWidth)).join(GAP);
  return [...foldRow(titles, widths).map(line), rule, ...cells.flatMap((row) => foldRow(row, widths).map(line))].join(
    '\n',
  );
}

/** Narrows first titles of several words and then texts, the widest first. Null if that is not enough. */
function fitWidths<Row>(
  columns: readonly TableColumn<Row>[],
  titles: readonly string[],
  cells: readonly (readonly string[])[],
  width: number,
): number[] | null {
  const positions = [...columns.keys()];
  const cellWidths = positions.map((position) => Math.max(0, ...cells.map((row) => displayWidth(row[position]!))));
  const wordWidths = titles.map((title) => Math.max(...title.split(' ').map(displayWidth)));
  const widths = titles.map((title, position) => Math.max(displayWidth(title), cellWidths[position]!));
  const minWidths = positions.map((position) => Math.max(wordWidths[position]!, cellWidths[position]!));
  if (shrink(widths, minWidths, width)) return widths;
  const canFold = ({ align, noWrap }: TableColumn<Row>): boolean => align !== 'right' && noWrap !== true;
  const foldedWidths = positions.map((position) =>
    canFold(columns[position]!) ? MIN_TEXT_WIDTH : minWidths[position]!,
  );
  return shrink(widths, foldedWidths, width) ? widths : null;
}

/** @returns whether the widths fit now */
function shrink(widths: number[], minWidths: readonly number[], width: number): boolean {
  let excess = widths.reduce((sum, each) => sum + each, GAP.length * (widths.length - 1)) - width;
  for (; excess > 0; excess--) {
    let widest = -1;
    for (const [position, each] of widths.entries())
      if (each > minWidths[position]! && (widest < 0 || each > widths[widest]!)) widest = position;
    if (widest < 0) return false;
    widths[widest]! -= 1;
  }
  return true;
}

function foldRow(cells: readonly string[], widths: readonly number[]): string[][] {
  const folded = cells.map((cell, position) => foldText(cell, widths[position]!));
  const height = Math.max(...folded.map((lines) => lines.length));
  return Array.from({ length: height }, (_, line) => folded.map((lines) => lines[line] ?? ''));
}

/** Every value on its own line, with a rule between rows. */
function formatBlocks(titles: readonly string[], cells: readonly (readonly string[])[], width: number): string {
  const blocks = cells.map((row) => formatPairs(titles.map((title, position) => [title, row[position]!]), width)); // prettier-ignore
  return blocks.join(`\n${'─'.repeat(Math.min(width, 40))}\n`);
}

/** Names and values in two columns; a long value continues in its column. */
export function formatPairs(pairs: readonly (readonly [string, string])[], width: number = screenWidth()): string {
  const nameWidth = Math.max(...pairs.map(([name]) => displayWidth(clean(name)))) + GAP.length;
  const lead = (name: string): string => pad(clean(name), nameWidth, 'left');
  return pairs.map(([name, value]) => formatHanging(lead(name), clean(value), width)).join('\n');
}

/** A text after a label; its further lines are indented to the end of the label. */
export function formatHanging(lead: string, text: string, width: number = screenWidth()): string {
  const room = Math.max(MIN_TEXT_WIDTH, width - displayWidth(lead));
  return foldText(text, room)
    .map((line, position) => `${position === 0 ? lead : ' '.repeat(displayWidth(lead))}${line}`.trimEnd())
    .join('\n');
}

/** Folds lines that are too wide; their continuation has the same indentation. */
export function foldLines(text: string, width: number = screenWidth()): string {
  if (width === Infinity) return text;
  return text
    .split('\n')
    .map((line) => {
      const indent = /^ */.exec(line)![0];
      return displayWidth(line) <= width ? line : formatHanging(indent, line.slice(indent.length), width);
    })
    .join('\n');
}

/** After a space, except before a unit: `0.1 s` stays together. */
const BREAK = /(?<= )(?!(?:s|min|h|[KMGT]?i?B)(?![\w]))/;

/** Lines of at most `width` columns, broken at spaces where possible. */
function foldText(text: string, width: number): string[] {
  if (displayWidth(text) <= width) return [text];
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(BREAK)) {
    if (line !== '' && displayWidth(line + word.trimEnd()) > width) {
      lines.push(line.trimEnd());
      line = '';
    }
    for (const { segment } of graphemes.segment(word)) {
      if (displayWidth(line) + displayWidth(segment) > width && segment !== ' ') {
        lines.push(line);
        line = '';
      }
      line += segment;
    }
  }
  return [...lines, line.trimEnd()];
}

function pad(value: string, width: number, align: 'left' | 'right'): string {
  const fill = ' '.repeat(Math.max(0, width - displayWidth(value)));
  return align === 'right' ? fill + value : value + fill;
}

/** At most `max` characters, as a reader counts them; a longer text ends in an ellipsis. */
export function cutText(text: string, max: number): string {
  if (text.length <= max) return text;
  const characters = Array.from(graphemes.segment(text.slice(0, MAX_UNITS * max)), ({ segment }) => segment);
  return characters.length <= max ? text : `${characters.slice(0, max - 1).join('')}…`;
}

/** UTF-16 units of the longest common characters: the rest of a long text is not read. */
const MAX_UNITS = 16;

/** Control characters become dots, since data must not control the terminal. */
export function clean(text: string): string {
  return text.replace(CONTROL, '·');
}

const CONTROL = /\p{Cc}/gu;
const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** Columns that the text occupies in a terminal. */
function displayWidth(text: string): number {
  return PLAIN.test(text) ? text.length : stringWidth(text);
}

const PLAIN = /^[\x20-\x7e]*$/;
