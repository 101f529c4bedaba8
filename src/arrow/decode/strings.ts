/** Arrays of utf8 and large_utf8. */
import { isAscii, isUtf8 } from 'node:buffer';
import type { BatchBody } from '../frame/batch-body.js';
import type { Column, ColumnType, Validity } from '../column.js';
import { openValidity, type ColumnSource } from './column-source.js';
import { corrupt } from '../fault.js';
import type { ArrayLayout } from './layout.js';
import { OffsetSource } from './offsets.js';

/** Memory of an offset, beside the bytes of its string. */
const OFFSET_BYTES = 4;

export function openStrings(type: ColumnType, layout: ArrayLayout, large: boolean, body: BatchBody): ColumnSource {
  const validity = openValidity(layout, body);
  const offsetSource = new OffsetSource(layout.buffers[1]!, layout.length, large, body);
  const data = body.buffer(layout.buffers[2]!, 0);
  return {
    length: layout.length,
    async measure(start, rows) {
      const { first, end } = await offsetSource.span(start, rows);
      return end - first + rows * OFFSET_BYTES;
    },
    async read(start, rows): Promise<Column> {
      const valid = await validity.read(start, rows);
      const { first, offsets } = await offsetSource.read(start, rows);
      const bytes = await data.read(first, first + offsets[rows]!);
      checkUtf8(offsets, bytes, valid, start);
      return { shape: 'strings', type, rows, valid, offsets, bytes };
    },
  };
}

/**
 * Every string must be valid UTF-8 by itself. It is if the whole text is valid and no offset cuts a character. Only if
 * that fails are the strings checked one by one, since null rows may hold anything.
 * @param start number of the first row in its batch, for the message
 */
export function checkUtf8(offsets: Uint32Array, bytes: Uint8Array, valid: Validity, start: number): void {
  if (isAscii(bytes)) return;
  if (isUtf8(bytes) && !cutsCharacter(offsets, bytes)) return;
  for (let row = 0; row + 1 < offsets.length; row++) {
    if (valid !== null && valid[row] === 0) continue;
    if (!isUtf8(bytes.subarray(offsets[row], offsets[row + 1]))) {
      throw corrupt(`value ${start + row} is not valid UTF-8`);
    }
  }
}

function cutsCharacter(offsets: Uint32Array, bytes: Uint8Array): boolean {
  // Nothing is cut at the end of the bytes: undefined & 0xc0 is 0.
  return offsets.some((offset) => (bytes[offset]! & 0xc0) === 0x80);
}
