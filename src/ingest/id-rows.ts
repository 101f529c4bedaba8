/** The ids of one chunk at a time, in the form that IdTableBuilder needs. */
import type { Column, NumberArray } from '../arrow/column.js';
import { formatDecimal } from '../base/decimal.js';
import { murmur3 } from '../base/hash.js';
import { hashInteger } from '../base/id-table.js';
import type { IdTableBuilder } from '../base/id-table-builder.js';
import { MAX_ID_BYTES } from '../base/limits.js';
import type { BadRowKind } from './bad-rows.js';

type IdFault = Extract<BadRowKind, 'null_id' | 'bad_id'>;

const NO_WORDS = new Uint32Array(0);
const NO_BYTES = Buffer.alloc(0);

export class IdRows {
  private isText = false;
  private signed = false;
  private valid: Uint8Array | null = null;
  private words: Uint32Array = NO_WORDS;
  private offsets: Uint32Array = NO_WORDS;
  private bytes: Buffer = NO_BYTES;

  /** Continues with the next chunk. */
  open(column: Column): void {
    this.valid = column.valid;
    if (column.shape === 'strings') {
      this.isText = true;
      this.offsets = column.offsets;
      this.bytes = Buffer.from(column.bytes.buffer, column.bytes.byteOffset, column.bytes.length);
    } else if (column.shape === 'numbers' && column.type.kind === 'int') {
      this.isText = false;
      this.signed = column.type.signed;
      this.words = toWords(column.values);
    } else throw new Error('the column holds no ids');
  }

  /** What is wrong with the row's id, or null. */
  check(row: number): IdFault | null {
    if (this.valid !== null && this.valid[row] === 0) return 'null_id';
    if (!this.isText) return null;
    const length = this.offsets[row + 1]! - this.offsets[row]!;
    return length === 0 || length > MAX_ID_BYTES ? 'bad_id' : null;
  }

  /** murmur3 of the canonical text. The row has no fault. */
  hash(row: number): number {
    if (this.isText) return murmur3(this.bytes, this.offsets[row]!, this.offsets[row + 1]!);
    return hashInteger(this.words[2 * row]!, this.words[2 * row + 1]!, this.signed);
  }

  /** Adds the row's id. @returns its ordinal, an earlier row's where it is a duplicate */
  addTo(builder: IdTableBuilder, row: number): number {
    if (this.isText) return builder.addText(this.bytes, this.offsets[row]!, this.offsets[row + 1]!);
    return builder.addInteger(this.words[2 * row]!, this.words[2 * row + 1]!);
  }

  /** The canonical text, cut at the longest length that an id may have; null if the id is null. */
  text(row: number): string | null {
    if (this.valid !== null && this.valid[row] === 0) return null;
    if (!this.isText) return formatDecimal(this.words[2 * row]!, this.words[2 * row + 1]!, this.signed);
    const start = this.offsets[row]!;
    return this.bytes.toString('utf8', start, Math.min(this.offsets[row + 1]!, start + MAX_ID_BYTES));
  }

  /** Says in one clause what is wrong, for a fault that `check` returned. */
  explain(row: number, fault: IdFault): string {
    if (fault === 'null_id') return 'the id is null';
    const length = this.offsets[row + 1]! - this.offsets[row]!;
    return length === 0 ? 'the id is empty' : `the id has ${length} bytes; it may have at most ${MAX_ID_BYTES}`;
  }
}

/** Two words a value, sign-extended: a view of 64-bit values, a copy of others. */
function toWords(values: NumberArray): Uint32Array {
  if (values instanceof BigInt64Array || values instanceof BigUint64Array) {
    return new Uint32Array(values.buffer, values.byteOffset, 2 * values.length);
  }
  const words = new Uint32Array(2 * values.length);
  for (let row = 0; row < values.length; row++) {
    const value = values[row]!;
    words[2 * row] = value;
    words[2 * row + 1] = value < 0 ? 0xffffffff : 0;
  }
  return words;
}
