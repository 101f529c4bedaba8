/**
 * The values of one page as the few shapes of columns. Takes what hyparquet decodes (numbers, byte arrays); gives dense
 * values without nulls, values by the indices of a dictionary, and values with nulls between them.
 */
import type { DecodedArray, SchemaElement } from 'hyparquet';
import type { Column, ColumnType, NumberArray, Validity } from '../../arrow/column.js';
import { formatUuids } from '../../arrow/decode/uuids.js';
import { checkUtf8 } from '../../arrow/decode/strings.js';
import { corrupt } from '../../arrow/fault.js';
import { float16ToNumber } from '../../base/float32.js';

/** Values one after the other, without a place for nulls. */
export type Values =
  | { readonly shape: 'numbers'; readonly values: NumberArray }
  | { readonly shape: 'bools'; readonly values: Uint8Array }
  | { readonly shape: 'strings'; readonly offsets: Uint32Array; readonly bytes: Uint8Array };

export function lengthOf(values: Values): number {
  return values.shape === 'strings' ? values.offsets.length - 1 : values.values.length;
}

/** @param raw as hyparquet's page readers give them, not converted */
export function toValues(raw: DecodedArray, type: ColumnType, element: SchemaElement): Values {
  switch (type.kind) {
    case 'bool':
      return { shape: 'bools', values: Uint8Array.from(raw as ArrayLike<unknown>, Number) };
    case 'null':
      return { shape: 'bools', values: new Uint8Array(raw.length) };
    case 'utf8':
    case 'bytes16':
      return element.type === 'FIXED_LEN_BYTE_ARRAY' ? uuids(byteArrays(raw)) : strings(byteArrays(raw));
    default:
      return { shape: 'numbers', values: numbers(raw, type, element) };
  }
}

function byteArrays(raw: DecodedArray): readonly Uint8Array[] {
  const values = raw as readonly unknown[];
  if (values.length > 0 && !(values[0] instanceof Uint8Array)) throw corrupt('its values are not bytes');
  return values as readonly Uint8Array[];
}

function strings(raw: readonly Uint8Array[]): Values {
  const offsets = new Uint32Array(raw.length + 1);
  let total = 0;
  raw.forEach((text, i) => (offsets[i + 1] = total += text.length));
  const bytes = Buffer.allocUnsafeSlow(total);
  raw.forEach((text, i) => bytes.set(text, offsets[i]));
  checkUtf8(offsets, bytes, null, 0);
  return { shape: 'strings', offsets, bytes };
}

function uuids(raw: readonly Uint8Array[]): Values {
  const bytes = formatUuids(Buffer.concat(raw), raw.length);
  const width = raw.length === 0 ? 0 : bytes.length / raw.length;
  return { shape: 'strings', offsets: Uint32Array.from({ length: raw.length + 1 }, (_, row) => row * width), bytes };
}

type Integers = 'Int8Array' | 'Int16Array' | 'Int32Array' | 'Uint8Array' | 'Uint16Array' | 'Uint32Array';
const INTEGER_ARRAYS: Readonly<Record<Integers, new (values: ArrayLike<number>) => NumberArray>> = {
  Int8Array, Int16Array, Int32Array, Uint8Array, Uint16Array, Uint32Array,
}; // prettier-ignore

function numbers(raw: DecodedArray, type: ColumnType, element: SchemaElement): NumberArray {
  switch (type.kind) {
    case 'int': {
      if (type.bits === 64) return type.signed ? BigInt64Array.from(bigints(raw)) : BigUint64Array.from(bigints(raw), (value) => BigInt.asUintN(64, value)); // prettier-ignore
      // Assigning to the typed array keeps the low bits, which are the value.
      const name = `${type.signed ? 'Int' : 'Uint'}${type.bits}Array` as Integers;
      return new INTEGER_ARRAYS[name](Array.from(raw as ArrayLike<number | bigint>, Number));
    }
    case 'float':
      if (type.bits === 16) return Float32Array.from(byteArrays(raw), ([low, high]) => float16ToNumber(low! | (high! << 8)));
      return type.bits === 32 ? Float32Array.from(raw as ArrayLike<number>) : Float64Array.from(raw as ArrayLike<number>); // prettier-ignore
    case 'date':
      return type.unit === 'day' ? Int32Array.from(raw as ArrayLike<number>) : BigInt64Array.from(raw as ArrayLike<number>, (day) => BigInt(day) * MS_PER_DAY); // prettier-ignore
    case 'timestamp':
      return timestamps(raw, type.unit, element);
    case 'decimal':
      return Float64Array.from(raw as ArrayLike<unknown>, (value) => decimal(value, type.scale));
    default:
      throw new TypeError(`a ${type.kind} is not a number`);
  }
}

const MS_PER_DAY = 86_400_000n;

function bigints(raw: DecodedArray): bigint[] {
  return Array.from(raw as ArrayLike<number | bigint>, BigInt);
}

const PER_SECOND = { s: 1n, ms: 1_000n, us: 1_000_000n, ns: 1_000_000_000n } as const;
/** Julian day of 1970-01-01, from which INT96 counts. */
const EPOCH_JULIAN = 2_440_588n;
const NS_PER_DAY = 86_400_000_000_000n;

function timestamps(raw: DecodedArray, unit: 's' | 'ms' | 'us' | 'ns', element: SchemaElement): BigInt64Array {
  const stored = storedUnit(element);
  const divisor = PER_SECOND[stored] / PER_SECOND[unit];
  return BigInt64Array.from(bigints(raw), (value) => {
    const count = element.type === 'INT96' ? ((value >> 64n) - EPOCH_JULIAN) * NS_PER_DAY + BigInt.asUintN(64, value) : value; // prettier-ignore
    return divisor === 1n ? count : count / divisor;
  });
}

function storedUnit({ type, logical_type: logical, converted_type: converted }: SchemaElement): 'ms' | 'us' | 'ns' {
  if (type === 'INT96') return 'ns';
  if (logical?.type === 'TIMESTAMP') return ({ MILLIS: 'ms', MICROS: 'us', NANOS: 'ns' } as const)[logical.unit];
  return converted === 'TIMESTAMP_MILLIS' ? 'ms' : 'us';
}

/** The nearest float64. @param value a number, or bytes, big-endian in two's complement */
function decimal(value: unknown, scale: number): number {
  const unscaled = value instanceof Uint8Array ? signedOf(value) : BigInt(value as number | bigint);
  return Number(`${unscaled}e${-scale}`);
}

function signedOf(bytes: Uint8Array): bigint {
  if (bytes.length === 0) return 0n;
  return BigInt.asIntN(8 * bytes.length, BigInt(`0x${Buffer.from(bytes).toString('hex')}`));
}

/** The entries of a dictionary at these indices. */
export function pick(dictionary: Values, indices: ArrayLike<number>): Values {
  const count = lengthOf(dictionary);
  for (let i = 0; i < indices.length; i++)
    if (!(indices[i]! < count)) throw corrupt(`it refers to entry ${indices[i]} of a dictionary of ${count}`);
  if (dictionary.shape === 'strings') return pickStrings(dictionary, indices);
  if (dictionary.shape === 'bools') return { shape: 'bools', values: fill(new Uint8Array(indices.length), dictionary.values, indices) }; // prettier-ignore
  const { values } = dictionary;
  return { shape: 'numbers', values: fill(emptyLike(values, indices.length), values, indices) };
}

function pickStrings(dictionary: Values & { shape: 'strings' }, indices: ArrayLike<number>): Values {
  const offsets = new Uint32Array(indices.length + 1);
  let total = 0;
  for (let i = 0; i < indices.length; i++) {
    total += dictionary.offsets[indices[i]! + 1]! - dictionary.offsets[indices[i]!]!;
    offsets[i + 1] = total;
  }
  if (total > MAX_STRING_BYTES) throw corrupt(`its strings have ${total} bytes in one page`);
  const bytes = Buffer.allocUnsafeSlow(total);
  for (let i = 0; i < indices.length; i++) {
    const [from, to] = [dictionary.offsets[indices[i]!]!, dictionary.offsets[indices[i]! + 1]!];
    bytes.set(dictionary.bytes.subarray(from, to), offsets[i]);
  }
  return { shape: 'strings', offsets, bytes };
}

/** A page of a dictionary can stand for far more bytes than it has. */
const MAX_STRING_BYTES = 2 ** 30;

function emptyLike(values: NumberArray, length: number): NumberArray {
  return new (values.constructor as new (length: number) => NumberArray)(length);
}

function fill<T extends NumberArray>(target: T, values: NumberArray, indices: ArrayLike<number>): T {
  for (let i = 0; i < indices.length; i++) (target as Float64Array)[i] = (values as Float64Array)[indices[i]!]!;
  return target;
}

/** Puts the values where `valid` is 1. @param valid null: everywhere */
export function spread(values: Values, valid: Validity): Values {
  if (valid === null) return values;
  const rows = valid.length;
  if (values.shape === 'strings') {
    const offsets = new Uint32Array(rows + 1);
    let next = 0;
    for (let row = 0; row < rows; row++) {
      if (valid[row] === 1) next++;
      offsets[row + 1] = values.offsets[next]!;
    }
    return { ...values, offsets };
  }
  const target = values.shape === 'bools' ? new Uint8Array(rows) : emptyLike(values.values, rows);
  let next = 0;
  for (let row = 0; row < rows; row++)
    if (valid[row] === 1) (target as Float64Array)[row] = (values.values as Float64Array)[next++]!;
  return values.shape === 'bools' ? { shape: 'bools', values: target as Uint8Array } : { shape: 'numbers', values: target }; // prettier-ignore
}

/** Rows `from` to `to`; numbers and bytes are views. */
export function cut(values: Values, from: number, to: number): Values {
  if (values.shape === 'numbers') return { shape: 'numbers', values: values.values.subarray(from, to) };
  if (values.shape === 'bools') return { shape: 'bools', values: values.values.subarray(from, to) };
  const start = values.offsets[from]!;
  const offsets = values.offsets.slice(from, to + 1).map((offset) => offset - start);
  return { shape: 'strings', offsets, bytes: values.bytes.subarray(start, values.offsets[to]) };
}

export function join(a: Values, b: Values): Values {
  if (lengthOf(a) === 0) return b;
  if (a.shape === 'strings' && b.shape === 'strings') {
    const shifted = b.offsets.subarray(1).map((offset) => offset + a.bytes.length);
    const offsets = new Uint32Array(a.offsets.length + shifted.length);
    offsets.set(a.offsets);
    offsets.set(shifted, a.offsets.length);
    return { shape: 'strings', offsets, bytes: Buffer.concat([a.bytes, b.bytes]) };
  }
  if (a.shape === 'strings' || b.shape === 'strings') throw new TypeError('pages of one column have one shape');
  const target = emptyLike(a.values, a.values.length + b.values.length) as Float64Array;
  target.set(a.values as Float64Array);
  target.set(b.values as Float64Array, a.values.length);
  return { shape: a.shape, values: target } as Values;
}

export function toColumn(values: Values, type: ColumnType, valid: Validity): Column {
  const rows = lengthOf(values);
  return { ...values, type, rows, valid };
}
