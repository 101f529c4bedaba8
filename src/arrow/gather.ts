/** Columns of one value a row, put together from the values of others. */
import type { Column, ColumnType, NumberArray, Validity } from './column.js';
import { unsupported } from './fault.js';

/** Offsets of strings are 32 bits wide. */
const MAX_STRING_BYTES = 2 ** 32 - 1;

/** Strings shorter than this are copied byte by byte: a call for each costs more. */
const SHORT_BYTES = 24;

/**
 * Rows by their positions in `values`, which is not empty.
 * @param indexes checked to be below values.rows
 * @param valid validity of the result; strings of null rows are left empty
 */
export function gatherRows(type: ColumnType, values: Column, indexes: Uint32Array, valid: Validity): Column {
  const rows = indexes.length;
  switch (values.shape) {
    case 'numbers':
      return { shape: 'numbers', type, rows, valid, values: gatherNumbers(values.values, indexes) };
    case 'bools':
      return { shape: 'bools', type, rows, valid, values: Uint8Array.from(indexes, (index) => values.values[index]!) };
    case 'strings':
      return { shape: 'strings', type, rows, valid, ...gatherStrings(values, indexes, valid) };
    case 'lists':
      throw new TypeError('rows of lists are not gathered');
  }
}

function gatherNumbers(values: NumberArray, indexes: Uint32Array): NumberArray {
  const gathered = allocateLike(values, indexes.length);
  for (let i = 0; i < indexes.length; i++) gathered[i] = values[indexes[i]!]!;
  return gathered;
}

interface Strings {
  readonly offsets: Uint32Array;
  readonly bytes: Uint8Array;
}

function gatherStrings(values: Strings, indexes: Uint32Array, valid: Validity): Strings {
  const offsets = new Uint32Array(indexes.length + 1);
  let total = 0;
  for (let i = 0; i < indexes.length; i++) {
    const index = indexes[i]!;
    if (valid === null || valid[i] === 1) total += values.offsets[index + 1]! - values.offsets[index]!;
    offsets[i + 1] = total;
  }
  if (total > MAX_STRING_BYTES) throw unsupported('the strings of one chunk exceed 4 GiB; shorten them');
  const bytes = Buffer.allocUnsafeSlow(total);
  for (let i = 0; i < indexes.length; i++) {
    const to = offsets[i]!;
    copyBytes(values.bytes, values.offsets[indexes[i]!]!, offsets[i + 1]! - to, bytes, to);
  }
  return { offsets, bytes };
}

function copyBytes(source: Uint8Array, from: number, length: number, target: Uint8Array, to: number): void {
  if (length >= SHORT_BYTES) target.set(source.subarray(from, from + length), to);
  else for (let i = 0; i < length; i++) target[to + i] = source[from + i]!;
}

/** The rows of all columns, which have one type, in order. */
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
    if (total > MAX_STRING_BYTES) throw unsupported('a dictionary grows beyond 4 GiB; write it without a dictionary');
  });
  return { offsets, bytes: Buffer.concat(parts) };
}

type ColumnOf<S extends Column['shape']> = Extract<Column, { readonly shape: S }>;

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

/** `rows` null rows of a type that is read. */
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

/** Lists of one size hold their items in null rows too. */
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

/** The array that holds values of this type; float16 is widened to float32. */
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

/** `set` of two arrays of one kind, which TypeScript cannot see. */
function setNumbers(target: NumberArray, values: NumberArray, offset: number): void {
  (target as Float64Array).set(values as Float64Array, offset);
}
