/** New columns from the rows of others: picked, joined, or all null. */
import type { Column, ColumnType, NumberArray, Validity } from './column.js';
import { unsupported } from './fault.js';

/** Largest offset, since offsets have 32 bits. */
const MAX_OFFSET = 2 ** 32 - 1;

/** Strings shorter than this are copied byte by byte: a call for each costs more. */
const SHORT_BYTES = 24;

type ColumnOf<S extends Column['shape']> = Extract<Column, { readonly shape: S }>;

/** Row `rows[i]` of column `pieces[i]`, for each i; any row may be picked more than once. */
interface PickedRows {
  /** Null if there is one column. */
  readonly pieces: Uint32Array | null;
  readonly rows: Uint32Array;
  /** Validity of the result; default that of the picked rows. Strings of rows that it marks as null are left empty. */
  readonly valid?: Validity;
}

/** Called with the bytes of each array before it is allocated; throws if they are too many. */
export type Budget = (bytes: number) => void;

/** The picked rows as one column. @param columns at least one, all of one type */
export function gatherRows(columns: readonly Column[], picked: PickedRows, budget: Budget = () => undefined): Column {
  const [first] = columns as [Column];
  const valid = picked.valid === undefined ? gatherValidity(columns, picked) : picked.valid;
  const common = { type: first.type, rows: picked.rows.length, valid };
  switch (first.shape) {
    case 'numbers':
      return { shape: 'numbers', ...common, values: gatherValues(columns as ColumnOf<'numbers'>[], picked, budget) };
    case 'bools':
      return { shape: 'bools', ...common, values: gatherValues(columns as ColumnOf<'bools'>[], picked, budget) };
    case 'strings':
      return { shape: 'strings', ...common, ...gatherStrings(columns as ColumnOf<'strings'>[], picked, budget) };
    case 'lists': {
      const lists = columns as ColumnOf<'lists'>[];
      const offsets = gatherOffsets(lists, picked, budget);
      const items = lists.map((list) => list.items);
      return {
        shape: 'lists',
        ...common,
        offsets,
        items: gatherRows(items, pickItems(lists, picked, offsets), budget),
      };
    }
  }
}

function pieceOf<T>(columns: readonly T[], pieces: Uint32Array | null, i: number): T {
  return columns[pieces === null ? 0 : pieces[i]!]!;
}

function gatherValidity(columns: readonly Column[], { pieces, rows }: PickedRows): Validity {
  if (columns.every(({ valid }) => valid === null)) return null;
  const valid = new Uint8Array(rows.length);
  for (let i = 0; i < rows.length; i++) valid[i] = pieceOf(columns, pieces, i).valid?.[rows[i]!] ?? 1;
  return valid;
}

function gatherValues<T extends NumberArray>(
  columns: readonly { readonly values: T }[],
  { pieces, rows }: PickedRows,
  budget: Budget,
): T {
  const { values } = columns[0]!;
  budget(rows.length * values.BYTES_PER_ELEMENT);
  const gathered = allocateLike(values, rows.length) as Float64Array; // for the type checker: bigints move alike
  const from = (i: number): Float64Array => columns[pieces![i]!]!.values as Float64Array;
  if (pieces !== null) for (let i = 0; i < rows.length; i++) gathered[i] = from(i)[rows[i]!]!;
  else for (let i = 0; i < rows.length; i++) gathered[i] = (values as Float64Array)[rows[i]!]!;
  return gathered as NumberArray as T;
}

/** Offsets of the picked rows: their lengths, end to end. */
function gatherOffsets(
  columns: readonly { readonly offsets: Uint32Array }[],
  { pieces, rows, valid = null }: PickedRows,
  budget: Budget,
): Uint32Array {
  budget(4 * (rows.length + 1));
  const gathered = new Uint32Array(rows.length + 1);
  let total = 0;
  for (let i = 0; i < rows.length; i++) {
    const { offsets } = pieceOf(columns, pieces, i);
    if (valid === null || valid[i] === 1) total += offsets[rows[i]! + 1]! - offsets[rows[i]!]!;
    gathered[i + 1] = total;
  }
  budget(total);
  if (total > MAX_OFFSET) throw unsupported('the strings of one chunk exceed 4 GiB; shorten them');
  return gathered;
}

interface Strings {
  readonly offsets: Uint32Array;
  readonly bytes: Uint8Array;
}

function gatherStrings(columns: readonly Strings[], picked: PickedRows, budget: Budget): Strings {
  const { pieces, rows } = picked;
  const offsets = gatherOffsets(columns, picked, budget);
  const bytes = Buffer.allocUnsafeSlow(offsets[rows.length]!);
  for (let i = 0; i < rows.length; i++) {
    const source = pieceOf(columns, pieces, i);
    const to = offsets[i]!;
    copyBytes(source.bytes, source.offsets[rows[i]!]!, offsets[i + 1]! - to, bytes, to);
  }
  return { offsets, bytes };
}

/** All items of the picked lists. */
function pickItems(
  lists: readonly ColumnOf<'lists'>[],
  { pieces, rows }: PickedRows,
  offsets: Uint32Array,
): PickedRows {
  const count = offsets[rows.length]!;
  const items = { pieces: pieces === null ? null : new Uint32Array(count), rows: new Uint32Array(count) };
  for (let i = 0; i < rows.length; i++) {
    const [from, to] = [offsets[i]!, offsets[i + 1]!];
    const start = pieceOf(lists, pieces, i).offsets[rows[i]!]!;
    if (pieces !== null) items.pieces!.fill(pieces[i]!, from, to);
    for (let at = from; at < to; at++) items.rows[at] = start + at - from;
  }
  return items;
}

function copyBytes(source: Uint8Array, from: number, length: number, target: Uint8Array, to: number): void {
  if (length >= SHORT_BYTES) target.set(source.subarray(from, from + length), to);
  else for (let i = 0; i < length; i++) target[to + i] = source[from + i]!;
}

/** The rows of all columns, in order. @param columns at least one, all of one type */
export function joinColumns(columns: readonly Column[]): Column {
  const first = columns[0]!;
  const rows = columns.reduce((sum, column) => sum + column.rows, 0);
  const base = { type: first.type, rows, valid: joinValidity(columns, rows) };
  switch (first.shape) {
    case 'numbers': {
      const values = allocateLike(first.values, rows);
      eachAt(columns, 'numbers', (column, row) => setNumbers(values, column.values, row));
      return { shape: 'numbers', ...base, values };
    }
    case 'bools': {
      const values = new Uint8Array(rows);
      eachAt(columns, 'bools', (column, row) => values.set(column.values, row));
      return { shape: 'bools', ...base, values };
    }
    case 'strings':
      return { shape: 'strings', ...base, ...joinStrings(columns, rows) };
    case 'lists':
      throw new TypeError('columns of lists are not joined');
  }
}

function joinStrings(columns: readonly Column[], rows: number): Strings {
  const offsets = new Uint32Array(rows + 1);
  const parts: Uint8Array[] = [];
  let total = 0;
  eachAt(columns, 'strings', (column, row) => {
    for (let i = 1; i <= column.rows; i++) offsets[row + i] = total + column.offsets[i]!;
    parts.push(column.bytes);
    total += column.bytes.length;
    if (total > MAX_OFFSET) throw unsupported('a dictionary grows beyond 4 GiB; write it without a dictionary');
  });
  return { offsets, bytes: Buffer.concat(parts) };
}

function eachAt<S extends Column['shape']>(
  columns: readonly Column[],
  shape: S,
  visit: (column: ColumnOf<S>, firstRow: number) => void,
): void {
  let row = 0;
  for (const column of columns) {
    if (column.shape !== shape) throw new TypeError(`cannot join ${column.shape} to ${shape}`);
    visit(column as ColumnOf<S>, row);
    row += column.rows;
  }
}

function joinValidity(columns: readonly Column[], rows: number): Validity {
  if (columns.every((column) => column.valid === null)) return null;
  const valid = new Uint8Array(rows).fill(1);
  let row = 0;
  for (const column of columns) {
    if (column.valid !== null) valid.set(column.valid, row);
    row += column.rows;
  }
  return valid;
}

/** A column of null rows. */
export function nullColumn(type: ColumnType, rows: number): Column {
  const valid = new Uint8Array(rows);
  switch (type.kind) {
    case 'bool':
    case 'null':
      return { shape: 'bools', type, rows, valid, values: new Uint8Array(rows) };
    case 'list':
      return nullLists(type, rows, valid);
    case 'utf8':
    case 'bytes16':
      return { shape: 'strings', type, rows, valid, offsets: new Uint32Array(rows + 1), bytes: new Uint8Array(0) };
    default:
      return { shape: 'numbers', type, rows, valid, values: new (numberArrayOf(type))(rows) };
  }
}

/** Lists of a fixed size have items in null rows too. */
function nullLists(type: ColumnType & { readonly kind: 'list' }, rows: number, valid: Validity): Column {
  const size = type.size ?? 0;
  const offsets = Uint32Array.from({ length: rows + 1 }, (_, row) => row * size);
  return { shape: 'lists', type, rows, valid, offsets, items: nullColumn(type.item, rows * size) };
}

const INTEGER_ARRAYS = {
  8: [Uint8Array, Int8Array],
  16: [Uint16Array, Int16Array],
  32: [Uint32Array, Int32Array],
  64: [BigUint64Array, BigInt64Array],
} as const;

type NumberArrayConstructor = new (length: number) => NumberArray;

/** The array type for values of this type; float16 is widened to float32. */
export function numberArrayOf(type: ColumnType): NumberArrayConstructor {
  switch (type.kind) {
    case 'int':
      return INTEGER_ARRAYS[type.bits][type.signed ? 1 : 0];
    case 'float':
      return type.bits === 64 ? Float64Array : Float32Array;
    case 'decimal':
      return Float64Array;
    case 'date':
      return type.unit === 'day' ? Int32Array : BigInt64Array;
    case 'timestamp':
      return BigInt64Array;
    default:
      throw new TypeError(`${type.kind} is not held as numbers`);
  }
}

function allocateLike(values: NumberArray, length: number): NumberArray {
  return new (values.constructor as NumberArrayConstructor)(length);
}

/** `set` of two arrays of one kind, which the type checker cannot see. */
function setNumbers(target: NumberArray, values: NumberArray, offset: number): void {
  (target as Float64Array).set(values as Float64Array, offset);
}
