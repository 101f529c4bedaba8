/**
 * Cuts columns into the record batches of a file of attributes. Takes chunks of any size; gives batches that depend
 * only on the rows: the same table from another file, in other chunks or with other bytes under its nulls, gives the
 * same batches.
 *
 * A batch ends before the row with which it would exceed 65,536 rows, or 64 MiB of strings and lists; with several
 * shards, whose rows wait side by side, their part of 64 MiB, but 4 MiB at least. Rows that wait for the end of their
 * batch are copied, so the caller may use its buffers again.
 */
import type { Column } from '../../arrow/column.js';
import { gatherRows } from '../../arrow/gather.js';

const BATCH_ROWS = 65_536;

/** Counts the bytes of strings, and LIST_ITEM_BYTES for each item of a list. */
const BATCH_BYTES = 64 * 1024 * 1024;
const MIN_BATCH_BYTES = 4 * 1024 * 1024;

const LIST_ITEM_BYTES = 8;

/** Consecutive rows: a copy of their columns. */
interface Piece {
  readonly rows: number;
  readonly columns: readonly Column[];
}

export class AttributeBatches {
  private waiting: Piece[] = [];
  private rows = 0;
  private bytes = 0;
  private readonly maxBytes: number;

  constructor(shards = 1) {
    this.maxBytes = Math.max(MIN_BATCH_BYTES, Math.floor(BATCH_BYTES / shards));
  }

  /**
   * Adds rows.
   * @param picked which rows of the columns, ascending; null for all
   * @returns the batches that they complete, each with one column a field
   */
  *add(columns: readonly Column[], picked: Uint32Array | null = null): Generator<readonly Column[], void, undefined> {
    const rows = picked ?? Uint32Array.from({ length: columns[0]?.rows ?? 0 }, (_, row) => row);
    const sizes = measureRows(columns, rows);
    let start = 0;
    for (let place = 0; place < rows.length; place++) {
      const size = sizes === null ? 0 : sizes[place]!;
      if (this.rows === BATCH_ROWS || (this.rows > 0 && this.bytes + size > this.maxBytes)) {
        this.keep(columns, rows.subarray(start, place));
        start = place;
        yield this.take();
      }
      this.rows++;
      this.bytes += size;
    }
    this.keep(columns, rows.subarray(start));
  }

  /** The last batch; null if no row waits. */
  finish(): readonly Column[] | null {
    return this.rows === 0 ? null : this.take();
  }

  private keep(columns: readonly Column[], rows: Uint32Array): void {
    if (rows.length === 0) return;
    this.waiting.push({ rows: rows.length, columns: columns.map((column) => copyRows(column, rows)) });
  }

  private take(): readonly Column[] {
    const pieces = this.waiting;
    this.waiting = [];
    this.rows = 0;
    this.bytes = 0;
    return pieces.length === 1 ? pieces[0]!.columns : joinPieces(pieces);
  }
}

/** Bytes of each row's strings and lists; null if no column has any. */
function measureRows(columns: readonly Column[], rows: Uint32Array): Float64Array | null {
  const sizes = new Float64Array(rows.length);
  let found = false;
  for (const column of columns) {
    if (column.shape !== 'strings' && column.shape !== 'lists') continue;
    found = true;
    const { valid, offsets } = column;
    for (const [place, row] of rows.entries()) {
      if (valid !== null && valid[row] === 0) continue;
      sizes[place]! += column.shape === 'strings' ? offsets[row + 1]! - offsets[row]! : listBytes(column, row);
    }
  }
  return found ? sizes : null;
}

function listBytes({ offsets, items }: Column & { readonly shape: 'lists' }, row: number): number {
  const [from, to] = [offsets[row]!, offsets[row + 1]!];
  const text = items.shape === 'strings' ? items.offsets[to]! - items.offsets[from]! : 0;
  return LIST_ITEM_BYTES * (to - from) + text;
}

/** The rows in memory of their own, without what lies under nulls and between values. */
function copyRows(column: Column, rows: Uint32Array): Column {
  const { valid } = column;
  return gatherRows([column], pick(column, null, rows, valid === null ? null : Uint8Array.from(rows, (row) => valid[row]!))); // prettier-ignore
}

function joinPieces(pieces: readonly Piece[]): Column[] {
  const total = pieces.reduce((sum, { rows }) => sum + rows, 0);
  const numbers = new Uint32Array(total);
  const rows = new Uint32Array(total);
  let done = 0;
  for (const [number, piece] of pieces.entries()) {
    numbers.fill(number, done, done + piece.rows);
    for (let row = 0; row < piece.rows; row++) rows[done++] = row;
  }
  return pieces[0]!.columns.map((column, position) => {
    const parts = pieces.map((piece) => piece.columns[position]!);
    return gatherRows(parts, pick(column, numbers, rows, joinValidity(parts, total)));
  });
}

/** Null lists become empty, except lists of a fixed size: these have items in every row. */
function pick(column: Column, pieces: Uint32Array | null, rows: Uint32Array, valid: Uint8Array | null) {
  const isFixed = column.type.kind === 'list' && column.type.size !== null;
  return isFixed ? { pieces, rows } : { pieces, rows, valid };
}

function joinValidity(parts: readonly Column[], total: number): Uint8Array | null {
  if (parts.every(({ valid }) => valid === null)) return null;
  const joined = new Uint8Array(total).fill(1);
  let row = 0;
  for (const { valid, rows } of parts) {
    if (valid !== null) joined.set(valid, row);
    row += rows;
  }
  return joined;
}
