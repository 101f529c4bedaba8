import type { Column, Validity } from '../column.js';
import type { BatchBody, BodyBuffer } from '../frame/batch-body.js';
import type { ArrayLayout } from './layout.js';

/** One array of one batch, of which any range of rows can be read. */
export interface ColumnSource {
  readonly length: number;
  /** About how many bytes these rows take in memory. Reads little, however many rows there are. */
  measure(start: number, rows: number): Promise<number>;
  read(start: number, rows: number): Promise<Column>;
  /** Only for lists. */
  readonly extents?: ExtentSource;
}

/** Where the items of lists are, without reading the items. */
interface ExtentSource {
  /** How many inner lists these rows have; 0 if the items are not lists. */
  countLists(start: number, rows: number): Promise<number>;
  read(start: number, rows: number): Promise<ListExtents>;
}

/** Row r has the items [offsets[r] .. offsets[r + 1]). */
export interface ListExtents {
  readonly rows: number;
  readonly valid: Validity;
  readonly offsets: Uint32Array;
  /** Extents of the inner lists; null if the items are not lists. */
  readonly items: ListExtents | null;
}

/** The validity of an array, a bit a row in the file. */
interface ValiditySource {
  read(start: number, rows: number): Promise<Validity>;
}

const ALL_VALID: ValiditySource = { read: () => Promise.resolve(null) };

/** As in pyarrow, the bitmap is ignored if the writer counted no nulls. */
export function openValidity(layout: ArrayLayout, body: BatchBody): ValiditySource {
  const bitmap = layout.buffers[0]!;
  if (layout.nulls === 0 || (layout.nulls === -1 && bitmap.length === 0)) return ALL_VALID;
  const buffer = body.buffer(bitmap, Math.ceil(layout.length / 8));
  return {
    async read(start, rows) {
      const bits = await readBits(buffer, start, rows);
      return bits.includes(0) ? bits : null;
    },
  };
}

/** One byte, 0 or 1, for each of these bits. */
export async function readBits(buffer: BodyBuffer, start: number, rows: number): Promise<Uint8Array> {
  const firstByte = Math.floor(start / 8);
  const bytes = await buffer.read(firstByte, Math.ceil((start + rows) / 8));
  const shift = start - firstByte * 8;
  const bits = new Uint8Array(rows);
  for (let i = 0; i < rows; i++) {
    const at = i + shift;
    bits[i] = (bytes[at >>> 3]! >>> (at & 7)) & 1;
  }
  return bits;
}

interface ViewConstructor<T> {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): T;
}

/** The bytes as an array of numbers: the same memory if it is aligned, else a copy. */
export function viewAs<T>(type: ViewConstructor<T>, bytes: Uint8Array): T {
  const width = type.BYTES_PER_ELEMENT;
  const aligned = bytes.byteOffset % width === 0 ? bytes : new Uint8Array(bytes);
  return new type(aligned.buffer, aligned.byteOffset, Math.floor(aligned.byteLength / width));
}
