/** Arrow files for the tests, written by apache-arrow and not by the code under test. */
import { writeFileSync } from 'node:fs';
import type { DataType } from 'apache-arrow';
import {
  Bool,
  DateDay,
  DateMillisecond,
  Dictionary,
  Field,
  FixedSizeBinary,
  FixedSizeList,
  Float16,
  Float32,
  Float64,
  Int16,
  Int32,
  Int64,
  Int8,
  LargeUtf8,
  List,
  Null,
  Struct,
  Table,
  Uint16,
  Uint32,
  Uint64,
  Uint8,
  Utf8,
  tableToIPC,
  vectorFromArray,
} from 'apache-arrow';

/** A column's type and values; null is a null row. */
export type TestColumn = readonly [type: DataType, values: readonly unknown[]];

const item = (type: DataType): Field => new Field('item', type, true);
export const types = {
  bool: new Bool(),
  int8: new Int8(),
  int16: new Int16(),
  int32: new Int32(),
  int64: new Int64(),
  uint8: new Uint8(),
  uint16: new Uint16(),
  uint32: new Uint32(),
  uint64: new Uint64(),
  float32: new Float32(),
  float64: new Float64(),
  utf8: new Utf8(),
  largeUtf8: new LargeUtf8(),
  date: new DateDay(),
  dateMs: new DateMillisecond(),
  null: new Null(),
  nulls: new List(item(new Null())),
  bytes16: new FixedSizeBinary(16),
  bytes: (dim: number): DataType => new FixedSizeList(dim, item(new Int8())),
  unsignedBytes: new List(item(new Uint8())),
  listOfLists: new List(item(new List(item(new Float32())))),
  /** A new one for each column: a dictionary has an identity. */
  dictionary: (): DataType => new Dictionary(new Utf8(), new Int32()),
  struct: new Struct([new Field('x', new Int32(), true)]),
  strings: new List(item(new Utf8())),
  vector: (dim: number): DataType => new FixedSizeList(dim, item(new Float32())),
  vector64: (dim: number): DataType => new FixedSizeList(dim, item(new Float64())),
  vector16: (dim: number): DataType => new FixedSizeList(dim, item(new Float16())),
  list32: new List(item(new Float32())),
  list64: new List(item(new Float64())),
  list16: new List(item(new Float16())),
  ints: new List(item(new Int32())),
  longs: new List(item(new Int64())),
  structs: new List(item(new Struct([new Field('x', new Int32(), true)]))),
} as const;

/**
 * Writes the columns as an Arrow IPC file or stream.
 * @param batchRows rows of a record batch; without it all rows are one
 */
export function writeArrow(
  path: string,
  columns: Readonly<Record<string, TestColumn>>,
  { format = 'file', batchRows = Infinity }: { format?: 'file' | 'stream'; batchRows?: number } = {},
): string {
  const entries = Object.entries(columns);
  const rows = Math.max(0, ...entries.map(([, [, values]]) => values.length));
  const tables: Table[] = [];
  for (let start = 0; start < rows || start === 0; start += batchRows) {
    const slices = entries.map(([name, [type, values]]) => [
      name,
      vectorFromArray(values.slice(start, Math.min(rows, start + batchRows)), type),
    ]);
    tables.push(new Table(Object.fromEntries(slices) as ConstructorParameters<typeof Table>[0]));
  }
  const [first, ...others] = tables;
  writeFileSync(path, tableToIPC(first!.concat(...others), format));
  return path;
}

/** Integers from 0, as an id column takes them. */
export const countIds = (rows: number, from = 0): bigint[] => Array.from({ length: rows }, (_, i) => BigInt(from + i));

/** Vectors that differ and are not zero. */
export const countVectors = (rows: number, dim: number): number[][] =>
  Array.from({ length: rows }, (_, row) => Array.from({ length: dim }, (_, j) => ((row * 7 + j * 3) % 11) - 4.5));
