/** Decimals of 32 to 256 bits, read as the nearest float64. To keep every digit, they must be written as strings. */
import type { BatchBody } from '../frame/batch-body.js';
import type { Column, ColumnType } from '../column.js';
import { openValidity, type ColumnSource } from './column-source.js';
import type { ArrayLayout } from './layout.js';

const NUMBER_BYTES = 8;

export function openDecimals(type: ColumnType, bits: number, layout: ArrayLayout, body: BatchBody): ColumnSource {
  if (type.kind !== 'decimal') throw new TypeError(`${type.kind} is not stored as decimals`);
  const { scale } = type;
  const width = bits / 8;
  const validity = openValidity(layout, body);
  const data = body.buffer(layout.buffers[1]!, layout.length * width);
  return {
    length: layout.length,
    measure: (_start, rows) => Promise.resolve(rows * Math.max(width, NUMBER_BYTES)),
    async read(start, rows): Promise<Column> {
      const valid = await validity.read(start, rows);
      const bytes = await data.read(start * width, (start + rows) * width);
      return { shape: 'numbers', type, rows, valid, values: decodeDecimals(bytes, width, scale) };
    },
  };
}

/** Powers of ten that are exact as float64. */
const EXACT_POWERS = Array.from({ length: 23 }, (_, power) => Number(`1e${power}`));

/** @param bytes whole values of `width` bytes, little-endian in two's complement */
function decodeDecimals(bytes: Uint8Array, width: number, scale: number): Float64Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = new Float64Array(bytes.byteLength / width);
  for (let row = 0; row < values.length; row++) {
    const at = row * width;
    values[row] = width === 4 ? scaleNumber(view.getInt32(at, true), scale) : scaleBigInt(view, at, width, scale);
  }
  return values;
}

/** The quotient of two exact numbers is rounded once, so it is the nearest float64. */
function scaleNumber(unscaled: number, scale: number): number {
  const power = EXACT_POWERS[scale];
  return power === undefined ? Number(`${unscaled}e${-scale}`) : unscaled / power;
}

function scaleBigInt(view: DataView, at: number, width: number, scale: number): number {
  let unscaled = view.getBigInt64(at + width - 8, true);
  for (let word = at + width - 16; word >= at; word -= 8) unscaled = (unscaled << 64n) | view.getBigUint64(word, true);
  const number = Number(unscaled);
  return Number.isSafeInteger(number) ? scaleNumber(number, scale) : Number(`${unscaled}e${-scale}`);
}
