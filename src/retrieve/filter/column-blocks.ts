/**
 * Reads values of a column in blocks of consecutive positions, whatever its chunks and type. A scan is then one loop
 * over one type of array, which compiles to fast code. Also finds which rows have a value.
 */
import type { Column } from '../../arrow/column.js';
import type { AttributeColumn } from '../../version/sealed/attribute-column.js';
import { emptyWords } from './bits.js';
import { SLICE_ROWS, type Work } from '../../base/work.js';

/** Rows of a block: 32 KiB of doubles fit the first-level cache. A multiple of 32, so that blocks fill whole words. */
export const BLOCK_ROWS = 4_096;

type Numbers = Column & { readonly shape: 'numbers' };

/** Calls `visit` for the part of each chunk within a range of positions. */
export function eachPart(
  column: AttributeColumn,
  from: number,
  to: number,
  visit: (chunk: Column, row: number, rows: number, position: number) => void,
): void {
  if (from >= to) return;
  for (let number = column.chunkOf(from), position = from; position < to; number++) {
    const { first, column: chunk } = column.chunks[number]!;
    const row = position - first;
    const rows = Math.min(chunk.rows - row, to - position);
    visit(chunk, row, rows, position);
    position += rows;
  }
}

/** Reads numbers of up to 32 bits and float64 as doubles. @param out at least `to - from` long */
export function readNumbers(column: AttributeColumn, from: number, to: number, out: Float64Array): void {
  eachPart(column, from, to, (chunk, row, rows, position) => {
    const values = (chunk as Numbers).values as Float64Array;
    out.set(values.subarray(row, row + rows), position - from);
  });
}

/** Reads 64-bit integers as words: low, high, low, high, ... @param out at least `2 * (to - from)` long */
export function readWords(column: AttributeColumn, from: number, to: number, out: Uint32Array): void {
  eachPart(column, from, to, (chunk, row, rows, position) => {
    const { buffer, byteOffset } = (chunk as Numbers).values;
    out.set(new Uint32Array(buffer, byteOffset + 8 * row, 2 * rows), 2 * (position - from));
  });
}

/** The rows that have a value, as bits; null if all have one. */
export function* readPresence(column: AttributeColumn): Work<Uint32Array | null> {
  const words = emptyWords(column.count);
  let missing = 0;
  for (let from = 0; from < column.count; from += SLICE_ROWS) {
    eachPart(column, from, Math.min(from + SLICE_ROWS, column.count), (chunk, row, rows, position) => {
      missing += rows - addPresent(chunk, row, rows, position, words);
    });
    yield;
  }
  return missing === 0 ? null : words;
}

/** @returns the number of rows with a value */
function addPresent(chunk: Column, row: number, rows: number, position: number, words: Uint32Array): number {
  const { valid } = chunk;
  const floats = chunk.shape === 'numbers' && chunk.type.kind === 'float' ? (chunk.values as Float64Array) : null;
  let present = 0;
  for (let i = 0; i < rows; i++) {
    const isPresent = valid === null ? 1 : valid[row + i]!;
    // NaN counts as no value: answers show it as null.
    if (isPresent === 0 || (floats !== null && Number.isNaN(floats[row + i]!))) continue;
    words[(position + i) >>> 5]! |= 1 << ((position + i) & 31);
    present++;
  }
  return present;
}

/** The chunks of a column with their first positions. */
export function* chunksOf<S extends Column['shape']>(
  column: AttributeColumn,
  shape: S,
): Generator<{ readonly first: number; readonly chunk: Column & { readonly shape: S } }> {
  for (const { first, column: chunk } of column.chunks) {
    if (chunk.shape !== shape) throw new TypeError(`${column.field.name} has ${chunk.shape}, not ${shape}`);
    yield { first, chunk: chunk as Column & { readonly shape: S } };
  }
}
