/**
 * Converts a column to the type that all files have in common (column-types.ts chooses it): the same values in the
 * array of a wider type. Only a time can fail to fit: 2300-01-01 in seconds is too large for nanoseconds.
 */
import type { Column, ColumnType, NumberArray } from '../arrow/column.js';
import { nullColumn, numberArrayOf } from '../arrow/gather.js';
import { isSameType } from './column-types.js';

/** @param tooLong makes the error for a row whose time does not fit */
export function convertColumn(column: Column, type: ColumnType, tooLong: (row: number) => Error): Column {
  if (isSameType(column.type, type)) return column;
  if (column.type.kind === 'null') return nullColumn(type, column.rows);
  switch (column.shape) {
    case 'numbers':
      return { ...column, type, values: convertNumbers(column, type, tooLong) };
    case 'lists':
      return convertLists(column, type, tooLong);
    case 'strings':
    case 'bools':
      return { ...column, type };
  }
}

type Of<S extends Column['shape']> = Extract<Column, { readonly shape: S }>;

function convertLists(column: Of<'lists'>, type: ColumnType, tooLong: (row: number) => Error): Column {
  if (type.kind !== 'list') throw new TypeError(`lists do not become ${type.kind}`);
  const rowOf = (item: number): number => column.offsets.findLastIndex((offset) => offset <= item);
  return { ...column, type, items: convertColumn(column.items, type.item, (item) => tooLong(rowOf(item))) };
}

function convertNumbers(column: Of<'numbers'>, type: ColumnType, tooLong: (row: number) => Error): NumberArray {
  const { values } = column;
  const factor = factorOf(column.type, type);
  if (factor !== 1n) return scaleTimes(column, factor, tooLong);
  const wide = new (numberArrayOf(type))(values.length);
  if (wide.constructor === values.constructor) return values;
  const toBig = wide instanceof BigInt64Array || wide instanceof BigUint64Array;
  if (toBig) for (let row = 0; row < values.length; row++) wide[row] = BigInt(values[row]!);
  else for (let row = 0; row < values.length; row++) wide[row] = Number(values[row]!);
  return wide;
}

const MS_PER_DAY = 86_400_000n;
const PER_SECOND = { s: 1n, ms: 1_000n, us: 1_000_000n, ns: 1_000_000_000n } as const;

/** How many units of `to` one of `from` is. */
function factorOf(from: ColumnType, to: ColumnType): bigint {
  if (from.kind === 'date' && to.kind === 'date') return from.unit === to.unit ? 1n : MS_PER_DAY;
  if (from.kind === 'timestamp' && to.kind === 'timestamp') return PER_SECOND[to.unit] / PER_SECOND[from.unit];
  return 1n;
}

const MAX_INT64 = 2n ** 63n - 1n;

function scaleTimes({ values, valid }: Of<'numbers'>, factor: bigint, tooLong: (row: number) => Error): NumberArray {
  const max = MAX_INT64 / factor;
  const scaled = new BigInt64Array(values.length);
  for (let row = 0; row < values.length; row++) {
    if (valid !== null && valid[row] === 0) continue;
    const value = BigInt(values[row]!);
    if (value > max || value < -max) throw tooLong(row);
    scaled[row] = value * factor;
  }
  return scaled;
}
