/**
 * How many components the vectors of an input have, before any vector is read.
 *
 * Takes the files of a plan and their vector column; gives the length that all vectors must have. A type of fixed
 * size says it for a whole file; of lists only the offsets are read, 4 or 8 bytes a row. The length is the one most
 * rows have, wherever they stand: one row, or one file of another model, does not decide for the rest because it
 * comes first.
 */
import type { ArrowField } from '../arrow/column.js';
import type { ListExtents } from '../arrow/decode/column-source.js';
import { openArrow } from '../arrow/read/reader.js';
import { ShortlistError } from '../base/errors.js';
import { MAX_DIM } from '../base/limits.js';
import { componentsOf } from './column-types.js';
import { flattenExtents } from './vector-rows.js';

/** Vectors of one length: how many there are, and the first of them. */
export interface LengthCount {
  readonly length: number;
  readonly rows: number;
  readonly file: string;
  readonly row: number;
  /** In how many files, and whether the column's type says so for each. */
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
    // Lengths beyond the bound are refused as one, so that the table stays small.
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

  /** The most frequent first; of equally frequent ones the longer. */
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

/** @param name of the vector column, which every file has */
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
  const reader = await openArrow(path);
  try {
    for await (const chunk of reader.readExtents(position)) {
      signal?.throwIfAborted();
      countRuns(chunk, path, chunk.firstRow, counts);
    }
  } finally {
    await reader.close();
  }
}

/** Adds rows by runs of one length: mostly one run a chunk. */
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
  /** The length that the user says the vectors have. */
  readonly dim?: number;
  /** That of the version that is published. */
  readonly liveDim?: number;
  readonly onBadRow: 'fail' | 'skip';
}

interface ChosenLength {
  /** Null where no row has a vector. */
  readonly dim: number | null;
  /** What says so, as in `not the 768 of most vectors`. */
  readonly source: string;
  readonly warning: string | null;
}

/**
 * @throws dimension_mismatch, schema_mismatch where columns of fixed size differ and no row may be left out,
 * column_type
 */
export function chooseLength(counts: readonly LengthCount[], vector: ArrowField, options: LengthOptions): ChosenLength {
  const { dim, liveDim, onBadRow } = options;
  if (dim !== undefined) {
    requireLength(counts, dim);
    return { dim, source: '--dim', warning: null };
  }
  const [most] = counts;
  if (most === undefined) return { dim: null, source: 'no vector', warning: null };
  if (most.length > MAX_DIM) throw tooLong(most);
  if (onBadRow === 'fail') refuseFixedSizes(counts, vector);
  // Of lengths that are equally frequent, the live version's.
  const chosen = counts.find(({ length, rows }) => length === liveDim && rows === most.rows) ?? most;
  const total = counts.reduce((sum, { rows }) => sum + rows, 0);
  const all = counts.length === 1;
  const type = `the column's type, ${vector.label}`;
  const source = all && chosen.fixed ? type : `most vectors (${formatCount(chosen.rows)} of ${formatCount(total)})`;
  return { dim: chosen.length, source, warning: warnOfLive(chosen.length, liveDim) };
}

function warnOfLive(dim: number, liveDim: number | undefined): string | null {
  if (liveDim === undefined || liveDim === dim) return null;
  return `the vectors have ${dim} components and those of the live version ${liveDim}: queries of ${liveDim} are refused once this version is published; if that is not meant, --dim ${liveDim} refuses the input`;
}

function requireLength(counts: readonly LengthCount[], dim: number): void {
  if (counts.length === 0 || counts.some(({ length }) => length === dim)) return;
  const message = `no vector of the input has the ${dim} components of --dim: ${describeLengths(counts)}; change --dim or the input`;
  const { length, file } = counts[0]!;
  throw new ShortlistError('dimension_mismatch', message, { file, dim: length, expected: dim });
}

/** Whole files of another length are another model's. */
function refuseFixedSizes(counts: readonly LengthCount[], vector: ArrowField): void {
  const fixed = counts.filter(({ fixed }) => fixed);
  const [first, other] = fixed;
  if (first === undefined || other === undefined) return;
  const message =
    `column ${JSON.stringify(vector.name)} has vectors of several lengths: ${describeLengths(fixed)}; ` +
    `build from files of one model, or leave the fewer ones out with --on-bad-row skip`;
  throw new ShortlistError('schema_mismatch', message, {
    file: other.file,
    first_file: first.file,
    column: vector.name,
    dim: other.length,
    first_dim: first.length,
  });
}

function tooLong({ file, row, length }: LengthCount): ShortlistError {
  const message = `${file} row ${row}: the vectors have more than ${MAX_DIM} components; from 1 to ${MAX_DIM} are taken`;
  return new ShortlistError('column_type', message, { file, row, dim: length, limit: MAX_DIM });
}

/** As many lengths as a message can carry. */
const MAX_LISTED_LENGTHS = 5;

/** `8 components in 199 rows (from b.arrow row 0), 3 in 1 (from a.arrow row 0)` */
export function describeLengths(counts: readonly LengthCount[]): string {
  const listed = counts.slice(0, MAX_LISTED_LENGTHS).map(({ length, rows, file, row }, i) => {
    const components = length > MAX_DIM ? `more than ${MAX_DIM}` : formatCount(length);
    const unit = i === 0 ? ' components' : '';
    return `${components}${unit} in ${formatCount(rows)}${i === 0 ? (rows === 1 ? ' row' : ' rows') : ''} (from ${file} row ${row})`;
  });
  if (counts.length > MAX_LISTED_LENGTHS) listed.push(`${counts.length - MAX_LISTED_LENGTHS} lengths more`);
  return listed.join(', ');
}

function formatCount(count: number): string {
  return count.toLocaleString('en-US');
}
