/**
 * One attribute of a version. Takes the chunks of the column in its files; returns JSON values one at a time, by
 * ordinal, or the chunks themselves for bulk reads, in the order of positions (row-places.ts).
 */
import { isAscii } from 'node:buffer';
import type { ArrowField, Column } from '../../arrow/column.js';
import { columnValue, type JsonValue } from '../../arrow/column-value.js';
import type { RowPlaces } from './row-places.js';

/** Consecutive positions of one attribute. */
export interface AttributeChunk {
  readonly first: number;
  readonly column: Column;
}

export class AttributeColumn {
  /** Each has at least one row, and their positions follow each other. */
  readonly chunks: readonly AttributeChunk[];
  /** First positions of the chunks. */
  private readonly starts: Uint32Array;
  /** How the strings of each chunk are decoded; made at the first use. */
  private decoders: (DecodeText | undefined)[] = [];

  constructor(
    readonly field: ArrowField,
    readonly count: number,
    chunks: readonly AttributeChunk[],
    /** Null if positions are ordinals. */
    private readonly places: RowPlaces | null = null,
  ) {
    this.chunks = chunks;
    this.starts = Uint32Array.from(chunks, ({ first }) => first);
  }

  positionOf(ordinal: number): number {
    return this.places === null ? ordinal : this.places.positionOf(ordinal);
  }

  /** The value as JSON has it. */
  value(ordinal: number): JsonValue {
    return this.valueAt(this.positionOf(ordinal));
  }

  valueAt(position: number): JsonValue {
    const number = this.chunkOf(position);
    const { first, column } = this.chunks[number]!;
    const row = position - first;
    if (column.shape !== 'strings') return columnValue(column, row);
    if (column.valid !== null && column.valid[row] === 0) return null;
    return this.decoder(number, column)(column.offsets[row]!, column.offsets[row + 1]!);
  }

  /** Number of the chunk that holds the position: the last one that starts at or before it. */
  chunkOf(position: number): number {
    if (!(position >= 0 && position < this.count)) throw new Error(`position ${position} of ${this.count}`);
    const { starts } = this;
    let low = 0;
    let high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (starts[middle]! <= position) low = middle;
      else high = middle;
    }
    return low;
  }

  private decoder(chunk: number, column: Column & { readonly shape: 'strings' }): DecodeText {
    return (this.decoders[chunk] ??= textDecoder(column.bytes));
  }
}

type DecodeText = (start: number, end: number) => string;

/** ASCII, checked once for a whole chunk, is decoded in half of the time. */
function textDecoder(bytes: Uint8Array): DecodeText {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const encoding = isAscii(bytes) ? 'latin1' : 'utf8';
  return (start, end) => buffer.toString(encoding, start, end);
}
