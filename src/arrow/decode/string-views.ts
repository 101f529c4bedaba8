/**
 * Arrays of utf8_view: 16 bytes a row hold a short string, or say where in one of several data buffers a long one is.
 * Writers place long strings one after the other, so the ranges of a chunk are joined into few reads.
 */
import type { BatchBody, BodyBuffer } from '../frame/batch-body.js';
import { CHUNK_BYTES, CHUNK_ROWS } from '../bounds.js';
import type { Column, ColumnType, Validity } from '../column.js';
import { openValidity, viewAs, type ColumnSource } from './column-source.js';
import { corrupt } from '../fault.js';
import type { ArrayLayout } from './layout.js';
import { checkUtf8 } from './strings.js';

const VIEW_BYTES = 16;
const VIEW_WORDS = 4;
/** Longest string that is stored in the view itself. */
const INLINE_BYTES = 12;
/** Unneeded bytes between two strings that cost less to read than a second request. */
const READ_GAP_BYTES = 16 * 1024;

export function openStringViews(type: ColumnType, layout: ArrayLayout, body: BatchBody): ColumnSource {
  const validity = openValidity(layout, body);
  const views = body.buffer(layout.buffers[1]!, layout.length * VIEW_BYTES);
  const data = layout.buffers.slice(2).map((range) => body.buffer(range, 0));
  const readViews = (start: number, rows: number): Promise<Uint8Array> =>
    views.read(start * VIEW_BYTES, (start + rows) * VIEW_BYTES);
  return {
    length: layout.length,
    async measure(start, rows) {
      let total = 0;
      for (let done = 0; done < rows; done += CHUNK_ROWS) {
        const words = viewAs(Int32Array, await readViews(start + done, Math.min(CHUNK_ROWS, rows - done)));
        for (let i = 0; i < words.length; i += VIEW_WORDS) total += Math.max(0, words[i]!);
      }
      return total + rows * VIEW_BYTES;
    },
    async read(start, rows): Promise<Column> {
      const valid = await validity.read(start, rows);
      const raw = await readViews(start, rows);
      const words = viewAs(Int32Array, raw);
      const offsets = computeOffsets(words, valid, start);
      const bytes = Buffer.allocUnsafeSlow(offsets[rows]!);
      copyInline(raw, offsets, bytes);
      await copyLong(words, offsets, bytes, data);
      checkUtf8(offsets, bytes, valid, start);
      return { shape: 'strings', type, rows, valid, offsets, bytes };
    },
  };
}

/** Offsets of the strings, end to end. A null row has no bytes, whatever its view says. */
function computeOffsets(words: Int32Array, valid: Validity, start: number): Uint32Array {
  const rows = words.length / VIEW_WORDS;
  const offsets = new Uint32Array(rows + 1);
  for (let row = 0; row < rows; row++) {
    const length = valid === null || valid[row] === 1 ? words[row * VIEW_WORDS]! : 0;
    if (length < 0) throw corrupt(`value ${start + row} has a negative length`);
    offsets[row + 1] = offsets[row]! + length;
  }
  return offsets;
}

function copyInline(raw: Uint8Array, offsets: Uint32Array, bytes: Uint8Array): void {
  for (let row = 0; row + 1 < offsets.length; row++) {
    const to = offsets[row]!;
    const length = offsets[row + 1]! - to;
    if (length > INLINE_BYTES) continue;
    const from = row * VIEW_BYTES + 4;
    for (let i = 0; i < length; i++) bytes[to + i] = raw[from + i]!;
  }
}

/** Where one long string is, and where it goes. */
interface LongString {
  readonly buffer: number;
  readonly start: number;
  readonly end: number;
  readonly to: number;
}

async function copyLong(words: Int32Array, offsets: Uint32Array, bytes: Uint8Array, data: BodyBuffer[]): Promise<void> {
  const strings = listLong(words, offsets);
  for (let i = 0; i < strings.length;) {
    const run = findRun(strings, i);
    const { buffer: number, start } = strings[i]!;
    const buffer = data[number];
    if (buffer === undefined) throw corrupt(`a view refers to data buffer ${number} of ${data.length}`);
    const read = await buffer.read(start, run.readTo);
    for (; i < run.next; i++) {
      const string = strings[i]!;
      bytes.set(read.subarray(string.start - start, string.end - start), string.to);
    }
  }
}

/** Sorted by place, which is mostly the order of the rows. */
function listLong(words: Int32Array, offsets: Uint32Array): LongString[] {
  const strings: LongString[] = [];
  for (let row = 0; row + 1 < offsets.length; row++) {
    const to = offsets[row]!;
    const length = offsets[row + 1]! - to;
    if (length <= INLINE_BYTES) continue;
    const buffer = words[row * VIEW_WORDS + 2]!;
    const start = words[row * VIEW_WORDS + 3]!;
    if (start < 0) throw corrupt('a view has a negative offset');
    strings.push({ buffer, start, end: start + length, to });
  }
  return strings.sort((a, b) => a.buffer - b.buffer || a.start - b.start);
}

/** The strings from `first` on that one read covers. */
function findRun(strings: readonly LongString[], first: number): { next: number; readTo: number } {
  const { buffer, start, end } = strings[first]!;
  let readTo = end;
  let next = first + 1;
  for (; next < strings.length; next++) {
    const string = strings[next]!;
    const isNear = string.buffer === buffer && string.start <= readTo + READ_GAP_BYTES;
    if (!isNear || string.end - start > CHUNK_BYTES) break;
    readTo = Math.max(readTo, string.end);
  }
  return { next, readTo };
}
