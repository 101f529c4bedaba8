/**
 * The values of arrays: how wide they are, as which column type they are read, and their bytes as numbers or texts.
 *
 * Components of vectors are floats or bytes, as in lists of Arrow files. Wider integers are read as float32 if that
 * holds them exactly; `input_unsupported` names the first that it does not hold.
 */
import type { ArrowField, ColumnType, IntegerWidth, NumberArray } from '../../arrow/column.js';
import { viewAs } from '../../arrow/decode/column-source.js';
import { corrupt, unsupported } from '../../arrow/fault.js';
import { widenHalves } from '../../arrow/float16.js';

export type NumberName =
  | 'int8' | 'int16' | 'int32' | 'int64'
  | 'uint8' | 'uint16' | 'uint32' | 'uint64'
  | 'float16' | 'float32' | 'float64'; // prettier-ignore

export type ValueType =
  | { readonly kind: 'number'; readonly name: NumberName; readonly bigEndian: boolean }
  /** Texts of a fixed number of code points, or of bytes of UTF-8, filled with zeros at the end. */
  | {
      readonly kind: 'text';
      readonly unit: 'code point' | 'byte';
      readonly length: number;
      readonly bigEndian: boolean;
    };

export const littleEndian = (name: NumberName): ValueType => ({ kind: 'number', name, bigEndian: false });

/** Bytes of one value in the file. */
export function widthOf(type: ValueType): number {
  if (type.kind === 'text') return type.length * (type.unit === 'byte' ? 1 : 4);
  return bitsOf(type.name) / 8;
}

export function isInteger(type: ValueType): boolean {
  return type.kind === 'number' && !type.name.startsWith('float');
}

function bitsOf(name: NumberName): IntegerWidth {
  return Number(/\d+$/.exec(name)![0]) as IntegerWidth;
}

/** The column of one value a row. */
export function scalarType(type: ValueType): Pick<ArrowField, 'type' | 'label'> {
  if (type.kind === 'text') return { type: { kind: 'utf8' }, label: 'string' };
  const { name } = type;
  const bits = bitsOf(name);
  if (!isInteger(type)) return { type: { kind: 'float', bits: bits as 16 | 32 | 64 }, label: floatLabel(bits) };
  return { type: { kind: 'int', bits, signed: name.startsWith('int') }, label: name };
}

function floatLabel(bits: number): string {
  return bits === 16 ? 'halffloat' : bits === 32 ? 'float' : 'double';
}

/** The column of vectors. */
export function vectorType(type: ValueType, dim: number): Pick<ArrowField, 'type' | 'label'> {
  const wide = isInteger(type) && widthOf(type) > 1;
  const item = wide ? { type: { kind: 'float', bits: 32 } as ColumnType, label: 'float' } : scalarType(type);
  const label = `fixed_size_list<item: ${item.label}>[${dim}]`;
  return { type: { kind: 'list', item: item.type, size: dim }, label };
}

const ARRAYS: Record<Exclude<NumberName, 'float16'>, (bytes: Uint8Array) => NumberArray> = {
  int8: (bytes) => viewAs(Int8Array, bytes),
  int16: (bytes) => viewAs(Int16Array, bytes),
  int32: (bytes) => viewAs(Int32Array, bytes),
  int64: (bytes) => viewAs(BigInt64Array, bytes),
  uint8: (bytes) => viewAs(Uint8Array, bytes),
  uint16: (bytes) => viewAs(Uint16Array, bytes),
  uint32: (bytes) => viewAs(Uint32Array, bytes),
  uint64: (bytes) => viewAs(BigUint64Array, bytes),
  float32: (bytes) => viewAs(Float32Array, bytes),
  float64: (bytes) => viewAs(Float64Array, bytes),
};

/** @param bytes of whole values, which may be overwritten */
export function toNumbers(type: ValueType, bytes: Uint8Array): NumberArray {
  if (type.kind !== 'number') throw new TypeError('texts are not numbers');
  if (type.bigEndian) swap(bytes, widthOf(type));
  return type.name === 'float16' ? widenHalves(viewAs(Uint16Array, bytes)) : ARRAYS[type.name](bytes);
}

function swap(bytes: Uint8Array, width: number): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (width === 2) buffer.swap16();
  else if (width === 4) buffer.swap32();
  else if (width === 8) buffer.swap64();
}

/** Largest integer below which float32 holds every integer. */
const MAX_EXACT = 2 ** 24;

/**
 * The components of vectors, as `vectorType` says.
 * @param firstRow number of the first vector, for messages
 */
export function toComponents(type: ValueType, bytes: Uint8Array, firstRow: number, dim: number): NumberArray {
  const values = toNumbers(type, bytes);
  if (!isInteger(type) || widthOf(type) === 1) return values;
  const floats = new Float32Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = Number(values[i]!);
    if (!(Math.abs(value) <= MAX_EXACT)) {
      const place = `row ${firstRow + Math.floor(i / dim)}: component ${i % dim} is ${values[i]!}`;
      throw unsupported(`${place}, and float32 holds integers only up to 2^24; scale the vectors and write them as float32`); // prettier-ignore
    }
    floats[i] = value;
  }
  return floats;
}

/** Texts of a fixed width as UTF-8. @throws ArrowFault for what is no Unicode */
export function toTexts(type: ValueType & { kind: 'text' }, bytes: Uint8Array, firstRow: number, rows: number): Texts {
  if (type.unit === 'byte') return trimmedTexts(bytes, type.length, rows);
  if (type.bigEndian) swap(bytes, 4);
  const points = viewAs(Uint32Array, bytes);
  const offsets = new Uint32Array(rows + 1);
  const out = Buffer.allocUnsafeSlow(points.length * 4);
  let at = 0;
  for (let row = 0; row < rows; row++) {
    let end = (row + 1) * type.length;
    while (end > row * type.length && points[end - 1] === 0) end--;
    for (let i = row * type.length; i < end; i++) {
      const point = points[i]!;
      if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) {
        throw corrupt(`row ${firstRow + row} has the code point 0x${point.toString(16)}, which Unicode does not have`);
      }
      at = putCodePoint(out, at, point);
    }
    offsets[row + 1] = at;
  }
  return { offsets, bytes: out.subarray(0, at) };
}

interface Texts {
  readonly offsets: Uint32Array;
  readonly bytes: Uint8Array;
}

function trimmedTexts(bytes: Uint8Array, length: number, rows: number): Texts {
  const offsets = new Uint32Array(rows + 1);
  const out = new Uint8Array(bytes.length);
  let at = 0;
  for (let row = 0; row < rows; row++) {
    let end = (row + 1) * length;
    while (end > row * length && bytes[end - 1] === 0) end--;
    out.set(bytes.subarray(row * length, end), at);
    offsets[row + 1] = at += end - row * length;
  }
  return { offsets, bytes: out.subarray(0, at) };
}

function putCodePoint(out: Buffer, at: number, point: number): number {
  if (point < 0x80) out[at++] = point;
  else if (point < 0x800) {
    out[at++] = 0xc0 | (point >> 6);
    out[at++] = 0x80 | (point & 0x3f);
  } else if (point < 0x10000) {
    out[at++] = 0xe0 | (point >> 12);
    out[at++] = 0x80 | ((point >> 6) & 0x3f);
    out[at++] = 0x80 | (point & 0x3f);
  } else {
    out[at++] = 0xf0 | (point >> 18);
    out[at++] = 0x80 | ((point >> 12) & 0x3f);
    out[at++] = 0x80 | ((point >> 6) & 0x3f);
    out[at++] = 0x80 | (point & 0x3f);
  }
  return at;
}
