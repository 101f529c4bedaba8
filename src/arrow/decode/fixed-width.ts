/** Arrays of one value a row: numbers, dates, timestamps, bools and nulls. */
import type { BatchBody } from '../frame/batch-body.js';
import type { Column, ColumnType, NumberArray } from '../column.js';
import { widenHalves } from '../float16.js';
import { openValidity, readBits, viewAs, type ColumnSource } from './column-source.js';
import { nullColumn } from '../gather.js';
import type { ArrayLayout } from './layout.js';

interface Decoder {
  /** Bytes of one value in the file. */
  readonly width: number;
  readonly decode: (bytes: Uint8Array) => NumberArray;
}

const INTEGERS: Record<string, Decoder> = {
  int8: { width: 1, decode: (bytes) => viewAs(Int8Array, bytes) },
  int16: { width: 2, decode: (bytes) => viewAs(Int16Array, bytes) },
  int32: { width: 4, decode: (bytes) => viewAs(Int32Array, bytes) },
  int64: { width: 8, decode: (bytes) => viewAs(BigInt64Array, bytes) },
  uint8: { width: 1, decode: (bytes) => viewAs(Uint8Array, bytes) },
  uint16: { width: 2, decode: (bytes) => viewAs(Uint16Array, bytes) },
  uint32: { width: 4, decode: (bytes) => viewAs(Uint32Array, bytes) },
  uint64: { width: 8, decode: (bytes) => viewAs(BigUint64Array, bytes) },
};

const FLOATS: Record<16 | 32 | 64, Decoder> = {
  16: { width: 2, decode: (bytes) => widenHalves(viewAs(Uint16Array, bytes)) },
  32: { width: 4, decode: (bytes) => viewAs(Float32Array, bytes) },
  64: { width: 8, decode: (bytes) => viewAs(Float64Array, bytes) },
};

function decoderOf(type: ColumnType): Decoder {
  switch (type.kind) {
    case 'int':
      return INTEGERS[`${type.signed ? '' : 'u'}int${type.bits}`]!;
    case 'float':
      return FLOATS[type.bits];
    case 'date':
      return type.unit === 'day' ? INTEGERS['int32']! : INTEGERS['int64']!;
    case 'timestamp':
      return INTEGERS['int64']!;
    default:
      throw new TypeError(`${type.kind} is not stored as numbers`);
  }
}

export function openNumbers(type: ColumnType, layout: ArrayLayout, body: BatchBody): ColumnSource {
  const { width, decode } = decoderOf(type);
  const validity = openValidity(layout, body);
  const data = body.buffer(layout.buffers[1]!, layout.length * width);
  return {
    length: layout.length,
    measure: (_start, rows) => Promise.resolve(rows * width),
    async read(start, rows): Promise<Column> {
      const valid = await validity.read(start, rows);
      const bytes = await data.read(start * width, (start + rows) * width);
      return { shape: 'numbers', type, rows, valid, values: decode(bytes) };
    },
  };
}

export function openBools(type: ColumnType, layout: ArrayLayout, body: BatchBody): ColumnSource {
  const validity = openValidity(layout, body);
  const data = body.buffer(layout.buffers[1]!, Math.ceil(layout.length / 8));
  return {
    length: layout.length,
    measure: (_start, rows) => Promise.resolve(rows),
    async read(start, rows): Promise<Column> {
      const valid = await validity.read(start, rows);
      return { shape: 'bools', type, rows, valid, values: await readBits(data, start, rows) };
    },
  };
}

/** Rows of the null type; the file has only their number. */
export function openNulls(type: ColumnType, layout: ArrayLayout): ColumnSource {
  return {
    length: layout.length,
    measure: (_start, rows) => Promise.resolve(rows),
    read: (_start, rows) => Promise.resolve(nullColumn(type, rows)),
  };
}
