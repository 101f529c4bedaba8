/**
 * One attribute of a version, by ordinal. Takes the chunks of the column in the file; returns JSON values one at a
 * time, or the chunks themselves for bulk reads.
 */
import { isAscii } from 'node:buffer';
import type { ArrowField, Column } from '../../arrow/column.js';
import { columnValue, type JsonValue } from '../../arrow/column-value.js';

/** Consecutive ordinals of one attribute. */
export interface AttributeChunk {
  readonly firstOrdinal: number;
  readonly column: Column;
}

export class AttributeColumn {
  /** Each has at least one row, and their ordinals follow each other. */
  readonly chunks: readonly AttributeChunk[];
  /** First ordinals of the chunks. */
  private readonly starts: Uint32Array;
  /** How the strings of each chunk are decoded; made at the first use. */
  private decoders: (DecodeText | undefined)[] = [];

  constructor(
    readonly field: ArrowField,
    readonly count: number,
    chunks: readonly AttributeChunk[],
  ) {
    this.chunks = chunks;
    this.starts = Uint32Array.from(chunks, (chunk) => chunk.firstOrdinal);
  }

  /** The value as JSON has it. */
  value(ordinal: number): JsonValue {
    const position = this.chunkOf(ordinal);
    const { firstOrdinal, column } = this.chunks[position]!;
    const row = ordinal - firstOrdinal;
    if (column.shape !== 'strings') return columnValue(column, row);
    if (column.valid !== null && column.valid[row] === 0) return null;
    return this.decoder(position, column)(column.offsets[row]!, column.offsets[row + 1]!);
  }

  /** Position of the chunk that holds the ordinal: the last one that starts at or before it. */
  chunkOf(ordinal: number): number {
    if (!(ordinal >= 0 && ordinal < this.count)) throw new Error(`ordinal ${ordinal} of ${this.count}`);
    const { starts } = this;
    let low = 0;
    let high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (starts[middle]! <= ordinal) low = middle;
      else high = middle;
    }
    return low;
  }

  private decoder(position: number, column: Column & { readonly shape: 'strings' }): DecodeText {
    return (this.decoders[position] ??= textDecoder(column.bytes));
  }
}

type DecodeText = (start: number, end: number) => string;

/** ASCII, checked once for a whole chunk, is decoded in half of the time. */
function textDecoder(bytes: Uint8Array): DecodeText {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const encoding = isAscii(bytes) ? 'latin1' : 'utf8';
  return (start, end) => buffer.toString(encoding, start, end);
}
