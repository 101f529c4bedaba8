/** Arrays of 16 bytes a row, read as the text of a UUID: 8-4-4-4-12 hexadecimal digits in lower case. */
import type { BatchBody } from '../frame/batch-body.js';
import { UUID_BYTES } from '../arrow-type.js';
import type { Column, ColumnType } from '../column.js';
import { openValidity, type ColumnSource } from './column-source.js';
import type { ArrayLayout } from './layout.js';

const TEXT_BYTES = 36;
const OFFSET_BYTES = 4;
const HYPHEN = 0x2d;
/** A hyphen comes before these bytes. */
const GROUP_STARTS: ReadonlySet<number> = new Set([4, 6, 8, 10]);
const DIGITS = Buffer.from('0123456789abcdef');

export function openUuids(type: ColumnType, layout: ArrayLayout, body: BatchBody): ColumnSource {
  const validity = openValidity(layout, body);
  const data = body.buffer(layout.buffers[1]!, layout.length * UUID_BYTES);
  return {
    length: layout.length,
    measure: (_start, rows) => Promise.resolve(rows * (TEXT_BYTES + OFFSET_BYTES)),
    async read(start, rows): Promise<Column> {
      const valid = await validity.read(start, rows);
      const raw = await data.read(start * UUID_BYTES, (start + rows) * UUID_BYTES);
      const offsets = Uint32Array.from({ length: rows + 1 }, (_, row) => row * TEXT_BYTES);
      return { shape: 'strings', type, rows, valid, offsets, bytes: formatUuids(raw, rows) };
    },
  };
}

/** @param raw 16 bytes a row @returns 36 characters a row */
export function formatUuids(raw: Uint8Array, rows: number): Uint8Array {
  const text = Buffer.allocUnsafeSlow(rows * TEXT_BYTES);
  let to = 0;
  for (let from = 0; from < rows * UUID_BYTES; from++) {
    if (GROUP_STARTS.has(from % UUID_BYTES)) text[to++] = HYPHEN;
    const byte = raw[from]!;
    text[to++] = DIGITS[byte >>> 4]!;
    text[to++] = DIGITS[byte & 15]!;
  }
  return text;
}
