/** Converts our schemas and columns to apache-arrow's. Typed arrays are used as they are; bits are packed. */
import {
  Bool,
  DateUnit,
  Date_,
  Field,
  FixedSizeList,
  Float,
  Int,
  List,
  makeData,
  Precision,
  RecordBatch,
  Schema,
  Struct,
  Timestamp,
  TimeUnit,
  Utf8,
  type Data,
  type DataType,
} from 'apache-arrow';
import type { Column, ColumnType, NumberArray, Validity } from '../column.js';
import { numberToFloat16 } from '../float16.js';
import type { ArrowSchema } from './arrow-schema.js';

const PRECISIONS = { 16: Precision.HALF, 32: Precision.SINGLE, 64: Precision.DOUBLE } as const;
const UNITS = {
  s: TimeUnit.SECOND,
  ms: TimeUnit.MILLISECOND,
  us: TimeUnit.MICROSECOND,
  ns: TimeUnit.NANOSECOND,
} as const;

export function schemaOf({ fields, metadata }: ArrowSchema): Schema {
  const apacheFields = fields.map(({ name, type, nullable }) => new Field(name, dataTypeOf(type), nullable));
  return new Schema(apacheFields, new Map(metadata));
}

function dataTypeOf(type: ColumnType): DataType {
  switch (type.kind) {
    case 'bool':
      return new Bool();
    case 'int':
      return new Int(type.signed, type.bits) as DataType;
    case 'float':
      return new Float(PRECISIONS[type.bits]);
    case 'utf8':
      return new Utf8();
    case 'date':
      return new Date_(type.unit === 'day' ? DateUnit.DAY : DateUnit.MILLISECOND);
    case 'timestamp':
      return new Timestamp(UNITS[type.unit], type.timezone);
    case 'list': {
      const item = new Field('item', dataTypeOf(type.item), true);
      return type.size === null ? new List(item) : new FixedSizeList(type.size, item);
    }
    case 'null':
    case 'decimal':
    case 'bytes16':
    case 'other':
      throw new TypeError(`a column of type ${type.kind} cannot be written`);
  }
}

/** @throws TypeError or RangeError if the columns do not fit the schema, which is a bug of the caller */
export function recordBatchOf(schema: Schema, columns: readonly Column[]): RecordBatch {
  const rows = columns[0]?.rows ?? 0;
  if (columns.length !== schema.fields.length || columns.some((column) => column.rows !== rows)) {
    throw new TypeError(`a batch needs ${schema.fields.length} columns of equal length`);
  }
  const children = columns.map((column, i) => dataOf(schema.fields[i]!.type as DataType, column));
  return new RecordBatch(schema, makeData({ type: new Struct(schema.fields), length: rows, nullCount: 0, children }));
}

function dataOf(type: DataType, column: Column): Data {
  const { rows: length, valid } = column;
  const nulls = { nullCount: countNulls(valid), nullBitmap: valid === null ? null : packBits(valid) };
  const base = { type, length, ...nulls };
  switch (column.shape) {
    case 'numbers':
      return make({ ...base, data: numbersOf(type, zeroNulls(column.values.subarray(0, length), valid)) });
    case 'bools':
      return make({ ...base, data: packBits(zeroNulls(column.values.subarray(0, length), valid)) });
    case 'strings':
      return make({ ...base, valueOffsets: toInt32(column.offsets, length), data: column.bytes });
    case 'lists':
      return type instanceof FixedSizeList
        ? make({ ...base, child: fixedItemsOf(type, column) })
        : make({ ...base, valueOffsets: toInt32(column.offsets, length), child: itemsOf(type, column.items) });
  }
}

/** For the type checker: `makeData` has overloads by type, and `dataOf` passes the properties that go with it. */
function make(properties: object): Data {
  return makeData(properties as never);
}

function itemsOf(list: DataType, items: Column): Data {
  const item = list.children[0] as Field;
  return dataOf(item.type as DataType, items);
}

/** Lists of a fixed size have no offsets, so their items must be end to end, null rows included. */
function fixedItemsOf(list: FixedSizeList, column: Column & { readonly shape: 'lists' }): Data {
  const size = list.listSize;
  for (let row = 0; row <= column.rows; row++) {
    if (column.offsets[row] !== row * size) throw new TypeError(`row ${row} of lists of ${size} items is out of step`);
  }
  if (column.items.rows !== column.rows * size)
    throw new TypeError(`lists of ${size} items have another number of items`);
  return itemsOf(list, column.items);
}

/** float16 columns hold float32; every other array has the Arrow type already. */
function numbersOf(type: DataType, values: NumberArray): NumberArray {
  if (type instanceof Float && type.precision === Precision.HALF)
    return Uint16Array.from(values as Float32Array, numberToFloat16);
  if (!(values instanceof type.ArrayType))
    throw new TypeError(`values of ${values.constructor.name} do not fit the column's type`);
  return values;
}

function zeroNulls<T extends NumberArray>(values: T, valid: Validity): T {
  if (valid === null) return values;
  const zeroed = values.slice() as Float64Array; // or any other: a bigint array takes its own zero below
  const zero = (values instanceof BigInt64Array || values instanceof BigUint64Array ? 0n : 0) as number;
  for (let row = 0; row < zeroed.length; row++) if (valid[row] === 0) zeroed[row] = zero;
  return zeroed as NumberArray as T;
}

function countNulls(valid: Validity): number {
  return valid === null ? 0 : valid.reduce((nulls, bit) => nulls + 1 - bit, 0);
}

function packBits(bits: Uint8Array): Uint8Array {
  const packed = new Uint8Array(Math.ceil(bits.length / 64) * 8);
  for (let i = 0; i < bits.length; i++) if (bits[i] !== 0) packed[i >>> 3]! |= 1 << (i & 7);
  return packed;
}

const MAX_INT32 = 2 ** 31 - 1;

function toInt32(offsets: Uint32Array, rows: number): Int32Array {
  const end = offsets[rows];
  if (end === undefined) throw new TypeError(`${rows} rows need ${rows + 1} offsets`);
  if (end > MAX_INT32) throw new RangeError('the strings or items of one batch exceed 2^31 - 1; write smaller batches');
  return new Int32Array(offsets.buffer, offsets.byteOffset, rows + 1);
}
