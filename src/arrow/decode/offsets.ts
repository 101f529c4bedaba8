/** The offsets of strings and lists, 32 or 64 bits wide. */
import { viewAs } from './column-source.js';
import type { BatchBody, BodyBuffer } from '../frame/batch-body.js';
import { corrupt } from '../fault.js';
import type { BufferRange } from '../frame/message.js';

/** Where the values of consecutive rows are: those of row r from first + offsets[r] to first + offsets[r + 1]. */
interface Extents {
  readonly first: number;
  readonly offsets: Uint32Array;
}

/** Largest offset of a chunk; the size of chunks keeps offsets far below it. */
const MAX_EXTENT = 2 ** 32 - 1;

export class OffsetSource {
  private readonly buffer: BodyBuffer;
  private readonly width: 4 | 8;

  constructor(range: BufferRange, length: number, large: boolean, body: BatchBody) {
    this.width = large ? 8 : 4;
    // An array of no rows may come without its one offset.
    this.buffer = body.buffer(range, length === 0 ? 0 : (length + 1) * this.width);
  }

  /** First and end of the values of these rows; reads only two offsets. */
  async span(start: number, rows: number): Promise<{ first: number; end: number }> {
    if (rows === 0) return { first: 0, end: 0 };
    const first = this.decode(await this.readRaw(start, start), 0);
    const end = this.decode(await this.readRaw(start + rows, start + rows), 0);
    if (first < 0 || end < first) throw corrupt(`the offsets of its values run backwards from value ${start}`);
    return { first, end };
  }

  /** All offsets of these rows, each checked against the previous one. */
  async read(start: number, rows: number): Promise<Extents> {
    if (rows === 0) return { first: 0, offsets: new Uint32Array(1) };
    const raw = await this.readRaw(start, start + rows);
    const first = this.decode(raw, 0);
    if (first < 0) throw corrupt(`value ${start} has a negative offset`);
    const offsets = new Uint32Array(rows + 1);
    const bad = this.width === 4 ? rebase32(viewAs(Int32Array, raw), offsets) : this.rebase64(raw, first, offsets);
    if (bad >= 0) throw corrupt(`the offsets of its values run backwards at value ${start + bad}`);
    return { first, offsets };
  }

  /** @returns the row whose end is before its start, or -1 */
  private rebase64(raw: Uint8Array, first: number, offsets: Uint32Array): number {
    let before = 0;
    for (let i = 1; i < offsets.length; i++) {
      const offset = this.decode(raw, i) - first;
      if (offset < before || offset > MAX_EXTENT) return i - 1;
      offsets[i] = before = offset;
    }
    return -1;
  }

  private readRaw(from: number, to: number): Promise<Uint8Array> {
    return this.buffer.read(from * this.width, (to + 1) * this.width);
  }

  private decode(raw: Uint8Array, index: number): number {
    const view = new DataView(raw.buffer, raw.byteOffset + index * this.width, this.width);
    if (this.width === 4) return view.getInt32(0, true);
    return view.getInt32(4, true) * 2 ** 32 + view.getUint32(0, true);
  }
}

/** @returns the row whose end is before its start, or -1 */
function rebase32(raw: Int32Array, offsets: Uint32Array): number {
  const first = raw[0]!;
  let before = first;
  for (let i = 1; i < offsets.length; i++) {
    const offset = raw[i]!;
    if (offset < before) return i - 1;
    before = offset;
    offsets[i] = offset - first;
  }
  return -1;
}
