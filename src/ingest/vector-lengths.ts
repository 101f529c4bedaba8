/**
 * Finds out how many components the vectors of an input have, before any vector is read.
 *
 * Takes the files of a plan and their vector column; returns the length that all vectors must have. A type of fixed
 * size says it for a whole file; of other lists only the offsets are read, 4 or 8 bytes a row. The most frequent length
 * counts, so that one row, or one file of another model, does not decide for the rest because it comes first.
 */
import type { ArrowField } from '../arrow/column.js';
import type { ListExtents } from '../arrow/decode/column-source.js';
import { openTable } from '../formats/open-table.js';
import { ShortlistError } from '../base/errors.js';
import { MAX_DIM } from '../base/limits.js';
import { componentsOf } from './column-types.js';
import { flattenExtents } from './vector-rows.js';

/** Vectors of one length: their number, and where the first of them is. */
export interface LengthCount {
  readonly length: number;
  readonly rows: number;
  readonly file: string;
  readonly row: number;
  /** Number of files with them, and whether the type of the column fixes the length in all of these. */
  readonly files: number;
  readonly fixed: boolean;
}

interface MutableCount {
  rows: number;
  readonly file: string;
  readonly row: number;
  files: number;
  lastFile: string;
  fixed: boolean;
}

/** Counts vectors by their length. Null rows and empty lists have none. */
class LengthCounts {
  private readonly counts = new Map<number, MutableCount>();

  add(length: number, rows: number, file: string, row: number, fixed: boolean): void {
    if (length === 0 || rows === 0) return;
    // Lengths above the bound are counted as one, so that the table stays small.
    const key = Math.min(length, MAX_DIM + 1);
    const known = this.counts.get(key);
    if (known === undefined) {
      this.counts.set(key, { rows, file, row, files: 1, lastFile: file, fixed });
      return;
    }
    known.rows += rows;
    known.fixed &&= fixed;
    if (known.lastFile !== file) known.files++;
    known.lastFile = file;
  }

  /** The most frequent first; of equally frequent ones the longer first. */
  list(): LengthCount[] {
    return [...this.counts]
      .map(([length, { rows, file, row, files, fixed }]) => ({ length, rows, file, row, files, fixed }))
      .sort((a, b) => b.rows - a.rows || b.length - a.length);
  }
}

interface LengthFile {
  readonly path: string;
  readonly rows: number;
  readonly fields: readonly ArrowField[];
}

/** @param name of the vector column, which all files have */
export async function countLengths(
  files: readonly LengthFile[],
  name: string,
  signal: AbortSignal | undefined,
): Promise<LengthCount[]> {
  const counts = new LengthCounts();
  for (const { path, rows, fields } of files) {
    const position = fields.findIndex((field) => field.name === name);
    const { type } = fields[position]!;
    const size = componentsOf(type)?.size ?? null;
    const isPlain = type.kind === 'list' && type.item.kind !== 'list';
    if (size !== null && isPlain) counts.add(size, rows, path, 0, true);
    else await countFile(path, position, counts, signal);
  }
  return counts.list();
}

async function countFile(
  path: string,
  position: number,
  counts: LengthCounts,
  signal: AbortSignal | undefined,
): Promise<void> {
  const reader = await openTable(path);
  try {
    for await (const chunk of reader.readExtents(position)) {
      signal?.throwIfAborted();
      countRuns(chunk, path, chunk.firstRow, counts);
    }
  } finally {
    await reader.close();
  }
}

/** Counts rows by runs of one length, mostly one run a chunk. */
function countRuns(extents: ListExtents, path: string, firstRow: number, counts: LengthCounts): void {
  const { valid, offsets, lists } = flattenExtents(extents);
  let start = 0;
  let length = 0;
  for (let row = 0; row < extents.rows; row++) {
    const isOne = lists === null || lists[row + 1]! - lists[row]! === 1;
    const here = isOne && (valid === null || valid[row] === 1) ? offsets[row + 1]! - offsets[row]! : 0;
    if (here === length) continue;
    counts.add(length, row - start, path, firstRow + start, false);
    start = row;
    length = here;
  }
  counts.add(length, extents.rows - start, path, firstRow + start, false);
}

export interface LengthOptions {
  /** The length given by the user. */
  readonly dim?: number;
  /** The length in the published version. */
  readonly liveDim?: number;
  readonly onBadRow: 'fail' | 'skip';
}

interface ChosenLength {
  /** Null if no row has a vector. */
  readonly dim: number | null;
  /** Where `dim` comes from, as in `not the 768 of most vectors`. */
  readonly source: string;
  readonly warning: string | null;
}

/** @throws dimension_mismatch, column_type; schema_mismatch if fixed sizes differ and no row may be left out */
export function chooseLength(counts: readonly LengthCount[], vector: ArrowField, options: LengthOptions): ChosenLength {
  const { dim, liveDim, onBadRow } = options;
  if (dim !== undefined) {
    requireLength(counts, dim);
    return { dim, source: '--dim', warning: null };
  }
  const [first] = counts;
  if (first === undefined) return { dim: null, source: 'no vector', warning: null };
  if (first.length > MAX_DIM) throw tooLong(first);
  if (onBadRow === 'fail') refuseFixedSizes(counts, vector);
  // Of equally frequent lengths, the one of the published version.
  const chosen = counts.find(({ length, rows }) => length === liveDim && rows === first.rows) ?? first;
  const total = counts.reduce((sum, { rows }) => sum + rows, 0);
  const type = `the column's type, ${vector.label}`;
  const share = `most vectors (${formatCount(chosen.rows)} of ${formatCount(total)})`;
  const source = counts.length === 1 && chosen.fixed ? type : share;
  return { dim: chosen.length, source, warning: warnOfLive(chosen.length, liveDim) };
}

function warnOfLive(dim: number, liveDim: number | undefined): string | null {
  if (liveDim === undefined || liveDim === dim) return null;
  return `the vectors have ${dim} components, but those of the published version have ${liveDim}: once this version is published, queries of ${liveDim} components are refused; to refuse this input instead, use --dim ${liveDim}`;
}

function requireLength(counts: readonly LengthCount[], dim: number): void {
  if (counts.length === 0 || counts.some(({ length }) => length === dim)) return;
  const message = `no vector of the input has ${dim} components, as --dim says: ${describeLengths(counts)}; change --dim or the input`;
  const { length, file } = counts[0]!;
  throw new ShortlistError('dimension_mismatch', message, { file, dim: length, expected: dim });
}

/** Whole files of another length come from another model. */
function refuseFixedSizes(counts: readonly LengthCount[], vector: ArrowField): void {
  const fixed = counts.filter(({ fixed }) => fixed);
  const [first, other] = fixed;
  if (first === undefined || other === undefined) return;
  const message =
    `column ${JSON.stringify(vector.name)} has vectors of several lengths: ${describeLengths(fixed)}; ` +
    `build from files of one model, or leave the less frequent lengths out with --on-bad-row skip`;
  throw new ShortlistError('schema_mismatch', message, {
    file: other.file,
    first_file: first.file,
    column: vector.name,
    dim: other.length,
    first_dim: first.length,
  });
}

function tooLong({ file, row, length }: LengthCount): ShortlistError {
  const message = `${file} row ${row}: the vector has more than ${MAX_DIM} components; a vector may have 1 to ${MAX_DIM}`;
  return new ShortlistError('column_type', message, { file, row, dim: length, limit: MAX_DIM });
}

/** Most lengths that a message lists. */
const MAX_LISTED_LENGTHS = 5;

/** `8 components in 199 rows (from b.arrow row 0), 3 in 1 (from a.arrow row 0)` */
export function describeLengths(counts: readonly LengthCount[]): string {
  const listed = counts.slice(0, MAX_LISTED_LENGTHS).map(({ length, rows, file, row }, i) => {
    const components = length > MAX_DIM ? `more than ${MAX_DIM}` : formatCount(length);
    const unit = i === 0 ? ' components' : '';
    return `${components}${unit} in ${formatCount(rows)}${i === 0 ? (rows === 1 ? ' row' : ' rows') : ''} (from ${file} row ${row})`;
  });
  if (counts.length > MAX_LISTED_LENGTHS) listed.push(`${counts.length - MAX_LISTED_LENGTHS} more lengths`);
  return listed.join(', ');
}

function formatCount(count: number): string {
  return count.toLocaleString('en-US');
}
